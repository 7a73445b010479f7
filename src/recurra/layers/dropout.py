"""Dropout inside the step: of what is newly written, and of what enters the recurrent product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recurra.cells import Cell, State
from recurra.cells.checks import check_number
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers.rewriting import FROM_STATE, rewritten_forward
from recurra.layers.wrapping import CellWrapper, Changes, innermost, join
from recurra.loop.probing import declared_layout

MASKS = ("step", "sequence")
"""How often a mask is drawn: at every step, or once a sequence."""


def check_mask(who: str, name: str, value: object) -> str:
    """Return ``value`` if it is one of ``MASKS``.

    Raises:
        ChoiceError: When it is not.
    """
    if value not in MASKS:
        raise ChoiceError(f"{name} of {who}", value, MASKS)
    return str(value)


def draw_mask(x: Tensor, width: int, p: float) -> Tensor:
    """Draw a mask of 0 and 1 / (1 - p) once for each row of x (T, B, I); it is (T, B, width) without memory for T."""
    num_steps, batch_size = x.shape[:2]
    kept = torch.rand(1, batch_size, width, dtype=x.dtype, device=x.device) >= p
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return (kept.to(x.dtype) * scale).expand(num_steps, batch_size, width)


class _Dropout(CellWrapper):
    """What both kinds share: p, and nothing done in evaluation."""

    def __init__(self, cell: torch.nn.Module, p: float) -> None:
        super().__init__(cell)
        self.p = check_number(type(self).__name__, "p", p, at_least=0, below=1)

    @property
    def _acts(self) -> bool:
        return self.training and self.p > 0

    def _masked(self, place: str, value: Tensor, mask: Tensor) -> Tensor:
        if value.shape[-1] != mask.shape[-1]:
            cell = innermost(self.cell)
            raise ShapeError(
                f"{type(self).__name__} expected {place} in forward of {type(cell).__name__} to have the width of its "
                f"mask, {mask.shape[-1]}, got {tuple(value.shape)}"
            )
        return value * mask


class RecurrentDropout(_Dropout):
    """Dropout of what a cell newly writes to its memory, which itself is never erased.

        c = f * c + i * drop(g)          of an LSTM
        h = (1 - z) * drop(n) + z * h    of a GRU

    In training drop sets each unit to 0 with probability p and scales the others by 1 / (1 - p); in evaluation it does
    nothing.
    Differs from the source: there the scale is in evaluation, by 1 - p.

    It acts wherever the cell's ``forward`` says ``name = ...`` for a name of ``candidates``; the source of ``forward``
    must be at hand.

    Args:
        cell: A cell, or a wrapper of one.
        p: Probability in [0, 1) that a unit is dropped.
        mask: "step" draws at every step, "sequence" once for a whole sequence; the latter needs the cell to have a
            ``hidden_size``, the width of the candidates.
        candidates: Names in ``forward`` of what is newly written; ``None`` is what the cell's class says.

    Raises:
        ArgumentError: When p is no such probability, the cell has no candidates, or its ``forward`` does not assign
            them or has no source.
        ChoiceError: When ``mask`` is unknown.

    Example:
        >>> from recurra.cells import GRUCell
        >>> from recurra.loop import unroll
        >>> output, h = unroll(RecurrentDropout(GRUCell(3, 4), 0.25), torch.zeros(5, 2, 3))

    Source: Semeniuta, Severyn and Barth, COLING 2016, arXiv 1603.05118.
    """

    def __init__(
        self, cell: torch.nn.Module, p: float, mask: str = "step", *, candidates: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(cell, p)
        self.mask = check_mask("RecurrentDropout", "mask", mask)
        core = innermost(cell)
        names = getattr(core, "candidates", ()) if candidates is None else candidates
        if not isinstance(names, tuple) or not names or not all(isinstance(name, str) for name in names):
            raise ArgumentError(
                f"RecurrentDropout expected {type(core).__name__} to have candidates, names in its forward of what is "
                f"newly written, got {names!r}",
                hint='name them, as in candidates=("g",); a plain recurrence has none: take VariationalDropout',
            )
        self.written = names
        rewritten_forward("RecurrentDropout", core, frozenset(names))
        if mask == "sequence":
            self._widths()

    def _widths(self) -> list[int]:
        core: Any = innermost(self.cell)
        size = getattr(core, "hidden_size", None)
        if not isinstance(size, int):
            raise ArgumentError(
                f"RecurrentDropout expected {type(core).__name__} to have a hidden_size, the width of a mask of a "
                "sequence, got none",
                hint='use mask="step"',
            )
        return [core.gate_size(name) if isinstance(core, Cell) else size for name in self.written]

    @property
    def num_own_inputs(self) -> int:
        """One mask a candidate, where they are drawn once a sequence."""
        return len(self.written) if self._acts and self.mask == "sequence" else 0

    def own_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Draw the masks of a sequence."""
        return tuple(draw_mask(x, width, self.p) for width in self._widths()) if self.num_own_inputs else ()

    def step(self, x: tuple[Tensor, ...], own: tuple[Tensor, ...], state: State | None, changes: Changes) -> Any:
        """Run one step."""
        masks = dict(zip(self.written, own, strict=False))

        def drop(place: str, value: Tensor) -> Tensor:
            if own:
                return self._masked(place, value, masks[place])
            return torch.nn.functional.dropout(value, self.p)

        return self.run_cell(x, state, join(changes, self.written, drop) if self._acts else changes)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, mask={self.mask!r}, candidates={self.written}"


