"""What a cell adds to the inputs of a sequence, and weights that are computed once a call."""

import pytest
import torch
from torch.nn.utils import parametrize

from recurra.cells import GRUCell, LSTMCell
from recurra.errors import ShapeError, UnsupportedCellError
from recurra.loop import describe, rows, unroll

D = torch.float64
X = torch.randn(7, 5, 3, dtype=D)
CALLS = [
    {},
    {"lengths": [5, 0, 7, 2, 7]},
    {"reverse": True, "lengths": [5, 0, 6, 2, 6]},
    {"reverse": True},
    {"reset": torch.rand(7, 5) < 0.3},
]


class Masked(torch.nn.Module):
    """Multiplies the state by a mask of the sequence; with ``is_product`` a product takes the mask, too."""

    state_size = output_size = 4

    def __init__(self, *, is_product=False, changes=False):
        super().__init__()
        torch.manual_seed(0)
        self.cell = GRUCell(3, 4, dtype=D)
        self.mix = torch.nn.Parameter(torch.randn(4, 4, dtype=D))
        self.is_product = is_product
        self.changes = changes
        self.seen = []

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 4, dtype=D)

    def sequence_inputs(self, x, call=None):
        num_steps, batch_size = x[0].shape[:2]
        lead = num_steps if self.changes else 1
        return (torch.rand(lead, batch_size, 4, dtype=D).expand(num_steps, batch_size, 4),)

    def forward(self, x, h):
        x, mask = x
        added = torch.tanh(mask @ self.mix) * h if self.is_product else 0.0
        return self.cell(x, h * mask) + added


def run(cell, engine, **options):
    torch.manual_seed(2)
    x = X.clone().requires_grad_()
    output, last = unroll(cell, x, engine=engine, **options)
    total = (output * torch.arange(output.numel(), dtype=D).view_as(output)).sum() + last.sin().sum()
    return output, last, *torch.autograd.grad(total, [x, *cell.parameters()], allow_unused=True)


@pytest.mark.parametrize("options", CALLS)
@pytest.mark.parametrize("kind", [{}, {"is_product": True}, {"changes": True}], ids=str)
def test_what_a_cell_adds_reaches_every_step_the_same_in_both_engines(kind, options):
    cell = Masked(**kind)

    torch.testing.assert_close(run(cell, "native", **options), run(cell, "eager", **options), rtol=1e-9, atol=1e-11)


def test_it_equals_a_plain_loop():
    cell = Masked()
    torch.manual_seed(2)
    (mask,) = cell.sequence_inputs((X,))
    h = torch.zeros(5, 4, dtype=D)
    for x in X:
        h = cell.cell(x, h * mask[0])

    torch.testing.assert_close(run(cell, "native")[1], h, rtol=1e-10, atol=1e-12)


def test_what_is_the_same_at_all_steps_is_not_copied_for_each(monkeypatch):
    packed = []
    pack = rows.Layout.pack
    monkeypatch.setattr(rows.Layout, "pack", lambda layout, x: packed.append(tuple(x.shape)) or pack(layout, x))

    run(Masked(), "native")
    run(Masked(changes=True), "native")

    # x and the gradient of the output each time; the mask only where it changes
    assert packed.count((7, 5, 3)) == 2
    assert packed.count((7, 5, 4)) == 3


def test_only_the_steps_that_run_are_given():
    cell = Masked()
    seen = []
    own = cell.sequence_inputs
    object.__setattr__(cell, "sequence_inputs", lambda x, call: seen.append(x[0].shape) or own(x))

    unroll(cell, X, lengths=[3, 1, 0, 2, 3], engine="eager")

    assert seen == [(3, 5, 3)]


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (torch.zeros(7, 5, 4), "sequence_inputs of Masked to return a tuple of tensors, got a tensor of shape"),
        ((3,), "sequence_inputs of Masked to return a tuple of tensors, got 1 value"),
        ((torch.zeros(7, 4),), r"to return tensors of shape \(time=7, batch=5, width\), got \(7, 4\)"),
        ((torch.zeros(1, 5, 4),), r"to return tensors of shape \(time=7, batch=5, width\), got \(1, 5, 4\)"),
    ],
)
def test_anything_else_is_an_error(added, message):
    cell = Masked()
    object.__setattr__(cell, "sequence_inputs", lambda x, call: added)

    with pytest.raises(ShapeError, match=message):
        unroll(cell, X)


def test_sequences_without_steps_have_a_shape():
    assert unroll(Masked(), X[:0])[0].shape == (0, 5, 4)


def told(cell, *args, **options):
    """How a cell is told to be run by a call of ``unroll``."""
    calls = []
    own = cell.sequence_inputs
    object.__setattr__(cell, "sequence_inputs", lambda x, call: calls.append(call) or own(x))
    unroll(cell, *args, engine="eager", **options)
    return calls[0]


