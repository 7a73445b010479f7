"""Every message that unroll gives, and what a cell must tell of its initial state."""

import pytest
import torch

from recurra.cells import GRUCell, LSTMCell
from recurra.errors import ChoiceError, ShapeError, UnsupportedCellError
from recurra.loop import find_layout, unroll

X = torch.randn(5, 2, 3)
B = torch.bool


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[0], r"unroll expected x of shape \(time, batch, input_size\), got \(2, 3\)"),
        (X[None], r"unroll expected x of shape \(time, batch, input_size\), got \(1, 5, 2, 3\)"),
        (X[..., :2], r"unroll expected x of shape \(time, batch, input_size=3\) for GRUCell, got \(5, 2, 2\)"),
        ([X], "unroll expected x to be a tensor, got list"),
        ((), "unroll expected x to be a tensor or a tuple of tensors, got an empty tuple"),
        ((X, 3), r"unroll expected x\[1\] to be a tensor, got int"),
        ((X, X[0]), r"unroll expected x\[1\] of shape \(time, batch, input_size\), got \(2, 3\)"),
        ((X, X[:4]), r"unroll expected x\[1\] to have the time and batch of x\[0\], \(5, 2\), got \(4, 2, 3\)"),
        (
            (X[..., :2], X),
            r"unroll expected x\[0\] of shape \(time, batch, input_size=3\) for GRUCell, got \(5, 2, 2\)",
        ),
    ],
)
def test_an_input_of_another_form_is_an_error(x, message):
    with pytest.raises(ShapeError, match=message):
        unroll(GRUCell(3, 4), x)


def test_a_single_sequence_gets_a_hint():
    with pytest.raises(ShapeError) as caught:
        unroll(GRUCell(3, 4), X[:, 0])

    assert caught.value.hint == "a single sequence (T, I) needs a batch axis: x.unsqueeze(1)"


def test_the_width_of_torchs_cells_is_checked_too():
    with pytest.raises(ShapeError, match=r"input_size=3.* for LSTMCell"):
        unroll(torch.nn.LSTMCell(3, 4), X[..., :2])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([1, 2, 3]), r"unroll expected lengths of shape \(batch=2,\), got \(3,\)"),
        (torch.tensor([[1, 2]]), r"unroll expected lengths of shape \(batch=2,\), got \(1, 2\)"),
        (3, r"unroll expected lengths of shape \(batch=2,\), got \(\)"),
        (torch.tensor([1.0, 2.0]), "unroll expected lengths to be integers, got torch.float32"),
        (torch.tensor([True, False]), "unroll expected lengths to be integers, got torch.bool"),
        ([1, 6], "unroll expected lengths in 0 to 5, the time of x, got 1 to 6"),
        ([-1, 5], "unroll expected lengths in 0 to 5, the time of x, got -1 to 5"),
        (["a", "b"], r"unroll expected lengths to be integers of shape \(batch,\), got \['a', 'b'\]"),
    ],
)
def test_lengths_of_another_form_are_an_error(lengths, message):
    with pytest.raises(ShapeError, match=message):
        unroll(GRUCell(3, 4), X, lengths=lengths)


@pytest.mark.parametrize(
    ("reset", "message"),
    [
        (torch.zeros(5, 2), "unroll expected reset to be a bool tensor, got torch.float32"),
        ([[True]], "unroll expected reset to be a bool tensor, got list"),
        (torch.zeros(2, 5, dtype=B), r"unroll expected reset of shape \(time, batch\), here \(5, 2\), got \(2, 5\)"),
        (torch.zeros(5, dtype=B), r"unroll expected reset of shape \(time, batch\), here \(5, 2\), got \(5,\)"),
    ],
)
def test_a_reset_of_another_form_is_an_error(reset, message):
    with pytest.raises(ShapeError, match=message):
        unroll(GRUCell(3, 4), X, reset=reset)


def test_a_reset_is_checked_against_the_whole_time_also_with_lengths():
    with pytest.raises(ShapeError, match=r"here \(5, 2\), got \(3, 2\)"):
        unroll(GRUCell(3, 4), X, lengths=[3, 3], reset=torch.zeros(3, 2, dtype=B))


