"""The form of a rule: from an operation that torch traced to canonical nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from recurra.loop.builder import Builder
from recurra.loop.graph import Node, Size


@dataclass(frozen=True)
class Call:
    """One traced operation.

    Attributes:
        args: Its arguments; tensors are canonical nodes, and a number that grows with the batch is ``Rows``.
        kwargs: Likewise.
        shape: Sizes of the result, empty if there are several.
        dtype: Type of the result.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[Size, ...]
    dtype: torch.dtype

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument given by place or by name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)


Result: TypeAlias = Node | list[Node | None]
Rule: TypeAlias = Callable[[Builder, Call], Result]
"""A result of several may hold ``None`` for those that have no rule."""

Rules: TypeAlias = dict[str, Rule]
"""By the name of the operation, whatever its overload."""


def registrar(rules: Rules) -> Callable[..., Callable[[Rule], Rule]]:
    """Return a decorator that enters a rule under the names given."""

    def register(*names: str) -> Callable[[Rule], Rule]:
        def enter(function: Rule) -> Rule:
            rules.update(dict.fromkeys(names, function))
            return function

        return enter

    return register
