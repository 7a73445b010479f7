"""The contract of unroll, for cells of every origin."""

import itertools
import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import parametrizations, parametrize

import recurra.loop
from recurra.cells import Cell, ElmanCell, GRUCell, LSTMCell, ProjectedLSTMCell
from recurra.loop import unroll

D = torch.float64


class ThreeStates(torch.nn.Module):
    """Three states of different widths, the output is the first; written without Recurra."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.widths = (hidden_size, 2, 1)
        self.mix = torch.nn.Linear(input_size + hidden_size + 3, hidden_size + 3).double()

    def forward(self, x, state=None):
        if state is None:
            state = tuple(x.new_zeros(len(x), width) for width in self.widths)
        return tuple(torch.tanh(self.mix(torch.cat((x, *state), 1))).split(self.widths, 1))


class WithOutput(torch.nn.Module):
    """The output is no state: it has another width."""

    returns_output = True

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = torch.nn.GRUCell(input_size, hidden_size).double()
        self.head = torch.nn.Linear(hidden_size, 7).double()

    def forward(self, x, state=None):
        state = self.cell(x, state)
        return self.head(state), state


class Timed(torch.nn.Module):
    """A step takes the input and its duration."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = torch.nn.RNNCell(input_size, hidden_size).double()

    def forward(self, x, state=None):
        x, duration = x
        state = x.new_zeros(len(x), self.cell.hidden_size) if state is None else state
        return state + duration * self.cell(x, state)


KINDS = [
    ElmanCell,
    GRUCell,
    LSTMCell,
    ProjectedLSTMCell,
    torch.nn.RNNCell,
    torch.nn.GRUCell,
    torch.nn.LSTMCell,
    ThreeStates,
    WithOutput,
    Timed,
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.split('.')[0]}-{kind.__name__}")


def build(kind):
    torch.manual_seed(5)
    return kind(3, 4).double()


def inputs(kind, time=6, batch=4):
    x = torch.randn(time, batch, 3, dtype=D)
    return (x, torch.rand(time, batch, 1, dtype=D)) if kind is Timed else x


def at(x, *index):
    return tuple(a[index] for a in x) if isinstance(x, tuple) else x[index]


def tensors(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def like(state, parts):
    return parts[0] if isinstance(state, torch.Tensor) else tuple(parts)


def step(cell, x, state):
    result = cell(x, state)
    if getattr(cell, "returns_output", False):
        return result
    return tensors(result)[0], result


def reference(cell, x, state, start, *, lengths, reset, reverse):
    """Every row by itself, in plain Python: another program than the loop, without any masking."""
    time, batch = tensors(x)[0].shape[:2]
    outputs, lasts = [], []
    for row in range(batch):
        one = like(state, [s[row : row + 1] for s in tensors(state)])
        first = like(state, [s[row : row + 1] for s in tensors(start)])
        places, found = range(lengths[row]), {}
        for t in reversed(places) if reverse else places:
            if reset is not None and reset[t, row]:
                one = first
            found[t], one = step(cell, at(x, t, slice(row, row + 1)), one)
        outputs.append(found)
        lasts.append(one)
    width = next(o.shape[1] for found in outputs for o in found.values())
    zeros = torch.zeros(1, width, dtype=D)
    table = torch.stack([torch.cat([found.get(t, zeros) for found in outputs]) for t in range(time)])
    return table, like(state, [torch.cat(column) for column in zip(*map(tensors, lasts), strict=True)])


def check_against_reference(kind, lengths, reset, reverse, with_state, with_initial, engine="eager"):
    cell, x = build(kind), inputs(kind)
    widths = [s.shape[1] for s in tensors(unroll(cell, at(x, slice(0, 1)))[1])]
    form = unroll(cell, at(x, slice(0, 1)))[1]
    leaves = {}

    def state_of(name, wanted):
        parts = [torch.randn(4, width, dtype=D) if wanted else torch.zeros(4, width, dtype=D) for width in widths]
        leaves[name] = [part.requires_grad_(wanted) for part in parts]
        return like(form, parts)

    state, initial = state_of("state", with_state), state_of("initial", with_initial)
    entering = state if with_state else initial
    leaves["x"] = [a.requires_grad_() for a in tensors(x)]
    leaves["weights"] = list(cell.parameters())

    output, last = unroll(
        cell,
        x,
        state if with_state else None,
        lengths=lengths,
        reset=reset,
        reverse=reverse,
        engine=engine,
        initial_state=initial if with_initial else None,
    )
    rows = [6] * 4 if lengths is None else [int(n) for n in lengths]
    wanted, wanted_last = reference(cell, x, entering, initial, lengths=rows, reset=reset, reverse=reverse)

    torch.testing.assert_close(output, wanted, rtol=1e-11, atol=1e-13)
    assert isinstance(last, torch.Tensor) == isinstance(form, torch.Tensor)
    torch.testing.assert_close(tensors(last), tensors(wanted_last), rtol=1e-11, atol=1e-13)
    needed = [leaf for group in leaves.values() for leaf in group if leaf.requires_grad]
    weigh = torch.linspace(0.5, 1.5, output.shape[-1], dtype=D)

    def gradients(output, last):
        total = (output.sin() * weigh).sum() + sum((s.cos() * (k + 1)).sum() for k, s in enumerate(tensors(last)))
        return torch.autograd.grad(total, needed, allow_unused=True, materialize_grads=True)

    for found, expected in zip(gradients(output, last), gradients(wanted, wanted_last), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@kinds
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [6, 2, 0, 4], [3, 3, 3, 3]], ids=["full", "ragged", "equal"])
@pytest.mark.parametrize("resets", [False, True])
def test_every_row_equals_a_loop_over_its_own_steps(kind, reverse, lengths, resets):
    torch.manual_seed(2)
    reset = torch.rand(6, 4) < 0.4 if resets else None

    for with_state, with_initial in itertools.product((False, True), repeat=2):
        check_against_reference(kind, lengths, reset, reverse, with_state, with_initial)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    lengths=st.none() | st.lists(st.integers(0, 6), min_size=4, max_size=4).filter(any),
    resets=st.none() | st.lists(st.booleans(), min_size=24, max_size=24),
    reverse=st.booleans(),
    with_state=st.booleans(),
    with_initial=st.booleans(),
)
def test_any_lengths_and_resets_equal_a_loop_over_each_row(kind, lengths, resets, reverse, with_state, with_initial):
    reset = None if resets is None else torch.tensor(resets).view(6, 4)

    check_against_reference(kind, lengths, reset, reverse, with_state, with_initial, engine="auto")


