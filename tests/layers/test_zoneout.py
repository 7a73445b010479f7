"""Zoneout: against a plain loop with the same draws, and its probabilities."""

import copy
import pickle

import pytest
import torch

from recurra.cells import ClockworkCell, GRUCell, LRUCell, LSTMCell, QRNNCell, SCRNCell, UnitaryCell
from recurra.errors import ArgumentError, ChoiceError
from recurra.layers import RecurrentDropout, SkipThroughTime, VariationalDropout, Zoneout
from recurra.loop import unroll
from tests.support.same_draws import eager_draws, native_draws

D = torch.float64
X = torch.randn(6, 4, 3, dtype=D)


def lstm():
    torch.manual_seed(2)
    return LSTMCell(3, 5, dtype=D)


def gradients(cell, output, last):
    total = (output * torch.arange(output.numel(), dtype=D).view_as(output)).sum()
    total = total + sum(s.sin().sum() for s in (last if isinstance(last, tuple) else (last,)))
    return torch.autograd.grad(total, list(cell.parameters()))


def plain_loop(cell, p_h, p_c, draws):
    """Zone an LSTM by hand; the kept share of a unit is the draw below p."""
    h = c = torch.zeros(4, 5, dtype=D)
    outputs = []
    for t, x in enumerate(X):
        new_h, new_c = cell(x, (h, c))
        keep_h, keep_c = (draw[t] < p for draw, p in zip(draws, (p_h, p_c), strict=True))
        h, c = torch.where(keep_h, h, new_h), torch.where(keep_c, c, new_c)
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def test_every_engine_gives_what_a_plain_loop_gives_with_the_same_draws():
    cell = Zoneout(lstm(), {"h": 0.3, "c": 0.6})
    draws = [torch.rand(6, 4, 5, dtype=D) for _ in range(2)]
    wanted = plain_loop(cell.cell, 0.3, 0.6, draws)

    with eager_draws(*draws):
        eager = unroll(cell, X, engine="eager")
    with native_draws(*draws):
        native = unroll(cell, X, engine="native")

    torch.testing.assert_close(eager, wanted, rtol=0, atol=0)
    torch.testing.assert_close(native, wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *wanted), rtol=1e-9, atol=1e-11)


def test_p_is_the_probability_of_keeping_the_old_value_and_not_of_the_new_one():
    cell = Zoneout(lstm(), 0.1)
    old = tuple(torch.full((400, 5), 9.0, dtype=D) for _ in range(2))

    h, c = cell(torch.zeros(400, 3, dtype=D), old)

    # 2,000 draws each: the standard deviation of the share is 0.007
    assert float((h == 9).double().mean()) == pytest.approx(0.1, abs=0.03)
    assert float((c == 9).double().mean()) == pytest.approx(0.1, abs=0.03)
    assert not torch.equal(h == 9, c == 9)


