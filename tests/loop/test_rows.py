"""Where the rows of a call lie in memory, and which of them run in which step, against a model in plain Python."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.loop.rows import build_layout, entering_rows


@st.composite
def calls(draw):
    """Draw steps, rows, lengths of which at least one is the number of steps, a direction and a number of threads."""
    num_steps, batch_size = draw(st.integers(1, 9)), draw(st.integers(1, 150))
    lengths = None
    if draw(st.booleans()):
        shortest = draw(st.sampled_from([0, 0, num_steps]))
        some = draw(st.lists(st.integers(shortest, num_steps), min_size=1, max_size=8))
        # where few lengths are drawn, most rows have no step at all
        gap = 3 if len(some) < 3 else 1
        lengths = [some[k % len(some)] if k % gap == 0 else 0 for k in range(batch_size)]
        lengths[draw(st.integers(0, batch_size - 1))] = num_steps
    return num_steps, batch_size, lengths, draw(st.booleans()), draw(st.integers(1, 5))


def layout_of(call):
    num_steps, batch_size, lengths, reverse, threads = call
    given_lengths = None if lengths is None else torch.tensor(lengths)
    return build_layout(num_steps, batch_size, given_lengths, reverse=reverse, threads=threads)


class Model:
    """What should happen: the rows that run in each step, in order, and the time of each."""

    def __init__(self, call):
        num_steps, batch_size, lengths, self.reverse, _ = call
        self.num_steps, self.batch_size = num_steps, batch_size
        self.lengths = [num_steps] * batch_size if lengths is None else lengths
        # longest first; equal ones in their order
        self.order = sorted(range(batch_size), key=lambda row: -self.lengths[row])
        self.steps = [
            [(self.time(row, k), row) for row in self.order if self.lengths[row] > k] for k in range(num_steps)
        ]

    def time(self, row, k):
        """Return the time of the k-th step of a row."""
        return self.lengths[row] - 1 - k if self.reverse else k


def numbered(num_steps, batch_size):
    """Say in each element where it stands."""
    return torch.arange(num_steps * batch_size).view(num_steps, batch_size, 1) + torch.tensor([0, 1000])


@given(calls())
@settings(max_examples=150, deadline=None)
def test_a_sequence_holds_each_step_of_each_row_at_its_place(call):
    layout, model = layout_of(call), Model(call)
    x = numbered(model.num_steps, model.batch_size)
    steps = layout.forward

    sequence = layout.pack(x)

    assert layout.total == sum(model.lengths) == len(sequence)
    for k, rows in enumerate(model.steps):
        start, count = int(steps.sequence[k]), int(steps.active[k])
        assert sequence[start : start + count].tolist() == [x[t, row].tolist() for t, row in rows]


@given(calls())
@settings(max_examples=150, deadline=None)
def test_a_state_passes_from_step_to_step_and_ends_where_it_is_looked_for(call):
    layout, model = layout_of(call), Model(call)
    steps = layout.forward
    size = model.batch_size
    whole, two = torch.full((size + layout.total,), -1), torch.full((2 * size,), -1)
    whole[layout.first] = two[:size] = layout.sort(torch.arange(size))
    seen = []

    for k, rows in enumerate(model.steps):
        count = int(steps.active[k])
        for memory, old, new in ((whole, steps.old, steps.new), (two, steps.even, steps.odd)):
            before = memory[int(old[k]) : int(old[k]) + count]
            # a state counts the steps of its row, in thousands
            assert before.tolist() == [1000 * k + row for _, row in rows]
            memory[int(new[k]) : int(new[k]) + count] = before + 1000
        seen.append(count)

    last = [1000 * length + row for row, length in enumerate(model.lengths)]
    assert seen == [sum(length > k for length in model.lengths) for k in range(model.num_steps)]
    assert layout.unsort(whole[layout.last]).tolist() == last
    assert layout.unsort(two[layout.last_of_two]).tolist() == last


@given(calls())
@settings(max_examples=100, deadline=None)
def test_the_states_around_a_sequence_are_found(call):
    layout, model = layout_of(call), Model(call)
    memory = torch.arange(model.batch_size + layout.total)
    steps = layout.forward
    in_memory = sorted(
        (int(steps.sequence[k]) + i, k, i) for k, rows in enumerate(model.steps) for i in range(len(rows))
    )
    before = [int(steps.old[k]) + i for _, k, i in in_memory]
    after = [int(steps.new[k]) + i for _, k, i in in_memory]

    leaving = memory[layout.leaving : layout.leaving + layout.total]

    assert leaving.tolist() == after
    if layout.entering is None:
        # they lie apart, and are gathered
        assert entering_rows(layout).tolist() == before
    else:
        assert memory[layout.entering : layout.entering + layout.total].tolist() == before


@given(calls())
@settings(max_examples=100, deadline=None)
def test_the_way_back_takes_the_same_steps_from_the_last(call):
    layout = layout_of(call)

    for name in ("active", "sequence", "old", "new"):
        assert getattr(layout.backward, name).tolist() == getattr(layout.forward, name).tolist()[::-1]
    # what one step leaves in one half, the next takes from it
    for steps in (layout.forward, layout.backward):
        assert steps.even.tolist() == [layout.batch_size * (k % 2) for k in range(layout.num_steps)]
        assert steps.odd.tolist() == [layout.batch_size * (1 - k % 2) for k in range(layout.num_steps)]
        assert steps.none.tolist() == [0] * layout.num_steps


@given(calls())
@settings(max_examples=200, deadline=None)
def test_the_pieces_cover_every_row_once_and_none_is_longer_than_said(call):
    layout = layout_of(call)
    is_dense = layout.order is None
    kinds = {
        # pieces of ragged rows are cut by their steps
        "pieces": (layout.batch_size, 64 if is_dense else layout.batch_size),
        "shared": (layout.batch_size, 64),
        "flat": (layout.total, 96),
    }

    for name, (total, most) in kinds.items():
        pieces = getattr(layout, name)
        covered = [row for low, high in itertools.pairwise(pieces.cuts) for row in range(low, high)]

        assert covered == list(range(total))
        assert pieces.longest == int(pieces.cuts.diff().max()) <= most
        assert pieces.cuts.dtype == torch.int64


@given(calls())
@settings(max_examples=100, deadline=None)
def test_unpacking_undoes_packing_and_unsorting_sorting(call):
    layout, model = layout_of(call), Model(call)
    x = numbered(model.num_steps, model.batch_size) + 1
    valid = torch.tensor([[t < length for length in model.lengths] for t in range(model.num_steps)])
    state = torch.arange(model.batch_size)

    assert torch.equal(layout.unpack(layout.pack(x)), x * valid.unsqueeze(-1))
    assert torch.equal(layout.unsort(layout.sort(state)), state)
    assert layout.sort(state).tolist() == (state.tolist() if layout.order is None else model.order)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("lengths", [[9] + [0] * 199, [0] * 100 + [9] * 100, list(range(10)) * 20], ids=["1", "2", "3"])
def test_many_rows_without_steps_leave_no_row_out(lengths, threads):
    layout = layout_of((9, 200, lengths, False, threads))

    sizes = layout.pieces.cuts.diff()

    assert int(sizes.sum()) == 200
    assert int(sizes.min()) >= 0
    assert layout.pieces.cuts.tolist()[0] == 0


def test_ragged_rows_are_cut_so_that_threads_have_equal_work():
    lengths = [64] + [1] * 63
    layout = layout_of((64, 64, lengths, False, 2))

    cuts = layout.pieces.cuts.tolist()
    work = [sum(sorted(lengths, reverse=True)[low:high]) for low, high in itertools.pairwise(cuts)]

    # halves by rows would be 95 to 32
    assert sum(work) == 127
    assert max(work) <= 85


def test_equal_dense_calls_share_a_layout():
    one, other = (layout_of((3, 4, None, False, 2)) for _ in range(2))

    assert one is other
    assert layout_of((3, 4, None, True, 2)) is not one