class VariationalDropout(_Dropout):
    """Dropout of the state that enters a cell's recurrent product, with one mask for all steps of a sequence.

        h' = h * m,  m of 0 and 1 / (1 - p), drawn once a sequence    in training
        h' = h                                                        in evaluation

    The mask is the same for all gates ("tied"). The part for the input is ``input_dropout`` of
    :class:`recurra.layers.Recurrent`, the part between layers its ``dropout_mask="sequence"``.

    It acts on what ``forward`` gives to the methods that the cell names in ``state_products``, by default wherever it
    says ``self.from_state(h, ...)``; the source of ``forward`` must be at hand. The mask is as wide as the cell's
    ``recurrent_size``, by default as its first state. One step of a Recurra cell is run to see that this is so.

    Args:
        cell: A cell, or a wrapper of one.
        p: Probability in [0, 1) that a unit is dropped.

    Raises:
        ArgumentError: When p is no such probability, or the cell does not tell the width of its first state, or its
            ``forward`` has no call of such a method, gives it something of another width, or has no source.

    Source: Gal and Ghahramani, NIPS 2016, arXiv 1512.05287.
    """

    def __init__(self, cell: torch.nn.Module, p: float) -> None:
        super().__init__(cell, p)
        core = innermost(cell)
        self.products: tuple[str, ...] = getattr(core, "state_products", (FROM_STATE,))
        function = rewritten_forward("VariationalDropout", core, frozenset(self.products))
        layout = declared_layout(core)
        if layout is None:
            raise ArgumentError(
                f"VariationalDropout expected {type(core).__name__} to have a state_size, which tells the width of the "
                "mask, got none"
            )
        self.width: int = getattr(core, "recurrent_size", layout.widths[0])
        if isinstance(core, Cell):
            self._check_widths(core, function)

    def _check_widths(self, core: Cell, function: Callable[..., Any]) -> None:
        """Run a step to see what the recurrent products are given.

        Raises:
            ArgumentError: When that is not as wide as the mask.
        """

        def check(place: str, value: Tensor) -> Tensor:
            if value.shape[-1] != self.width:
                raise ArgumentError(
                    f"VariationalDropout expected {place} in forward of {type(core).__name__} to be given its "
                    f"recurrent_size={self.width}, the width of the mask, got {tuple(value.shape)}",
                    hint="give the class a property recurrent_size",
                )
            return value

        x = core.weight_ih.new_zeros(1, core.input_size)
        with torch.no_grad(), torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            function(core, x, core.initial_state(1), check)

    @property
    def num_own_inputs(self) -> int:
        """One mask, in training."""
        return int(self._acts)

    def own_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Draw the mask of a sequence."""
        return (draw_mask(x, self.width, self.p),) if self._acts else ()

    def step(self, x: tuple[Tensor, ...], own: tuple[Tensor, ...], state: State | None, changes: Changes) -> Any:
        """Run one step."""
        if not own:
            return self.run_cell(x, state, changes)
        mask = own[0]
        changes = join(changes, self.products, lambda place, value: self._masked(place, value, mask))
        return self.run_cell(x, state, changes)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"