@pytest.mark.parametrize("name", ["state", "initial_state"])
@pytest.mark.parametrize(
    ("cell", "state", "message"),
    [
        (GRUCell, torch.zeros(2, 5), r"of GRUCell to be of shape \(2, 4\), got \(2, 5\)"),
        (GRUCell, torch.zeros(1, 4), r"of GRUCell to be of shape \(2, 4\), got \(1, 4\)"),
        (GRUCell, torch.zeros(4), r"of GRUCell to be of shape \(2, 4\), got \(4,\)"),
        (GRUCell, (torch.zeros(2, 4),), "of GRUCell to be a tensor, got 1 value"),
        (GRUCell, 0, "of GRUCell to be a tensor or a tuple of tensors, got int"),
        (LSTMCell, torch.zeros(2, 4), r"of LSTMCell to be a tuple of tensors, got a tensor of shape \(2, 4\)"),
        (LSTMCell, (torch.zeros(2, 4),), "of LSTMCell to have 2 tensors, got 1"),
        (LSTMCell, (), "of LSTMCell to be a tensor or a tuple of tensors, got 0 values"),
        (LSTMCell, (torch.zeros(2, 4), torch.zeros(2, 3)), r"of LSTMCell\[1\] to be of shape \(2, 4\), got \(2, 3\)"),
        (torch.nn.LSTMCell, (torch.zeros(2, 4),) * 3, "of LSTMCell to have 2 tensors, got 3"),
    ],
)
def test_a_state_of_another_form_is_an_error(name, cell, state, message):
    with pytest.raises(ShapeError, match=f"unroll expected {name} {message}"):
        unroll(cell(3, 4), X, **{name: state})


def test_an_unknown_engine_is_an_error():
    with pytest.raises(ChoiceError) as caught:
        unroll(GRUCell(3, 4), X, engine="eagre")

    assert str(caught.value) == (
        "expected engine of unroll to be one of auto, native, eager, torch; got 'eagre'\nhint: did you mean 'eager'?"
    )


def test_a_cell_that_is_no_module_is_an_error():
    with pytest.raises(ShapeError, match=r"unroll expected cell to be a torch.nn.Module, got str"):
        unroll("gru", X)


