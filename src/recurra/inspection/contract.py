"""What a cell is, and how one is built from its name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells import find_cell
from recurra.errors import ArgumentError, RecurraError
from recurra.loop.probing import like_weights

CONTRACT = (
    "a cell is a torch.nn.Module that is built as Class(input_size, hidden_size, **options), and whose "
    "forward(x, state) takes x (B, I) and returns the new state: a tensor, or a tuple of tensors whose first is the "
    "output, as torch.nn.GRUCell and LSTMCell do"
)
"""What a cell is, in a sentence."""
RETURNS = (
    "a step returns the new state, a tensor or a tuple of tensors whose first is the output; where the output is no "
    "state, it returns (output, state) and the class says returns_output = True. A class whose first state is not "
    "zero, or that needs one, has a method initial_state(batch_size)"
)
"""What a step returns, in two."""


def build_cell(
    cell: str | type[torch.nn.Module], options: Mapping[str, Any], input_size: int, hidden_size: int
) -> torch.nn.Module:
    """Build a cell from its name.

    One that must be given a state and tells nothing of it is taken to have one, of width ``hidden_size``, that starts
    from zeros; ``assumes_state`` is then true of it.

    Args:
        cell: A registered name, ``"module:Class"``, or a class.
        options: What else the class takes.
        input_size: Width of its input.
        hidden_size: Width of its state.

    Raises:
        ChoiceError: When no cell has that name.
        ArgumentError: When the class is no cell, or does not take these sizes and options.
    """
    cell_class = find_cell(cell)
    _check_forward(cell_class)
    try:
        return _with_state(cell_class(input_size, hidden_size, **options), hidden_size)
    except RecurraError:
        raise
    except Exception as error:  # a class may refuse in any way
        shown = "".join(f", {name}={value!r}" for name, value in options.items())
        raise ArgumentError(
            f"{cell_class.__name__}({input_size}, {hidden_size}{shown}) was expected to build a cell, "
            f"got {type(error).__name__}: {error}",
            hint=CONTRACT,
        ) from error


def assumes_state(cell: torch.nn.Module) -> bool:
    """Say whether a cell's state is none that it tells of, but one that was assumed."""
    return isinstance(cell, _ZeroState)


class _ZeroState(torch.nn.Module):
    """A class whose cells start from zeros in their hidden size."""

    hidden_width: int

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros."""
        return like_weights(self).new_zeros(batch_size, self.hidden_width)


def _with_state(cell: torch.nn.Module, hidden_size: int) -> torch.nn.Module:
    cell_class = type(cell)
    state = list(inspect.signature(cell.forward).parameters.values())[1:2]
    tells = hasattr(cell, "initial_state") or hasattr(cell, "state_size")
    if tells or not state or state[0].default is not state[0].empty or state[0].kind is state[0].VAR_POSITIONAL:
        return cell
    # a class of the same name beside its own, since what a module's class says is looked up there
    own = {"__module__": cell_class.__module__, "__qualname__": cell_class.__qualname__, "__doc__": cell_class.__doc__}
    cell.__class__ = type(cell_class.__name__, (cell_class, _ZeroState), {**own, "hidden_width": hidden_size})
    return cell


def _check_forward(cell_class: type[torch.nn.Module]) -> None:
    if cell_class.forward is torch.nn.Module.forward:
        raise ArgumentError(f"expected a cell, got {cell_class.__name__}, which has no forward", hint=CONTRACT)
    given = list(inspect.signature(cell_class.forward).parameters.values())[1:]
    named = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in given if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    has_state = len(named) >= 2 or any(p.kind is p.VAR_POSITIONAL for p in given)
    if not has_state or len(needed) > 2 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        raise ArgumentError(
            f"expected a cell, got {cell_class.__name__}, whose forward takes ({', '.join(p.name for p in given)})",
            hint=CONTRACT,
        )


def further_arguments(cell: torch.nn.Module) -> dict[str, object]:
    """Return the arguments of a cell's ``forward`` behind x and state, by name, with their defaults."""
    given = list(inspect.signature(cell.forward).parameters.values())
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in given[2:] if p.kind not in kinds}
