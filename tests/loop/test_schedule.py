"""The order of work inside a section: what is written where and when, and what is not written at all."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter

import pytest
import torch

from recurra.cells import LSTMCell
from recurra.loop.schedule import Pointwise, Product, Reduce, Scan, schedule
from tests.support.split_cells import CELLS, IN, Cell, H, fission_of


def program_of(compute, place="forward", **attributes):
    return schedule(getattr(fission_of(Cell(compute, **attributes)), place))


@functools.cache
def programs_of(name):
    cell, num_states = CELLS[name]
    fission = fission_of(cell, num_states=num_states)
    sections = [*fission.forward_sections(), *fission.backward_sections()]
    return [schedule(section) for section in sections if section.targets]


def stores_of(work):
    """Return (store, sizes of the loops around it)."""
    if isinstance(work, Pointwise):
        return [(store, work.domain) for store in work.stores]
    if isinstance(work, Reduce):
        return [(store, work.kept + (1,) * len(work.reduced)) for store, _, _, _ in work.results]
    return [(work.store, (*work.domain, work.length))] if isinstance(work, Scan) else []


def written(work):
    """Count the writes to each element of each slot."""
    if isinstance(work, Product):
        return Counter((work.slot, k) for k in range(work.multiple * work.columns))
    found = Counter()
    for store, sizes in stores_of(work):
        for place in itertools.product(*map(range, sizes)):
            along = sum(f * i for f, i in zip(store.offset.factors, place, strict=True))
            found[store.slot, store.offset.constant + along] += 1
    return found


# --- what holds for any section


@pytest.mark.parametrize("name", CELLS)
def test_every_element_of_every_slot_is_written_exactly_once(name):
    for program in programs_of(name):
        total = sum(map(written, program.work), Counter())
        slots = {*program.section.targets, *program.scratch}

        assert total == Counter((slot, k) for slot in slots for k in range(program.widths[slot]))


@pytest.mark.parametrize("name", CELLS)
def test_time_does_not_go_back_and_kinds_take_turns(name):
    turns = {Product: 0, Reduce: 1, Scan: 1, Pointwise: 2}

    for program in programs_of(name):
        assert program.times == sorted(program.times)
        assert [time % 3 for time in program.times] == [turns[type(work)] for work in program.work]


@pytest.mark.parametrize("name", CELLS)
def test_what_is_read_from_memory_is_there_before(name):
    for program in programs_of(name):
        there = dict.fromkeys(program.section.inputs.values(), 0)
        for time, work in zip(program.times, program.work, strict=True):
            for slot, _ in written(work):
                there[slot] = max(there.get(slot, 0), time + 1)

        for time, work in zip(program.times, program.work, strict=True):
            if isinstance(work, Product):
                last = work.offset + work.stride * (work.multiple - 1) + work.inner
                assert there[work.source] <= time
                assert 0 <= work.offset <= last <= program.widths[work.source]
        # loops read what they believe to be ready
        assert program.ready.keys() == program.stored.keys()
        assert all(program.ready[node] >= there[slot] for node, slot in program.stored.items())


@pytest.mark.parametrize("name", CELLS)
def test_loops_of_one_time_and_size_are_one(name):
    for program in programs_of(name):
        timed = zip(program.times, program.work, strict=True)
        loops = [(time, work.domain) for time, work in timed if isinstance(work, Pointwise)]

        assert len(loops) == len(set(loops))


# --- what is written at all


def test_an_lstm_is_one_product_and_one_loop():
    fission = fission_of(LSTMCell(IN, H), num_states=2)
    product, loop = schedule(fission.forward).work

    assert (product.source, product.inner, product.columns) == ("state:0", H, 4 * H)
    assert (product.offset, product.multiple) == (0, 1)
    assert product.bias.name == "bias_hh"
    assert loop.domain == (H,)
    assert len(loop.stores) == 6
    assert schedule(fission.forward).scratch == {product.slot: 4 * H}


def test_the_gradients_of_an_lstms_gates_are_written_side_by_side():
    fission = fission_of(LSTMCell(IN, H), num_states=2)
    loop, product = schedule(fission.backward).work
    places = sorted(store.offset.constant for store in loop.stores if store.slot == product.source)

    assert places == [0, H, 2 * H, 3 * H]
    assert (product.slot, product.inner, product.columns) == ("d_state:0", 4 * H, H)
    assert schedule(fission.backward).scratch == {}


def test_neighbouring_columns_are_multiplied_where_they_lie():
    program = program_of(lambda cell, x, h: torch.tanh(x @ cell.u + h[:, 1:4] @ cell.w[:3]))
    (product,) = (work for work in program.work if isinstance(work, Product))

    assert (product.source, product.offset, product.inner) == ("state:0", 1, 3)
    assert list(program.scratch) == [product.slot]


def test_columns_that_lie_apart_are_gathered_first():
    program = program_of(lambda cell, x, h: torch.tanh(x @ cell.u + h[:, ::2] @ cell.w[:3]))
    gather, product, _ = program.work

    assert isinstance(gather, Pointwise)
    assert (product.source, product.offset, product.inner) == (gather.stores[0].slot, 0, 3)
    assert program.scratch == {product.source: 3, product.slot: H}


def test_a_row_may_be_a_table_whose_rows_are_multiplied():
    def compute(cell, x, h):
        heads = (torch.cat((h, h[:, :1]), 1).view(-1, 3, 2) @ cell.small).reshape(-1, 6)
        return torch.tanh(x @ cell.u + heads[:, :5])

    program = program_of(compute, small=torch.nn.Parameter(torch.randn(2, 2)))
    (product,) = (work for work in program.work if isinstance(work, Product))

    assert (product.multiple, product.inner, product.columns, product.stride) == (3, 2, 2, 2)
    assert program.widths[product.slot] == 6


def test_what_is_costly_and_used_by_two_loops_is_computed_once():
    program = program_of(lambda cell, x, h: h * 0.5 + torch.softmax(x @ cell.u + h, 1))
    stored = [store.node.op for work in program.work for store, _ in stores_of(work)]

    assert stored.count("exp") == 1
    assert [kind for work in program.work if isinstance(work, Reduce) for _, kind, _, _ in work.results] == [
        "amax",
        "sum",
    ]


def test_what_is_cheap_and_used_by_two_loops_is_computed_twice():
    program = program_of(lambda cell, x, h: (h + 1.0) * (h + 1.0).sum(1, keepdim=True) * 0.1)

    stored = [store.node.op for work in program.work for store, _ in stores_of(work)]

    assert stored == ["sum", program.section.targets["new:0"].op]


def test_sums_of_one_axis_at_one_time_share_a_loop():
    program = program_of(lambda cell, x, h: h - h.sum(1, keepdim=True) * 0.1 + (h * h).sum(1, keepdim=True) * 0.1)
    (reduce,) = (work for work in program.work if isinstance(work, Reduce))

    assert len(reduce.results) == 2
    assert (reduce.kept, reduce.reduced) == ((), (H,))


def test_a_running_sum_is_written_to_its_target():
    program = program_of(lambda cell, x, h: torch.cumsum(h + x.sum(1, keepdim=True), 1))
    (scan,) = (work for work in program.work if isinstance(work, Scan))

    assert (scan.domain, scan.length, scan.store.slot) == ((), H, "new:0")


def test_pieces_that_make_a_state_are_written_at_their_places():
    program = program_of(lambda cell, x, h: torch.cat((h[:, 3:], torch.tanh(h[:, :3])), 1))
    places = {(store.offset.constant, math.prod(domain)) for work in program.work for store, domain in stores_of(work)}

    assert places == {(0, 2), (2, 3)}
    assert program.scratch == {}


def test_weights_read_by_loops_are_named_and_those_of_products_are_not():
    program = program_of(lambda cell, x, h: torch.tanh(cell.bias * h + h @ cell.w))

    assert [node.name for node in program.weights] == ["bias"]
    assert [work.matrix.name for work in program.work if isinstance(work, Product)] == ["w"]
