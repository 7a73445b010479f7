"""What a cell computes while it is recorded: a tensor, and the term that it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.inspection.equations.terms import Shape, Term, transpose

RANDOM = "it draws random numbers"
_HINT = "the cell runs and trains all the same; only its equations cannot be told"
_OWN_CELLS = {"lstm_cell": "lstm", "gru_cell": "gru", "rnn_tanh_cell": "elman", "rnn_relu_cell": "elman-relu"}
"""torch's cells in one piece, and who has their equations."""


class NoFormError(Exception):
    """An operation has no mathematical form here; the message says why."""


@dataclass(frozen=True)
class Value:
    """A tensor of the step.

    Attributes:
        tensor: The tensor itself.
        term: What it stands for, seen from one row.
        row_axis: The axis along which the rows of the batch lie; ``None`` for what is the same for all of them.
        is_constant: Whether it depends neither on what a step is given, nor on weights, nor on buffers.
        is_fixed: Whether it depends on no more than buffers.
        formula: What it was computed as; ``None`` for what is given, and for constants.
    """

    tensor: Tensor
    term: Term
    row_axis: int | None = None
    is_constant: bool = False
    is_fixed: bool = False
    formula: Term | None = None

    @property
    def dims(self) -> tuple[int, ...]:
        """The sizes of one row."""
        sizes = list(self.tensor.shape)
        if self.row_axis is not None:
            del sizes[self.row_axis]
        return tuple(sizes)

    def axis(self, dim: int) -> int:
        """Return which of ``dims`` a dimension of the tensor is."""
        found = dim % max(self.tensor.dim(), 1)
        if self.row_axis is None:
            return found
        if found == self.row_axis:
            raise NoFormError("it mixes the rows of the batch")
        return found - (found > self.row_axis)


def shape_of(dims: tuple[int, ...]) -> Shape:
    """Return the shape of the term for a tensor whose rows have these sizes; vectors are columns."""
    if len(dims) > 2:
        raise NoFormError(f"a row of its result has {len(dims)} dimensions, where equations have matrices and vectors")
    return (dims[0] if dims else 1), (dims[1] if len(dims) == 2 else 1)


def meet(dims: tuple[int, ...], values: list[Value]) -> list[Term]:
    """Return the terms of values that meet element by element, turned so that sizes of 1 are stretched as torch does.

    Args:
        dims: The sizes of one row of the result.
        values: What meets.
    """
    has_rows = any(value.row_axis is not None for value in values)
    return [_turned(dims, value, has_rows) for value in values]


def _turned(dims: tuple[int, ...], value: Value, has_rows: bool) -> Term:
    sizes, term = value.dims, value.term
    if has_rows and value.row_axis is None and len(sizes) == len(dims) + 1:
        if sizes[0] != 1:
            raise NoFormError("it gives the rows of the batch different values")
        # its first dimension is that of the batch
        return transpose(term) if len(sizes) == 2 else term
    return transpose(term) if len(dims) == 2 and len(sizes) == 1 else term


def no_form(who: str, operation: str, place: str, why: str = "") -> UnsupportedCellError:
    """Return the error for an operation without a mathematical form."""
    reason = f", since {why}" if why else ""
    own = _OWN_CELLS.get(operation, "")
    hint = f"{own} has the same equations, written out" if own else _HINT
    if why == RANDOM:
        hint = "in evaluation mode dropout and the like do nothing: --evaluation, or cell.eval()"
    return UnsupportedCellError(
        f"{who} was expected to be written in operations that have a mathematical form, got {operation} at "
        f"{place or 'an unknown line'}{reason}",
        hint=hint,
    )