def test_evaluation_takes_the_expected_value():
    cell = Zoneout(lstm(), {"h": 0.2, "c": 0.7}).eval()
    old = tuple(torch.randn(4, 5, dtype=D) for _ in range(2))
    new = cell.cell(X[0], old)

    h, c = cell(X[0], old)

    torch.testing.assert_close(h, 0.2 * old[0] + 0.8 * new[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(c, 0.7 * old[1] + 0.3 * new[1], rtol=1e-12, atol=0)


def test_the_new_h_is_made_of_the_unzoned_c():
    cell = Zoneout(lstm(), {"c": 1.0})
    old = tuple(torch.randn(4, 5, dtype=D) for _ in range(2))

    h, c = cell(X[0], old)

    assert torch.equal(c, old[1])
    assert torch.equal(h, cell.cell(X[0], old)[0])


@pytest.mark.parametrize("training", [True, False])
def test_a_probability_of_zero_is_the_plain_cell_and_one_never_changes(training):
    never, always = Zoneout(lstm(), 0.0).train(training), Zoneout(lstm(), 1.0).train(training)
    state = torch.randn(4, 5, dtype=D), torch.randn(4, 5, dtype=D)

    torch.testing.assert_close(unroll(never, X, engine="eager"), unroll(lstm(), X, engine="eager"), rtol=0, atol=0)
    torch.testing.assert_close(unroll(always, X, state, engine="eager")[1], state, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "options",
    [{}, {"lengths": [5, 0, 6, 2]}, {"reverse": True, "lengths": [5, 0, 6, 2]}, {"reset": torch.rand(6, 4) < 0.3}],
)
def test_evaluation_is_the_same_in_both_engines(options):
    cell = Zoneout(lstm(), 0.4).eval()

    eager, native = (unroll(cell, X, engine=engine, **options) for engine in ("eager", "native"))

    torch.testing.assert_close(native, eager, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *eager), rtol=1e-9, atol=1e-11)


def test_a_row_that_has_ended_is_left_alone():
    cell = Zoneout(lstm(), 0.4)
    state = torch.randn(4, 5, dtype=D), torch.randn(4, 5, dtype=D)

    output, last = unroll(cell, X, state, lengths=[6, 0, 3, 1])

    assert torch.equal(last[0][1], state[0][1])
    assert not output[3:, 2].any()
    assert torch.equal(last[0][2], output[2, 2])


def test_torchs_cells_and_foreign_cells_take_one_number():
    class Foreign(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = torch.nn.Linear(8, 5, dtype=D)

        def forward(self, x, h=None):
            return torch.tanh(self.mix(torch.cat((x, x.new_zeros(len(x), 5) if h is None else h), 1)))

    for inner in (torch.nn.GRUCell(3, 5, dtype=D), Foreign()):
        cell = Zoneout(inner, 0.5).eval()
        h = torch.zeros(4, 5, dtype=D)
        wanted = []
        for x in X:
            h = 0.5 * h + 0.5 * inner(x, h)
            wanted.append(h)

        output, last = unroll(cell, X, engine="eager")

        torch.testing.assert_close(output, torch.stack(wanted), rtol=1e-12, atol=0)
        torch.testing.assert_close(last, h, rtol=1e-12, atol=0)
        with pytest.raises(ArgumentError, match=f"p to be one number, as {type(inner).__name__} does not name its"):
            Zoneout(inner, {"h": 0.5})


# --- what is kept, and what is made of it


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("wrap", [lambda cell: cell, lambda cell: VariationalDropout(cell, 0.0)])
def test_one_number_keeps_memories_and_no_clock(training, wrap):
    cell = Zoneout(wrap(ClockworkCell(3, 5, dtype=D)), 0.6).train(training)

    _, (h, t) = unroll(cell, X, engine="eager")

    assert torch.equal(t, torch.full((4, 1), 6.0, dtype=D))
    assert not torch.equal(h, unroll(cell.cell, X, engine="eager")[1][0])


def test_names_may_be_those_of_any_state():
    cell = Zoneout(ClockworkCell(3, 5, dtype=D), {"t": 1.0})

    _, (_, t) = unroll(cell, X, engine="eager")

    assert not t.any()


def test_skipped_outputs_count_as_memories_where_the_cell_names_some():
    skipping = SkipThroughTime(ClockworkCell(3 + 5, 5, dtype=D), 2)
    cell = Zoneout(skipping, 1.0)

    _, (h, t, skip) = unroll(cell, X, engine="eager")

    assert skipping.memories == ("h", "skip")
    assert SkipThroughTime(GRUCell(3 + 5, 5), 2).memories is None
    assert not h.any()
    assert not skip.any()
    assert (t == 6).all()


@pytest.mark.parametrize("kind", [SCRNCell, UnitaryCell])
def test_an_output_made_of_the_states_is_made_of_the_zoned_ones(kind):
    cell = Zoneout(kind(3, 5, dtype=D), 0.5).eval()
    plain = cell.cell
    old = tuple(torch.randn(4, width, dtype=D) for width in plain.state_size)
    _, new = plain(X[0], old)

    output, zoned = cell(X[0], old)

    torch.testing.assert_close(zoned, tuple((a + b) / 2 for a, b in zip(old, new, strict=True)), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(output, torch.cat(zoned, 1), rtol=0, atol=0)


def test_an_output_is_made_anew_through_wrappers():
    inner = SCRNCell(3 + 7, 5, dtype=D)

    output, (h, s, _) = Zoneout(SkipThroughTime(Zoneout(inner, 0.2), 2), 0.5).eval()(X[0])

    torch.testing.assert_close(output, torch.cat((h, s), 1), rtol=0, atol=0)


def test_any_other_output_is_that_before_zoneout():
    cell = Zoneout(LRUCell(3, 5, dtype=D), 0.5).eval()
    old = tuple(torch.randn(4, 5, dtype=D) for _ in range(2))

    output, _ = cell(X[0], old)

    assert torch.equal(output, cell.cell(X[0], old)[0])


@pytest.mark.parametrize("p", [0.5, {"c": 0.5}, {"c": 0.2, "p": 0.4}])
@pytest.mark.parametrize("options", [{}, {"lengths": [5, 0, 6, 2], "reverse": True, "reset": torch.rand(6, 4) < 0.3}])
def test_windows_of_inputs_are_what_the_kept_states_say(p, options):
    torch.manual_seed(2)
    cell = Zoneout(QRNNCell(3, 5, dtype=D), p).eval()
    inner = cell.cell
    wanted = unroll(Stepwise(cell), X, engine="eager", **options)

    for engine in ("eager", "native"):
        torch.testing.assert_close(unroll(cell, X, engine=engine, **options), wanted, rtol=1e-10, atol=1e-12)
    if p == 0.5:
        assert torch.equal(wanted[1][1], unroll(inner, X, engine="eager", **options)[1][1])


@pytest.mark.parametrize(("p", "count"), [(0.5, 1), ({"c": 0.5}, 1), ({"c": 0.5, "p": 0.0}, 1), ({"p": 0.5}, 0)])
def test_windows_are_made_ahead_where_past_inputs_stay(p, count):
    assert len(Zoneout(QRNNCell(3, 5, dtype=D), p).sequence_inputs((X,))) == count


class Stepwise(torch.nn.Module):
    """Gives each step the bare input, whatever the cell would be given ahead."""

    returns_output = True

    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.initial_state = cell.initial_state

    def forward(self, x, state):
        return self.cell(x, state)


def test_it_nests_copies_and_pickles():
    cell = Zoneout(RecurrentDropout(lstm(), 0.3), 0.2)

    for twin in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        results = []
        for one in (cell, twin):
            torch.manual_seed(5)
            results.append(unroll(one, X))
        torch.testing.assert_close(*results, rtol=0, atol=0)
    assert list(cell.state_dict()) == [f"cell.cell.{name}" for name in lstm().state_dict()]
    assert cell.states == ("h", "c")
    assert cell.state_size == (5, 5)
    torch.testing.assert_close(unroll(cell.eval(), X), unroll(Zoneout(lstm(), 0.2).eval(), X), rtol=0, atol=0)


def test_an_unbatched_step_is_a_batch_of_one():
    cell = Zoneout(GRUCell(3, 5, dtype=D), 0.5).eval()

    state = torch.ones(4, 5, dtype=D)
    torch.testing.assert_close(cell(X[0, 0]), cell(X[0])[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(cell(X[0, 0], state[0]), cell(X[0], state)[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("p", "kind", "message"),
    [
        (1.5, ArgumentError, "Zoneout expected p to be a number of at least 0 and of at most 1, got 1.5"),
        ({"c": -1}, ArgumentError, r"Zoneout expected p\['c'\] to be a number of at least 0 and .* got -1"),
        ({"d": 0.1}, ChoiceError, "state of LSTMCell in p of Zoneout to be one of h, c; got 'd'"),
    ],
)
def test_wrong_probabilities_are_errors(p, kind, message):
    with pytest.raises(kind, match=message):
        Zoneout(lstm(), p)


def test_a_class_instead_of_a_cell_is_an_error():
    with pytest.raises(ArgumentError, match=r"Zoneout expected cell to be a torch.nn.Module, got 'lstm'") as caught:
        Zoneout("lstm", 0.1)
    assert caught.value.hint == "build the cell first: Zoneout(GRUCell(3, 4), 0.1)"