@kinds
@pytest.mark.parametrize("lengths", [None, [0, 0, 0, 0]])
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_without_a_step_the_state_stays_and_the_output_is_zero(kind, lengths, engine):
    cell = build(kind)
    x = inputs(kind, time=0 if lengths is None else 5)
    width = 7 if kind is WithOutput else unroll(cell, inputs(kind))[0].shape[-1]
    start = unroll(cell, inputs(kind))[1]
    reset = torch.ones(tensors(x)[0].shape[:2], dtype=torch.bool)

    output, last = unroll(cell, x, start, lengths=lengths, reset=reset, engine=engine)
    _, zeros = unroll(cell, x, lengths=lengths, engine=engine)

    assert output.shape == (tensors(x)[0].shape[0], 4, width)
    assert not output.any()
    torch.testing.assert_close(last, start, rtol=0, atol=0)
    assert not any(s.any() for s in tensors(zeros))
    assert [s.shape for s in tensors(zeros)] == [s.shape for s in tensors(start)]


@kinds
@pytest.mark.parametrize("batch", [0, 1])
def test_a_batch_of_one_or_none_keeps_its_axis(kind, batch):
    cell, x = build(kind), inputs(kind, batch=batch)

    output, last = unroll(cell, x)

    assert output.shape[:2] == (6, batch)
    assert all(s.shape[0] == batch for s in tensors(last))


@kinds
def test_a_reset_at_the_first_step_forgets_the_state_given(kind):
    cell, x = build(kind), inputs(kind)
    state = unroll(cell, inputs(kind))[1]
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[0] = True

    output, _ = unroll(cell, x, state, reset=reset)

    torch.testing.assert_close(output, unroll(cell, x)[0], rtol=1e-12, atol=1e-14)


def test_a_reset_stops_nan_in_the_state_and_its_gradient():
    cell, x = build(LSTMCell), inputs(LSTMCell)
    state = tuple(torch.full((4, 4), math.nan, dtype=D, requires_grad=True) for _ in range(2))
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[0] = True

    output, last = unroll(cell, x, state, reset=reset)
    (output.sum() + last[1].sum()).backward()

    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in cell.parameters())
    assert not any(s.grad.any() for s in state)


def test_a_reset_behind_the_padding_does_not_touch_the_last_state():
    cell, x = build(GRUCell), inputs(GRUCell)
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[3:] = True

    _, last = unroll(cell, x, lengths=[3, 2, 1, 0], reset=reset)

    torch.testing.assert_close(last, unroll(cell, x, lengths=[3, 2, 1, 0])[1], rtol=1e-12, atol=1e-14)


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 1)

    def forward(self, x, h):
        self.calls += 1
        return h + x


def test_only_as_many_steps_run_as_the_longest_row_has():
    cell = Counter()

    output, last = unroll(cell, torch.ones(100, 3, 1), lengths=[4, 7, 0], engine="eager")

    assert cell.calls == 7
    assert output.shape == (100, 3, 1)
    assert last.flatten().tolist() == [4, 7, 0]


