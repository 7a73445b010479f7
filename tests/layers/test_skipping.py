"""Connections that skip time steps: against a plain loop, and cut into pieces."""

import pytest
import torch

from recurra.cells import GRUCell, LSTMCell
from recurra.errors import ArgumentError, ShapeError
from recurra.layers import SkipThroughTime, VariationalDropout, Zoneout
from recurra.loop import unroll
from tests.layers.test_zoneout import D, X, gradients


def build(distance=2, kind=LSTMCell):
    torch.manual_seed(1)
    return SkipThroughTime(kind(3 + 5, 5, dtype=D), distance)


def plain_loop(cell, distance):
    state = tuple(torch.zeros(4, 5, dtype=D) for _ in range(2))
    outputs = []
    for t, x in enumerate(X):
        earlier = outputs[t - distance] if t >= distance else torch.zeros(4, 5, dtype=D)
        state = cell(torch.cat((x, earlier), 1), state)
        outputs.append(state[0])
    return torch.stack(outputs), state


@pytest.mark.parametrize("distance", [1, 2, 4])
def test_it_reads_the_output_of_so_many_steps_ago(distance):
    cell = build(distance)
    wanted, (h, c) = plain_loop(cell.cell, distance)

    eager, last = unroll(cell, X, engine="eager")

    torch.testing.assert_close(eager, wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(last[:2], (h, c), rtol=1e-12, atol=1e-14)
    newest_first = torch.cat([wanted[5 - k] for k in range(distance)], 1)
    torch.testing.assert_close(last[2], newest_first, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"lengths": [5, 0, 6, 2], "reverse": True}, {"reset": torch.rand(6, 4) < 0.3}])
def test_compiled_code_equals_the_plain_loop(options):
    cell = build()

    eager, native = (unroll(cell, X, engine=engine, **options) for engine in ("eager", "native"))

    torch.testing.assert_close(native, eager, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *eager), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_sequence_may_be_cut_and_its_state_carried(cut):
    cell = build(3)
    wanted, wanted_last = unroll(cell, X, engine="eager")

    first, state = unroll(cell, X[:cut], engine="eager")
    second, last = unroll(cell, X[cut:], state, engine="eager")

    torch.testing.assert_close(torch.cat((first, second)), wanted, rtol=0, atol=0)
    torch.testing.assert_close(last, wanted_last, rtol=0, atol=0)


@pytest.mark.parametrize("kind", [GRUCell, torch.nn.GRUCell, torch.nn.LSTMCell])
def test_it_says_its_widths_and_states(kind):
    cell = build(3, kind)
    is_lstm = kind is torch.nn.LSTMCell

    assert cell.input_size == 3
    assert cell.output_size == 5
    assert cell.state_size == ((5, 5, 15) if is_lstm else (5, 15))
    assert getattr(cell, "states", None) == (("h", "skip") if kind is GRUCell else None)
    assert [s.shape[1] for s in unroll(cell, X)[1]] == list(cell.state_size)


def test_masks_of_the_cells_inside_reach_them():
    cell = SkipThroughTime(Zoneout(VariationalDropout(GRUCell(8, 5, dtype=D), 0.4), 0.2), 2)

    torch.manual_seed(3)
    first, _ = unroll(cell, X, engine="eager")
    torch.manual_seed(3)
    again, _ = unroll(cell, X, engine="eager")

    assert torch.equal(first, again)
    torch.testing.assert_close(
        unroll(cell.eval(), X, engine="native"), unroll(cell, X, engine="eager"), rtol=1e-10, atol=1e-12
    )


def test_wrong_cells_and_inputs_are_errors():
    with pytest.raises(ShapeError, match=r"shape \(time, batch, input_size=3\) for SkipThroughTime of LSTMCell, got"):
        unroll(build(), X[..., :2])
    with pytest.raises(
        ArgumentError, match=r"expected GRUCell to have an input_size above its output_size=5, .* got 5"
    ):
        SkipThroughTime(GRUCell(5, 5), 2)
    with pytest.raises(ArgumentError, match="SkipThroughTime expected distance to be an integer of at least 1, got 0"):
        build(0)
    with pytest.raises(ArgumentError, match="SkipThroughTime expected Identity to have an input_size, got None"):
        SkipThroughTime(torch.nn.Identity(), 2)


class Told(GRUCell):
    """Keeps how it is told to be run."""

    def sequence_inputs(self, x, call):
        self.call = call
        return ()


def test_the_inner_cell_is_told_its_own_states_and_that_its_inputs_come_later():
    cell = build(2, Told)
    state, initial = ((torch.rand(4, 5, dtype=D), torch.rand(4, 10, dtype=D)) for _ in range(2))
    reset = torch.rand(6, 4) < 0.3

    unroll(cell, X, state, reset=reset, initial_state=initial, engine="eager")

    call = cell.cell.call
    assert torch.equal(call.state, state[0])
    assert torch.equal(call.initial, initial[0])
    assert torch.equal(call.reset, reset)
    assert not call.is_plain
