"""Which rows run in which step, and where they lie: what the native sections are told of a call's shape."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.loop.packing import packed_batch_sizes, packed_index

_LOOP_ROWS = 64
"""Rows that run all steps together at most: their scratch memory has to stay in the cache."""
_FLAT_ROWS = 96
"""Rows of a piece where all steps are one long batch."""


@dataclass(frozen=True)
class Steps:
    """Lists of 64-bit integers that a section reads, one entry a step.

    Attributes:
        active: Rows that run.
        sequence: Where the rows of a step begin in a sequence of all rows.
        old: Where they begin in a state's memory before the step.
        new: Where they begin in it after the step.
        even: Zero, and the batch size, by turns: for memory of two steps only.
        odd: The other way round.
        none: Zeros: for arrays without time.
    """

    active: Tensor
    sequence: Tensor
    old: Tensor
    new: Tensor
    even: Tensor
    odd: Tensor
    none: Tensor

    def reversed(self) -> Steps:
        """Return the steps from the last to the first."""
        return dataclasses.replace(
            self,
            active=self.active.flip(0),
            sequence=self.sequence.flip(0),
            old=self.old.flip(0),
            new=self.new.flip(0),
        )


@dataclass(frozen=True)
class Pieces:
    """Rows cut into pieces.

    Attributes:
        cuts: Where each piece begins, and the last one ends.
        longest: Rows of the longest piece.
    """

    cuts: Tensor
    longest: int


@dataclass(frozen=True)
class Layout:
    """How the rows of a call lie in memory.

    A sequence holds the rows of each step together, and the steps in time order; a row that has ended is not there.
    The memory of a state has room for one more step, so that the states before and after a step are views of it.

    Attributes:
        num_steps: Steps that run.
        batch_size: Rows of the batch.
        total: Rows of a sequence.
        forward: The steps in the order in which they run.
        backward: The same from the last to the first.
        pieces: The batch, a piece or more for each thread.
        shared: The batch in pieces that all threads run together.
        flat_steps: All rows of a sequence as one step.
        flat: The rows of a sequence in pieces.
        entering: The first row of the states before their step in a state's memory; ``None`` if they must be gathered.
        leaving: The first row of the states after their step in a state's memory.
        index: The place of each row of a sequence in (T * B) rows; ``None`` where it is the same.
        order: Which rows of the batch run as which; ``None`` where it is the same.
        last: Where each row's last state lies in a state's memory.
        last_of_two: The same in memory of two steps.
        threads: Threads to use.
    """

    num_steps: int
    batch_size: int
    total: int
    forward: Steps
    backward: Steps
    pieces: Pieces
    shared: Pieces
    flat_steps: Steps
    flat: Pieces
    entering: int | None
    leaving: int
    index: Tensor | None
    order: Tensor | None
    last: Tensor | slice
    last_of_two: Tensor | slice
    threads: int

    @property
    def first(self) -> slice:
        """The rows of a state's memory that hold the state before the first step."""
        at = self.total if self.leaving == 0 else 0
        return slice(at, at + self.batch_size)

    def pack(self, x: Tensor) -> Tensor:
        """Return (T, B, ·) as a sequence (total, ·)."""
        flat = x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
        return flat.contiguous() if self.index is None else flat.index_select(0, self.index)

    def unpack(self, sequence: Tensor) -> Tensor:
        """Return a sequence as (T, B, ·), with zeros where a row has ended."""
        shape = (self.num_steps, self.batch_size, *sequence.shape[1:])
        if self.index is None:
            return sequence.view(shape)
        flat = sequence.new_zeros(self.num_steps * self.batch_size, *sequence.shape[1:])
        return flat.index_copy_(0, self.index, sequence).view(shape)

    def sort(self, state: Tensor) -> Tensor:
        """Return (B, ·) in the order in which the rows run."""
        return state if self.order is None else state.index_select(0, self.order)

    def unsort(self, state: Tensor) -> Tensor:
        """Return (B, ·) in the caller's order."""
        return state if self.order is None else torch.empty_like(state).index_copy_(0, self.order, state)


def build_layout(num_steps: int, batch_size: int, lengths: Tensor | None, *, reverse: bool, threads: int) -> Layout:
    """Return the layout of a call.

    Args:
        num_steps: Steps of the longest row, at least 1.
        batch_size: Rows, at least 1.
        lengths: Valid steps of each row, or ``None``.
        reverse: Whether time runs backward.
        threads: Threads to use at most.
    """
    if lengths is None:
        return _dense(num_steps, batch_size, reverse, threads)
    return _ragged(num_steps, batch_size, lengths, reverse, threads)