class Foreign(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        self.mix = torch.nn.Linear(3 + 4, 4)
        self.start = start

    def forward(self, x, h=None):
        h = self.start.expand(len(x), 4) if h is None else h
        return torch.tanh(self.mix(torch.cat((x, h), 1)))


def test_zeros_are_used_where_a_call_without_a_state_starts_from_them():
    cell = Foreign(torch.zeros(4))

    torch.testing.assert_close(unroll(cell, X)[0], unroll(cell, X, torch.zeros(2, 4))[0], rtol=0, atol=0)


def test_a_cell_that_starts_elsewhere_is_an_error():
    message = "unroll expected Foreign, which tells no initial state, to start from zeros, got another result"

    with pytest.raises(UnsupportedCellError, match=message) as caught:
        unroll(Foreign(torch.ones(4)), X)
    assert caught.value.hint == "pass state, or give the class a method initial_state(batch_size)"
    with pytest.raises(UnsupportedCellError, match=message):
        unroll(Foreign(torch.ones(4)), X, torch.zeros(2, 4), reset=torch.zeros(5, 2, dtype=B))


def test_a_learned_initial_state_that_is_still_zero_is_an_error():
    # the values agree with zeros now, but would not after one step of training
    with pytest.raises(UnsupportedCellError, match="to start from zeros"):
        unroll(Foreign(torch.nn.Parameter(torch.zeros(4))), X)


def test_a_state_given_needs_no_initial_state():
    output, _ = unroll(Foreign(torch.ones(4)), X, torch.zeros(2, 4))

    assert output.shape == (5, 2, 4)


def test_a_cell_that_needs_a_state_is_an_error_with_its_reason():
    class Needy(torch.nn.Module):
        def forward(self, x, h):
            return h

    with pytest.raises(UnsupportedCellError, match=r"Needy was expected to run without a state.*TypeError") as caught:
        unroll(Needy(), X)
    assert caught.value.hint == "pass state, or give the class initial_state(batch_size)"
    assert isinstance(caught.value.__cause__, TypeError)
    with pytest.raises(UnsupportedCellError) as caught:
        find_layout(Needy(), 3)
    assert caught.value.hint == "pass state, or give the class state_size and output_size"


def test_looking_for_the_initial_state_leaves_no_trace():
    class Noisy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(4)
            self.mix = torch.nn.Linear(3, 4)

        def forward(self, x, h=None):
            h = 0 if h is None else h
            return self.norm(self.mix(x)) + h + torch.rand(len(x), 4)

    torch.manual_seed(1)
    cell = Noisy()
    before = torch.get_rng_state()

    unroll(cell, X[:1], engine="eager")
    drawn = torch.get_rng_state()

    assert int(cell.norm.num_batches_tracked) == 1
    torch.set_rng_state(before)
    torch.rand(2, 4)
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_step_that_changes_the_form_of_its_state_is_an_error():
    class Grows(torch.nn.Module):
        def forward(self, x, state):
            return state, state

    message = r"Grows was expected to return its state in the form it was given, a tensor, got a tuple of 2"
    with pytest.raises(UnsupportedCellError, match=message):
        unroll(Grows(), X, torch.zeros(2, 4), engine="eager")


def test_a_step_that_changes_the_number_of_its_states_is_an_error():
    class Loses(torch.nn.Module):
        def forward(self, x, state):
            return state[:1]

    message = r"Loses was expected to return its state in the form it was given, a tuple of 2, got a tuple of 1"
    with pytest.raises(UnsupportedCellError, match=message):
        unroll(Loses(), X, (torch.zeros(2, 4), torch.zeros(2, 4)), engine="eager")


def test_a_step_that_changes_the_shape_of_a_state_is_an_error():
    class Narrows(torch.nn.Module):
        def forward(self, x, h):
            return h[:, :1]

    message = r"Narrows was expected to return a state of the shape it was given, \(2, 4\), got \(2, 1\)"
    with pytest.raises(UnsupportedCellError, match=message):
        unroll(Narrows(), X, torch.zeros(2, 4), engine="eager")


@pytest.mark.parametrize(
    ("result", "found"), [(torch.zeros(2, 4), r"a tensor of shape \(2, 4\)"), ((torch.zeros(2, 4),), "1 value")]
)
def test_a_cell_that_breaks_its_promise_of_an_output_is_an_error(result, found):
    class Promises(torch.nn.Module):
        returns_output = True

        def forward(self, x, h):
            return result

    message = rf"Promises says returns_output and was expected to return \(output, state\), got {found}"
    with pytest.raises(UnsupportedCellError, match=message):
        unroll(Promises(), X, torch.zeros(2, 4), engine="eager")


def test_a_reset_to_a_state_of_another_form_is_an_error():
    class Odd(torch.nn.Module):
        def initial_state(self, batch_size):
            return torch.zeros(batch_size, 3)

        def forward(self, x, h):
            return h

    message = (
        r"initial state of Odd, which reset returns to, to have the shapes of its state, \[\(2, 4\)\], got \[\(2, 3\)\]"
    )
    with pytest.raises(ShapeError, match=message):
        unroll(Odd(), X, torch.zeros(2, 4), reset=torch.zeros(5, 2, dtype=B))


def test_a_foreign_cell_may_declare_its_layout():
    class Declares(torch.nn.Module):
        state_size = (4, 2)
        output_size = 6

        def forward(self, x, state):
            raise AssertionError("a cell that declares its layout is not called for it")

    layout = find_layout(Declares(), 3)

    assert (layout.output_size, layout.widths, layout.is_bare) == (6, (4, 2), False)
    with pytest.raises(ShapeError, match=r"state of Declares\[1\] to be of shape \(2, 2\), got \(2, 4\)"):
        unroll(Declares(), X, (torch.zeros(2, 4), torch.zeros(2, 4)))


def test_a_foreign_cell_shows_its_layout_when_it_is_called():
    layout = find_layout(Foreign(torch.zeros(4)), 3)

    assert (layout.output_size, layout.widths, layout.is_bare) == (4, (4,), True)
