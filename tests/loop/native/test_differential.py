"""The test of record: random cells, random calls, float64; outputs, states and all gradients equal those of eager."""

import contextlib
import copy
import itertools
import os
from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, D, Run, as_tuple, assert_same, loss_of, run
from tests.support.random_cells import ALL_RULES, Program, programs

FAST_CELLS = 60
DEEP_CELLS = int(os.environ.get("RECURRA_DEEP_CELLS", "2000"))
OPTIONS = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


@dataclass(frozen=True)
class Call:
    """How a cell is run; ``frozen`` holds which leaves want no gradient, by their place among all."""

    seed: int
    num_steps: int
    batch_size: int
    lengths: tuple[int, ...] | None
    resets: tuple[bool, ...] | None
    reverse: bool
    has_state: bool
    has_initial: bool
    frozen: tuple[int, ...]
    mode: str
    used: str
    is_strided: bool


@st.composite
def calls(draw) -> Call:
    num_steps, batch_size = draw(st.integers(0, 6)), draw(st.integers(1, 7))
    rows = st.lists(st.integers(0, num_steps), min_size=batch_size, max_size=batch_size).map(tuple)
    flags = st.lists(st.booleans(), min_size=num_steps * batch_size, max_size=num_steps * batch_size).map(tuple)
    return Call(
        seed=draw(st.integers(0, 99)),
        num_steps=num_steps,
        batch_size=batch_size,
        lengths=draw(st.none() | rows),
        resets=draw(st.none() | flags),
        reverse=draw(st.booleans()),
        has_state=draw(st.booleans()),
        has_initial=draw(st.booleans()),
        frozen=draw(st.just(()) | st.lists(st.integers(0, 12), max_size=8).map(tuple)),
        mode=draw(st.sampled_from(("grad", "grad", "grad", "grad", "no_grad", "inference"))),
        used=draw(st.sampled_from(("all", "all", "output", "last"))),
        is_strided=draw(st.booleans()),
    )


LOSSES = {
    "all": loss_of,
    "output": lambda output, last: loss_of(output, ()),
    "last": lambda output, last: loss_of(as_tuple(last)[-1], as_tuple(last)[:1]),
}
MODES = {"grad": contextlib.nullcontext, "no_grad": torch.no_grad, "inference": torch.inference_mode}


def build_inputs(program: Program, call: Call):
    """Return x, the state and the initial state, all (·, B, ·) and reproducible."""
    torch.manual_seed(call.seed)
    shape = (call.num_steps, call.batch_size)
    x = [torch.randn(*shape, width, dtype=D) for width in program.input_sizes]
    if call.is_strided:
        x = [tensor.permute(2, 1, 0).contiguous().permute(2, 1, 0) for tensor in x]
    state, initial = ([torch.randn(call.batch_size, n, dtype=D) / 2 for n in program.state_sizes] for _ in range(2))
    return x, state if call.has_state else None, initial if call.has_initial else None


def perform(program: Program, call: Call, cell, tensors, engine: str) -> Run:
    x, state, initial = tensors
    reset = (
        None
        if call.resets is None
        else torch.tensor(call.resets, dtype=torch.bool).view(call.num_steps, call.batch_size)
    )

    def form(parts):
        return None if parts is None else parts[0] if len(parts) == 1 else tuple(parts)

    with MODES[call.mode]():
        return run(
            cell,
            tuple(x) if program.is_tuple else x[0],
            form(state),
            engine=engine,
            loss=LOSSES[call.used],
            lengths=call.lengths,
            reset=reset,
            reverse=call.reverse,
            initial_state=form(initial),
        )


def nudged(cell, tensors):
    """Return copies in which every number is off by about one unit in the last place."""
    twin = copy.deepcopy(cell)

    def nudge(tensor):
        moved = tensor.detach() * (1 + 2.3e-16 * torch.randn_like(tensor))
        return moved.requires_grad_(tensor.requires_grad)

    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.copy_(nudge(parameter))
    return twin, [None if group is None else [nudge(t) for t in group] for group in tensors]


def check(program: Program, call: Call) -> None:
    note(f"{program.source}\n{call}")
    cell, tensors = program.build(call.seed), build_inputs(program, call)
    leaves = [*cell.parameters(), *(tensor for group in tensors if group is not None for tensor in group)]
    for k, leaf in enumerate(leaves):
        leaf.requires_grad_(k not in call.frozen)

    wanted = perform(program, call, cell, tensors, "eager")
    slack = perform(program, call, *nudged(cell, tensors), "eager")
    found = perform(program, call, cell, tensors, ENGINE)

    assert_same(found, wanted, slack=slack)


@settings(max_examples=FAST_CELLS, derandomize=True, **OPTIONS)
@given(program=programs(), call=calls())
def test_random_cells_equal_eager_in_values_and_all_gradients(program, call):
    check(program, call)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_thousands_of_random_cells_equal_eager(capsys):
    rules, sources = Counter(), set()

    @settings(max_examples=250, **OPTIONS)
    @given(program=programs(), call=calls())
    def check_one(program, call):
        check(program, call)
        if program.source not in sources:
            sources.add(program.source)
            rules.update(set(program.rules))

    # Hypothesis runs some cells again with another call: rounds go on until enough different ones have run
    rounds = itertools.count()
    while len(sources) < DEEP_CELLS:
        seed(next(rounds))(check_one)()

    with capsys.disabled():
        print(f"\n{len(sources)} different random cells equal eager; the rarest rules: {rules.most_common()[:-6:-1]}")


def test_random_cells_use_every_operation_that_is_to_be_supported():
    seen = set()

    @settings(max_examples=1000, derandomize=True, **OPTIONS)
    @given(program=programs())
    def write(program):
        program.build()
        seen.update(program.rules)

    write()
    assert not ALL_RULES - seen


@settings(max_examples=8, derandomize=True, **OPTIONS)
@given(program=programs())
def test_random_cells_treat_each_row_for_itself_to_the_last_bit(program):
    note(program.source)
    cell = program.build()
    torch.manual_seed(3)
    x = tuple(torch.randn(4, 9, width, dtype=D) for width in program.input_sizes)
    state = tuple(torch.randn(9, width, dtype=D) / 2 for width in program.state_sizes)

    def outcome(rows):
        ours = tuple(tensor[:, rows].clone().requires_grad_() for tensor in x)
        start = tuple(tensor[rows].clone().requires_grad_() for tensor in state)
        output, last = unroll(
            cell, ours if program.is_tuple else ours[0], start if len(start) > 1 else start[0], engine=ENGINE
        )
        total = output.sum() + sum(s.sin().sum() for s in as_tuple(last))
        gradients = torch.autograd.grad(total, (*ours, *start), allow_unused=True, materialize_grads=True)
        return [output[:, 0], *(s[0] for s in as_tuple(last)), *(g.select(-2, 0) for g in gradients)]

    for alone, among in zip(outcome([5]), outcome([5, 0, 1, 2, 3, 4, 6, 7, 8]), strict=True):
        assert torch.equal(alone, among)