def test_a_cell_is_told_how_it_is_run():
    state, initial, reset = torch.rand(5, 4, dtype=D), torch.rand(5, 4, dtype=D), torch.rand(7, 5) < 0.3

    call = told(Masked(), X, state, lengths=[5, 0, 6, 2, 6], reset=reset, reverse=True, initial_state=initial)

    assert torch.equal(call.state, state)
    assert torch.equal(call.initial, initial)
    assert call.lengths.tolist() == [5, 0, 6, 2, 6]
    assert torch.equal(call.reset, reset[:6])
    assert call.reverse
    assert call.is_plain


def test_a_cell_is_told_its_own_initial_state_and_no_more_than_there_is():
    call = told(Masked(), X, lengths=[7] * 5)
    at_resets = told(Masked(), X, torch.ones(5, 4, dtype=D), reset=torch.ones(7, 5, dtype=torch.bool))

    assert torch.equal(call.state, torch.zeros(5, 4, dtype=D))
    assert (call.initial, call.lengths, call.reset, call.reverse) == (None, None, None, False)
    assert torch.equal(at_resets.initial, torch.zeros(5, 4, dtype=D))


class Unstarted(torch.nn.Module):
    """Starts from zeros, which nothing tells but a call without a state."""

    state_size = 4

    def __init__(self):
        super().__init__()
        self.cell = GRUCell(3, 4, dtype=D)

    def sequence_inputs(self, x, call=None):
        return (x[0] * 2,)

    def forward(self, x, h=None):
        return self.cell(x[0] + x[1], h)


def test_an_initial_state_that_only_a_call_shows_is_not_told():
    cell = Unstarted()

    call = told(cell, X)

    assert call.state is None
    torch.testing.assert_close(unroll(cell, X), unroll(cell.cell, 3 * X), rtol=1e-10, atol=1e-12)


def test_a_method_of_another_form_is_an_error_and_its_own_errors_are_left_alone():
    cell = Masked()
    object.__setattr__(cell, "sequence_inputs", lambda x: ())
    with pytest.raises(
        UnsupportedCellError, match=r"sequence_inputs of Masked to be called with \(x, call\), got: too many"
    ):
        unroll(cell, X)
    object.__setattr__(cell, "sequence_inputs", lambda x, call: len(5))
    with pytest.raises(TypeError, match=r"object of type 'int' has no len\(\)"):
        unroll(cell, X)


# --- computed weights


class Twice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, weight):
        self.calls += 1
        return 2 * weight


def test_a_computed_weight_is_evaluated_once_a_call_also_for_compiled_code():
    cell = LSTMCell(3, 4, dtype=D)
    rule = Twice()
    parametrize.register_parametrization(cell, "weight_hh", rule)
    unroll(cell, X, engine="native")
    rule.calls = 0

    output, _ = unroll(cell, X, engine="native")

    assert rule.calls == 1
    torch.testing.assert_close(output, unroll(cell, X, engine="eager")[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_dropout_as_a_parametrisation_draws_once_a_call(engine):
    cell = GRUCell(3, 4, dtype=D)
    weight = cell.weight_hh.detach().clone()
    parametrize.register_parametrization(cell, "weight_hh", torch.nn.Dropout(0.5))
    torch.manual_seed(6)
    dropped = torch.nn.functional.dropout(weight, 0.5)
    plain = GRUCell(3, 4, dtype=D)
    plain.load_state_dict(
        {name: v for name, v in cell.state_dict().items() if "." not in name} | {"weight_hh": dropped}
    )
    torch.manual_seed(6)

    output, _ = unroll(cell, X, engine=engine)

    torch.testing.assert_close(output, unroll(plain, X, engine="eager")[0], rtol=1e-10, atol=1e-12)


def test_a_step_in_place_of_the_power_iteration_is_done_once_a_call():
    torch.manual_seed(0)
    cells = [torch.nn.utils.parametrizations.spectral_norm(GRUCell(3, 4, dtype=D), "weight_hh") for _ in range(2)]
    cells[1].load_state_dict(cells[0].state_dict())

    for _ in range(2):
        results = [unroll(cell, X, engine=engine) for cell, engine in zip(cells, ("eager", "native"), strict=True)]

    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


def test_second_derivatives_go_through_computed_weights():
    cell = torch.nn.utils.parametrizations.weight_norm(GRUCell(3, 4, dtype=D), "weight_hh")
    found = []
    for engine in ("eager", "native"):
        (first,) = torch.autograd.grad(
            unroll(cell, X, engine=engine)[0].square().sum(), [cell.weight_ih], create_graph=True
        )
        found.append(torch.autograd.grad(first.square().sum(), list(cell.parameters())))

    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-11)


def test_autocast_leaves_computed_weights_in_their_type():
    cell = torch.nn.utils.parametrizations.orthogonal(GRUCell(3, 3), "weight_hh")

    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, _ = unroll(cell, X.float(), engine="native")

    torch.testing.assert_close(output, unroll(cell, X.float(), engine="eager")[0])


def test_describe_takes_computed_weights(capsys):
    describe(torch.nn.utils.parametrizations.weight_norm(GRUCell(3, 4), "weight_hh"), llvm=False)

    assert capsys.readouterr().out.startswith("ParametrizedGRUCell: input (B, 3)")