def test_no_step_runs_beside_those_of_the_sequence():
    cell = Counter()

    unroll(cell, torch.ones(5, 2, 1), reset=torch.ones(5, 2, dtype=torch.bool), engine="eager")

    assert cell.calls == 5


def test_outputs_of_a_reversed_pass_stay_at_their_inputs():
    output, last = unroll(Counter(), torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1), reverse=True, engine="eager")

    assert output.flatten().tolist() == [111, 110, 100]
    assert last.item() == 111


def test_integer_inputs_are_masked_too():
    class Embedded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(5, 4)
            self.cell = torch.nn.GRUCell(4, 3)

        def forward(self, x, h=None):
            return self.cell(self.table(x[:, 0]), h)

    # 99 is no row of the table: reading it would be an error
    x = torch.tensor([[1, 2], [3, 99]]).unsqueeze(-1)
    output, _ = unroll(Embedded(), x, lengths=[2, 1])

    assert output.shape == (2, 2, 3)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
def test_lengths_of_any_integer_type_count(kind):
    cell, x = build(GRUCell), inputs(GRUCell)

    wanted, _ = unroll(cell, x, lengths=[6, 2, 0, 4])
    output, _ = unroll(cell, x, lengths=torch.tensor([6, 2, 0, 4], dtype=kind))

    assert torch.equal(output, wanted)


class Counted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, weight):
        self.calls += 1
        return 2 * weight

    def right_inverse(self, weight):
        return weight / 2


@pytest.mark.parametrize("engine", ["eager", "torch"])
def test_a_parametrised_weight_is_evaluated_once_a_call(engine):
    cell, x = build(GRUCell), inputs(GRUCell)
    wanted, _ = unroll(cell, x)
    rule = Counted()
    parametrize.register_parametrization(cell, "weight_hh", rule)
    rule.calls = 0

    output, _ = unroll(cell, x, engine=engine)

    assert rule.calls == 1
    torch.testing.assert_close(output, wanted)
    output.sum().backward()
    assert cell.parametrizations.weight_hh.original.grad.any()


@pytest.mark.parametrize("engine", ["eager", "torch"])
def test_weight_norm_trains_under_every_engine(engine):
    cell, x = build(LSTMCell), inputs(LSTMCell)
    parametrizations.weight_norm(cell, "weight_hh")

    unroll(cell, x, engine=engine)[0].sum().backward()

    assert cell.parametrizations.weight_hh.original0.grad.any()
    assert cell.parametrizations.weight_hh.original1.grad.any()


def test_the_state_may_be_a_list():
    cell, x = build(LSTMCell), inputs(LSTMCell)
    state = [torch.ones(4, 4, dtype=D), torch.ones(4, 4, dtype=D)]

    torch.testing.assert_close(unroll(cell, x, state)[0], unroll(cell, x, tuple(state))[0], rtol=0, atol=0)


def test_a_cell_of_recurra_may_return_an_output_of_its_own():
    class Read(Cell):
        states = ("h",)
        gates = ("h",)
        returns_output = True

        @property
        def output_size(self):
            return 2 * self.hidden_size

        def forward(self, x, h):
            (xh,), (hh,) = self.from_input(x), self.from_state(h)
            h = torch.tanh(xh + hh)
            return torch.cat((h, -h), -1), h

    cell, x = build(Read), inputs(Read)

    output, last = unroll(cell, x, lengths=[6, 2, 0, 4])

    assert output.shape == (6, 4, 8)
    assert torch.equal(output[..., :4], -output[..., 4:])
    torch.testing.assert_close(output[5, 0, :4], last[0])
    assert unroll(cell, x[:0])[0].shape == (0, 4, 8)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, in its forward-mode rules
def test_vmap_and_jvp_go_through():
    cell, x = build(GRUCell), inputs(GRUCell)

    many = torch.func.vmap(lambda x: unroll(cell, x)[0])(torch.stack((x, 2 * x)))
    torch.testing.assert_close(many[1], unroll(cell, 2 * x)[0])
    value, slope = torch.func.jvp(lambda x: unroll(cell, x)[0], (x,), (torch.ones_like(x),))
    _, wanted = torch.autograd.functional.jvp(lambda x: unroll(cell, x)[0], x, torch.ones_like(x))
    torch.testing.assert_close(value, unroll(cell, x)[0])
    torch.testing.assert_close(slope, wanted)


def test_the_public_names_are_exact():
    public = {name for name in vars(recurra.loop) if not name.startswith("_")}
    modules = {name for name in public if isinstance(vars(recurra.loop)[name], type(sys))}

    assert set(recurra.loop.__all__) == (public - modules - {"annotations"}) | {"unroll"}
    assert callable(unroll)
