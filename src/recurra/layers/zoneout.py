"""Zoneout: units that keep their old value now and then."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells import SequenceCall, State
from recurra.cells.checks import check_number
from recurra.errors import ArgumentError, ChoiceError
from recurra.layers.wrapping import CellWrapper, Changes, memories_of, replace_state
from recurra.loop.plan import as_step
from recurra.loop.probing import as_tuple, find_initial_state, split_result


class Zoneout(CellWrapper):
    """A cell whose units each keep their old value with probability p, drawn anew for each unit at every step.

        s = d * s_old + (1 - d) * s_new        in training, d from Bernoulli(p)
        s = p * s_old + (1 - p) * s_new        in evaluation

    p is the probability of keeping the OLD value, as in the paper; some public scripts take 1 - p.
    The new states are computed from one another as the cell does it, before any of them is zoned, so an LSTM's h is
    made of the new c.
    Where the output is a state, it is the zoned one. Where it is made of the new states alone, and the cell has a
    method ``output_from(*states)`` that says how, it is made of the zoned ones. Any other output, such as a gate's
    product with the new state, is the one made before zoneout.

    Args:
        cell: Any cell.
        p: Probability in [0, 1]: one number for the cell's memories, or one for each state by its name, as in
            ``{"c": 0.5, "h": 0.05}``; states not named are left alone. Memories are what the cell says (``memories``):
            no clock, no past inputs, no normaliser. Of a cell that does not say, they are all states. Only a cell that
            names its states (``states``) can be given names.

    Raises:
        ArgumentError: When p is no probability, or names states of a cell that has no names for them.
        ChoiceError: When p names a state that the cell has not.

    Example:
        >>> from recurra.cells import LSTMCell
        >>> h, c = Zoneout(LSTMCell(3, 4), {"c": 0.5, "h": 0.05})(torch.zeros(2, 3))
        >>> c.shape
        torch.Size([2, 4])

    Source: Krueger et al., ICLR 2017, arXiv 1606.01305.
    """

    def __init__(self, cell: torch.nn.Module, p: float | Mapping[str, float]) -> None:
        super().__init__(cell)
        self.p = self._check(p)

    def _check(self, p: float | Mapping[str, float]) -> float | dict[str, float]:
        if not isinstance(p, Mapping):
            return check_number("Zoneout", "p", p, at_least=0, at_most=1)
        names = getattr(self.cell, "states", None)
        if not isinstance(names, tuple):
            raise ArgumentError(
                f"Zoneout expected p to be one number, as {type(self.cell).__name__} does not name its states, got {p}"
            )
        for name in p:
            if name not in names:
                raise ChoiceError(f"state of {type(self.cell).__name__} in p of Zoneout", name, names)
        return {name: check_number("Zoneout", f"p[{name!r}]", p[name], at_least=0, at_most=1) for name in p}

    def step(self, x: tuple[Tensor, ...], own: tuple[Tensor, ...], state: State | None, changes: Changes) -> Any:
        """Run one step."""
        if state is None:
            state = find_initial_state(self.cell, as_step(x, len(x) > 1))
        result = self.run_cell(x, state, changes)
        _, new = split_result(self.cell, result)
        if not isinstance(new, Tensor | tuple | list):
            return result
        triples = zip(self._probabilities(len(as_tuple(new))), as_tuple(state), as_tuple(new), strict=True)
        zoned = tuple(self._zone(p, old, fresh) for p, old, fresh in triples)
        return replace_state(self.cell, result, zoned[0] if isinstance(new, Tensor) else zoned)

    def _probabilities(self, count: int) -> list[float]:
        if not isinstance(self.p, float):
            return [self.p.get(name, 0.0) for name in self.states]
        memories = memories_of(self.cell)
        if memories is None:
            return [self.p] * count
        return [self.p if name in memories else 0.0 for name in self.states]

    def inner_call(self, call: SequenceCall) -> SequenceCall:
        """Return how the inner cell is run: with other states than its own where others than memories are kept."""
        memories = memories_of(self.cell)
        if isinstance(self.p, float):
            is_plain = memories is not None or self.p == 0
        else:
            is_plain = {name for name, p in self.p.items() if p} <= set(memories or ())
        return dataclasses.replace(call, is_plain=call.is_plain and is_plain)

    def _zone(self, p: float, old: Tensor, new: Tensor) -> Tensor:
        if p == 0:
            return new
        if not self.training:
            return p * old + (1 - p) * new
        return torch.where(torch.rand_like(new) < p, old, new)

    def extra_repr(self) -> str:
        """Return the probabilities."""
        return f"p={self.p}"
