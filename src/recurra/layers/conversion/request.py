"""What a conversion is about, and the checks and errors that name it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recurra.errors import ArgumentError, ShapeError
from recurra.layers.conversion.cell_weights import Array, part_rows, stack_rows
from recurra.layers.conversion.kinds import KINDS, Kind

_NUM_NAMED = 6
_TYPES = ("float16", "float32", "float64")


@dataclass(frozen=True)
class Request:
    """One side of a conversion."""

    who: str
    """The function that was called."""
    kind: str
    """A key of ``KINDS``."""
    format: str
    """The name of the format that is read or written."""

    @property
    def facts(self) -> Kind:
        """What there is to know of the kind."""
        return KINDS[self.kind]

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, in torch's order."""
        return self.facts.gates

    @property
    def what(self) -> str:
        """The weights, as messages call them."""
        return f"{self.format!r} weights of kind {self.kind!r}"

    def part(self, stacked: Array) -> Array:
        """Return row blocks (G*H, ...) in the format's order of gates as (G, H, ...) in torch's, copied."""
        return part_rows(stacked, self.facts.orders.get(self.format, self.gates), self.gates)

    def stack(self, blocks: Array) -> Array:
        """Return blocks (G, H, ...) in torch's order of gates as row blocks (G*H, ...) in the format's, copied."""
        return stack_rows(blocks, self.facts.orders.get(self.format, self.gates), self.gates)

    def array(self, name: str, value: Any, shape: tuple[int, ...] | None = None, *, axes: int | None = None) -> Array:
        """Return a value as an array on the CPU.

        Args:
            name: What the format calls it.
            value: A torch tensor, or what NumPy makes an array of.
            shape: The shape it must have; ``None`` leaves that open.
            axes: The number of axes it must have, where ``shape`` is open; ``None`` leaves that open too.

        Raises:
            ShapeError: When it has another shape, an axis of length 0, is sparse, nested or on the meta device, or is
                not of float16, float32 or float64.
        """
        array = self._to_numpy(name, value)
        if axes is not None and array.ndim != axes:
            raise ShapeError(f"{self.who} expected {name} of {self.what} with {axes} axes, got shape {array.shape}")
        if not array.size:
            raise ShapeError(f"{self.who} expected {name} of {self.what} to hold numbers, got shape {array.shape}")
        if shape is not None and array.shape != shape:
            raise ShapeError(f"{self.who} expected {name} of shape {shape} in {self.what}, got {array.shape}")
        return array

    def _to_numpy(self, name: str, value: Any) -> Array:
        array = None
        if isinstance(value, torch.Tensor):
            # NumPy has no type for some of torch's, bfloat16 above all
            found = str(value.dtype).removeprefix("torch.")
        else:
            try:
                array = np.asarray(value)
            except (TypeError, ValueError, RuntimeError):  # ragged lists, and what says that it is no array
                found = type(value).__name__
            else:
                found = array.dtype.name
        if found not in _TYPES:
            raise ShapeError(
                f"{self.who} expected {name} of {self.what} to be of {', '.join(_TYPES)}, got {found}",
                hint="turn bfloat16 into float32 first, which changes no value" if found == "bfloat16" else "",
            )
        if array is None:
            self._check_dense(name, value)
            array = value.numpy(force=True)
        # arrays of files may have the bytes of another machine, which torch does not take
        return np.asarray(array, dtype=found)

    def _check_dense(self, name: str, value: torch.Tensor) -> None:
        if value.is_meta:
            raise ShapeError(
                f"{self.who} expected {name} of {self.what} to hold numbers, got a tensor on the meta device"
            )
        if value.is_nested or value.layout != torch.strided:
            found = "nested" if value.is_nested else str(value.layout).removeprefix("torch.")
            raise ShapeError(
                f"{self.who} expected {name} of {self.what} to be a dense tensor, got a {found} one",
                hint="" if value.is_nested else "tensor.to_dense() gives one",
            )

    def check_names(self, given: Collection[str], wanted: Sequence[str], hint: str = "") -> None:
        """Check that an array is there by each of the names, and none by another.

        Args:
            given: The names that are there.
            wanted: Those that must be.
            hint: What to say beside the names if they differ.

        Raises:
            ShapeError: When one is missing or surplus; the message names them.
        """
        missing = [name for name in wanted if name not in given]
        surplus = sorted(set(given) - set(wanted), key=str)
        parts = [f"{word} {_shorten(names)}" for word, names in (("missing", missing), ("surplus", surplus)) if names]
        if parts:
            raise ShapeError(
                f"{self.who} expected {_shorten(wanted)} in {self.what}, got {_shorten(given)}: {'; '.join(parts)}",
                hint=hint,
            )

    def cannot_hold(self, what: str, hint: str = "") -> ArgumentError:
        """Return the error for weights that a format has no place for."""
        return ArgumentError(f"{self.who} expected weights that {self.format!r} has a place for, got {what}", hint=hint)


def _shorten(names: Iterable[str]) -> str:
    """Join names; of many, the first ones."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - _NUM_NAMED} more" if len(listed) > _NUM_NAMED else ""
    return ", ".join(listed[:_NUM_NAMED]) + more if listed else "none"