def _cuts(total: int, most: int, threads: int) -> Tensor:
    pieces = max(-(-total // most), min(threads, total))
    pieces = -(-pieces // threads) * threads if pieces > threads else pieces
    return torch.arange(pieces + 1).mul_(total).div_(pieces, rounding_mode="floor")


def _pieces(cuts: Tensor) -> Pieces:
    return Pieces(cuts, int(cuts.diff().max()))


def _one_step(total: int) -> Steps:
    zero = torch.zeros(1, dtype=torch.int64)
    return Steps(torch.tensor([total]), *(zero,) * 6)


def _turns(num_steps: int, batch_size: int) -> tuple[Tensor, Tensor]:
    turn = torch.arange(num_steps) % 2
    return turn * batch_size, (1 - turn) * batch_size


@functools.lru_cache(maxsize=256)
def _dense(num_steps: int, batch_size: int, reverse: bool, threads: int) -> Layout:
    time = torch.arange(num_steps)
    starts = (time.flip(0) if reverse else time) * batch_size
    even, odd = _turns(num_steps, batch_size)
    old, new = (starts + batch_size, starts) if reverse else (starts, starts + batch_size)
    steps = Steps(torch.full_like(time, batch_size), starts, old, new, even, odd, torch.zeros_like(time))
    total = num_steps * batch_size
    last = int(new[-1])
    last_of_two = int(odd[-1])
    return Layout(
        num_steps,
        batch_size,
        total,
        steps,
        steps.reversed(),
        _pieces(_cuts(batch_size, _LOOP_ROWS, threads)),
        _pieces(_cuts(batch_size, _LOOP_ROWS, 1)),
        _one_step(total),
        _pieces(_cuts(total, _FLAT_ROWS, threads)),
        entering=batch_size if reverse else 0,
        leaving=0 if reverse else batch_size,
        index=None,
        order=None,
        last=slice(last, last + batch_size),
        last_of_two=slice(last_of_two, last_of_two + batch_size),
        threads=threads,
    )


def _ragged(num_steps: int, batch_size: int, lengths: Tensor, reverse: bool, threads: int) -> Layout:
    sorted_lengths, order = lengths.sort(descending=True, stable=True)
    running = sorted_lengths[sorted_lengths > 0]
    active = packed_batch_sizes(running).to(torch.int64)
    index = packed_index(active, order[: len(running)], batch_size, running if reverse else None)
    starts = active.cumsum(0) - active
    even, odd = _turns(num_steps, batch_size)
    new = starts + batch_size
    old = torch.cat((starts.new_zeros(1), new[:-1]))
    steps = Steps(active, starts, old, new, even, odd, torch.zeros_like(starts))
    total = int(active.sum())
    final = (sorted_lengths - 1).clamp(min=0)
    rows = torch.arange(batch_size)
    has_none = sorted_lengths == 0
    return Layout(
        num_steps,
        batch_size,
        total,
        steps,
        steps.reversed(),
        _pieces(_even_cuts(sorted_lengths, threads)),
        _pieces(_cuts(batch_size, _LOOP_ROWS, 1)),
        _one_step(total),
        _pieces(_cuts(total, _FLAT_ROWS, threads)),
        entering=None,
        leaving=batch_size,
        index=index,
        order=order,
        last=torch.where(has_none, rows, new[final] + rows),
        last_of_two=torch.where(has_none, rows, odd[final] + rows),
        threads=threads,
    )


def _even_cuts(sorted_lengths: Tensor, threads: int) -> Tensor:
    """Cut the batch into pieces that have about the same number of steps to run."""
    batch_size = len(sorted_lengths)
    pieces = len(_cuts(batch_size, _LOOP_ROWS, threads)) - 1
    done = (sorted_lengths + 1).cumsum(0)
    shares = torch.arange(1, pieces) * int(done[-1]) // pieces
    inner = torch.searchsorted(done, shares, right=True)
    return torch.cat((torch.zeros(1, dtype=torch.int64), inner, torch.tensor([batch_size])))


def entering_rows(layout: Layout) -> Tensor:
    """Return where the state before each row of a sequence lies in a state's memory."""
    steps = layout.forward
    within = torch.arange(layout.total) - steps.sequence.repeat_interleave(steps.active)
    return steps.old.repeat_interleave(steps.active) + within
