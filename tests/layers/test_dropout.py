"""Recurrent and variational dropout: against plain loops with the same masks."""

import copy

import pytest
import torch

from recurra.cells import Cell, ElmanCell, GRUCell, LSTMCell, MultiplicativeLSTMCell, UnitaryCell
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers import RecurrentDropout, VariationalDropout, Zoneout, weight_dropout
from recurra.layers.dropout import draw_mask
from recurra.loop import unroll
from tests.layers.test_zoneout import D, X, gradients, lstm
from tests.support.same_draws import eager_draws, native_draws

CALLS = [{}, {"lengths": [5, 0, 6, 2], "reverse": True}, {"reset": torch.rand(6, 4) < 0.3}]


def lstm_loop(cell, drop_g=None, drop_h=None):
    """Run an LSTM by hand with g and the recurrent h multiplied by masks (T, B, H)."""
    h = c = torch.zeros(4, 5, dtype=D)
    outputs = []
    for t, x in enumerate(X):
        entering = h if drop_h is None else h * drop_h[t]
        gates = x @ cell.weight_ih.T + cell.bias_ih + entering @ cell.weight_hh.T + cell.bias_hh
        i, f, g, o = gates.chunk(4, 1)
        g = torch.tanh(g) if drop_g is None else torch.tanh(g) * drop_g[t]
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * g
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def mask_of(cell, x=X, seed=8):
    """The masks that ``unroll`` draws first after this seed."""
    torch.manual_seed(seed)
    return cell.sequence_inputs((x,))


def run(cell, engine, seed=8, **options):
    torch.manual_seed(seed)
    return unroll(cell, X, engine=engine, **options)


def test_a_mask_a_step_equals_a_plain_loop_with_the_same_draws():
    cell = RecurrentDropout(lstm(), 0.3)
    kept = (torch.rand(6, 4, 5) < 0.7).to(D)
    wanted = lstm_loop(cell.cell, drop_g=kept / 0.7)

    with eager_draws(kept):
        eager = unroll(cell, X, engine="eager")
    with native_draws(kept):
        native = unroll(cell, X, engine="native")

    torch.testing.assert_close(eager, wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(native, wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *wanted), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["recurrent", "variational"])
def test_a_mask_a_sequence_equals_a_plain_loop_with_the_same_mask_in_every_engine(kind):
    cell = VariationalDropout(lstm(), 0.4) if kind == "variational" else RecurrentDropout(lstm(), 0.4, "sequence")
    (mask,) = mask_of(cell)
    wanted = lstm_loop(cell.cell, **{"drop_h" if kind == "variational" else "drop_g": mask})

    eager, native = run(cell, "eager"), run(cell, "native")

    assert mask.stride(0) == 0
    torch.testing.assert_close(eager, wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(native, wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *wanted), rtol=1e-9, atol=1e-11)


def test_of_a_multiplicative_lstm_the_mask_is_on_the_output_and_not_on_the_factor():
    torch.manual_seed(0)
    inner = MultiplicativeLSTMCell(3, 5, dtype=D)
    cell = VariationalDropout(inner, 0.4)
    mask = torch.rand(4, 5, dtype=D)
    h, c = torch.randn(4, 5, dtype=D), torch.randn(4, 5, dtype=D)

    found, _ = cell((X[0], mask), (h, c))

    wanted, _ = inner(X[0], (h * mask, c))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)


def test_the_mask_is_as_wide_as_what_the_product_is_given():
    torch.manual_seed(0)
    inner = UnitaryCell(3, 5, dtype=D)
    cell = VariationalDropout(inner, 0.4)
    (mask,) = mask_of(cell)
    state = tuple(torch.randn(4, 5, dtype=D) for _ in range(2))

    output, _ = cell((X[0], mask[0]), state)

    assert mask.shape == (6, 4, 10)
    masked = tuple(s * m for s, m in zip(state, mask[0].chunk(2, 1), strict=True))
    torch.testing.assert_close(output, inner(X[0], masked)[0], rtol=1e-12, atol=1e-14)


class Joined(Cell):
    """Its recurrent product reads both states, whose width it does not tell."""

    states = ("h", "c")
    gates = ("n",)

    def weight_shapes(self):
        return super().weight_shapes() | {"weight_hh": (self.hidden_size, 2 * self.hidden_size)}

    def forward(self, x, state):
        h, c = state
        (xn,), (hn,) = self.from_input(x), self.from_state(torch.cat((h, c), -1))
        return torch.tanh(xn + hn), h


def test_a_mask_of_another_width_fails_when_it_is_built():
    message = r"from_state in forward of Joined to be given its recurrent_size=5, the width of the mask, got \(1, 10\)"
    with pytest.raises(ArgumentError, match=message) as caught:
        VariationalDropout(Joined(3, 5), 0.1)

    assert caught.value.hint == "give the class a property recurrent_size"


class Told(Joined):
    recurrent_size = 10

    forward = Joined.forward


def test_a_width_that_is_told_is_taken_and_the_look_at_it_draws_nothing():
    inner = Told(3, 5, dtype=D)
    before = torch.get_rng_state()

    cell = VariationalDropout(weight_dropout(inner, 0.5), 0.1)

    assert torch.equal(torch.get_rng_state(), before)
    assert unroll(cell, X, engine="eager")[0].shape == (6, 4, 5)


def test_of_a_gru_the_candidate_is_dropped_and_the_memory_is_not():
    torch.manual_seed(0)
    cell = RecurrentDropout(GRUCell(3, 5, dtype=D), 0.4, "sequence")
    (mask,) = mask_of(cell)
    h = torch.zeros(4, 5, dtype=D)
    for t, x in enumerate(X):
        xr, xz, xn = (x @ cell.cell.weight_ih.T + cell.cell.bias_ih).chunk(3, 1)
        hr, hz, hn = (h @ cell.cell.weight_hh.T + cell.cell.bias_hh).chunk(3, 1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        h = (1 - z) * torch.tanh(xn + r * hn) * mask[t] + z * h

    _, last = run(cell, "eager")

    torch.testing.assert_close(last, h, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", CALLS)
def test_nested_masks_are_the_same_in_both_engines(options):
    cell = RecurrentDropout(VariationalDropout(lstm(), 0.4), 0.3, "sequence")

    eager, native = run(cell, "eager", **options), run(cell, "native", **options)

    torch.testing.assert_close(native, eager, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *eager), rtol=1e-9, atol=1e-11)


def test_the_order_of_nesting_does_not_matter_to_the_equations():
    inner = lstm()
    cells = [
        RecurrentDropout(VariationalDropout(inner, 0.4), 0.3, "sequence"),
        VariationalDropout(RecurrentDropout(inner, 0.3, "sequence"), 0.4),
        RecurrentDropout(Zoneout(VariationalDropout(inner, 0.4), 0.0), 0.3, "sequence"),
    ]
    drop_h, drop_g = mask_of(cells[0])
    wanted = lstm_loop(inner, drop_g=drop_g, drop_h=drop_h)

    for cell, masks in zip(cells, [(drop_h, drop_g), (drop_g, drop_h), (drop_h, drop_g)], strict=True):
        state = torch.zeros(4, 5, dtype=D), torch.zeros(4, 5, dtype=D)
        for t, x in enumerate(X):
            state = cell((x, *(mask[t] for mask in masks)), state)
        torch.testing.assert_close(state, wanted[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "build",
    [
        lambda cell, p: RecurrentDropout(cell, p),
        lambda cell, p: RecurrentDropout(cell, p, "sequence"),
        VariationalDropout,
    ],
)
def test_evaluation_and_a_probability_of_zero_are_the_plain_cell(build):
    wanted = unroll(lstm(), X, engine="eager")

    torch.testing.assert_close(unroll(build(lstm(), 0.0), X, engine="eager"), wanted, rtol=0, atol=0)
    torch.testing.assert_close(unroll(build(lstm(), 0.7).eval(), X, engine="eager"), wanted, rtol=0, atol=0)


def test_a_mask_holds_the_share_and_the_scale():
    mask = draw_mask(torch.zeros(7, 500, 1, dtype=D), 8, 0.2)

    assert mask.shape == (7, 500, 8)
    assert mask.unique().tolist() == [0.0, 1.25]
    # 4,000 draws: the standard deviation of the share is 0.006
    assert float((mask[0] == 0).double().mean()) == pytest.approx(0.2, abs=0.025)
    assert torch.equal(mask[0], mask[6])
    assert not draw_mask(torch.zeros(2, 3, 1), 4, 1.0).any()


def test_every_call_draws_anew_and_a_mask_has_no_gradient():
    cell = VariationalDropout(lstm(), 0.5)
    x = X.clone().requires_grad_()

    first, second = (unroll(cell, x, engine="native")[0] for _ in range(2))
    first.sum().backward()

    assert not torch.equal(first, second)
    assert x.grad.isfinite().all()


class Own(Cell):
    """A user's cell, with an option, a private name and a variable of the function around it."""

    states = ("h",)
    gates = ("n",)
    __slope = 0.5

    def forward(self, x, h, *, scale: float = 1.0):
        (xn,), (hn,) = self.from_input(x), self.from_state(h)
        fresh: torch.Tensor = torch.tanh(xn + hn) * scale * self.__slope
        return 0.5 * h + fresh


def test_a_users_cell_names_its_candidates():
    torch.manual_seed(0)
    inner = Own(3, 5, dtype=D)
    cell = RecurrentDropout(inner, 0.4, "sequence", candidates=("fresh",))
    (mask,) = mask_of(cell)
    h = torch.zeros(4, 5, dtype=D)
    for t, x in enumerate(X):
        fresh = torch.tanh(x @ inner.weight_ih.T + inner.bias_ih + h @ inner.weight_hh.T) * 0.5
        h = 0.5 * h + fresh * mask[t]

    for engine in ("eager", "native"):
        torch.testing.assert_close(run(cell, engine)[1], h, rtol=1e-10, atol=1e-12)


def test_variables_around_a_class_and_super_keep_their_meaning():
    slope = 0.25

    class Enclosed(Own):
        def forward(self, x, h):
            old = h
            n = slope * super().forward(x, h)
            return old + n

    cell = RecurrentDropout(Enclosed(3, 5, dtype=D), 0.4, "sequence", candidates=("n",))
    (mask,) = mask_of(cell)

    output, _ = run(cell, "eager")

    wanted = slope * Own.forward(cell.cell, X[0], torch.zeros(4, 5, dtype=D)) * mask[0]
    torch.testing.assert_close(output[0], wanted, rtol=1e-12, atol=1e-14)


def test_the_cell_inside_is_never_touched():
    inner = lstm()
    before = copy.deepcopy(inner)

    run(RecurrentDropout(inner, 0.5), "eager")

    assert type(inner) is LSTMCell
    assert vars(inner).keys() == vars(before).keys()
    torch.testing.assert_close(unroll(inner, X), unroll(before, X), rtol=0, atol=0)


def test_one_step_alone_needs_its_masks():
    cell = VariationalDropout(lstm(), 0.5)

    with pytest.raises(ShapeError, match="a step of x and 1 more, which are drawn once a sequence, got 1 tensor") as e:
        cell(X[0])
    assert "(x, *masks)" in e.value.hint
    h, _ = cell((X[0], torch.ones(4, 5, dtype=D)))
    torch.testing.assert_close(h, lstm()(X[0])[0], rtol=1e-12, atol=0)
    with pytest.raises(ShapeError, match=r"from_state in forward of LSTMCell to have the width of its mask, 2, got"):
        cell((X[0], torch.ones(4, 2, dtype=D)))


def test_a_wrong_width_or_state_is_named_as_by_the_cell_itself():
    cell = RecurrentDropout(lstm(), 0.5)

    with pytest.raises(ShapeError, match=r"unroll expected x of shape \(time, batch, input_size=3\) for LSTMCell"):
        unroll(cell, X[..., :2])
    with pytest.raises(ShapeError, match=r"LSTMCell expected x of shape \(batch, input_size=3\), got \(4, 2\)"):
        cell(X[0, :, :2])
    with pytest.raises(ShapeError, match=r"LSTMCell expected state c of shape \(batch=4, 5\), got \(4, 4\)"):
        cell(X[0], (torch.zeros(4, 5, dtype=D), torch.zeros(4, 4, dtype=D)))


def test_hooks_inside_are_refused_as_they_would_not_be_called():
    inner = lstm()
    inner.register_forward_hook(lambda module, args, output: output)

    with pytest.raises(ArgumentError, match="expected LSTMCell to have no module hooks, which its changed step"):
        RecurrentDropout(inner, 0.5)(X[0])


def _decorated(function):
    def inner(self, x, h):
        return function(self, x, h)

    return inner


class Decorated(Own):
    @_decorated
    def forward(self, x, h):
        (hn,) = self.from_state(h)
        return hn


class Marked(Own):
    @staticmethod
    def same(function):
        return function

    @same.__func__
    def forward(self, x, h):
        (hn,) = self.from_state(h)
        return hn


class Sourceless(Own):
    exec("def forward(self, x, h):\n n = h\n return n")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: RecurrentDropout(ElmanCell(3, 4), 0.1),
            r"RecurrentDropout expected ElmanCell to have candidates, .*, got \(\)",
        ),
        (
            lambda: RecurrentDropout(ElmanCell(3, 4), 0.1, candidates=("g",)),
            "RecurrentDropout expected forward of ElmanCell to be a method that assigns g as in 'g = ...', got no such",
        ),
        (
            lambda: VariationalDropout(torch.nn.GRUCell(3, 4), 0.1),
            r"expected forward of GRUCell to be a method that calls self.from_state\(h, ...\)",
        ),
        (
            lambda: VariationalDropout(Decorated(3, 4), 0.1),
            r"expected forward of Decorated to be a method that calls self.from_state",
        ),
        (
            lambda: VariationalDropout(Marked(3, 4), 0.1),
            "expected forward of Marked to be a plain method without decorators, got '@same.__func__'",
        ),
        (
            lambda: RecurrentDropout(Sourceless(3, 4), 0.1, candidates=("n",)),
            "expected forward of Sourceless to be a method whose source is at hand, got OSError",
        ),
        (lambda: RecurrentDropout(lstm(), 1.0), "RecurrentDropout expected p to be a number of at least 0 and below 1"),
        (lambda: VariationalDropout(lstm(), "x"), "VariationalDropout expected p to be a number .*, got 'x'"),
    ],
)
def test_what_cannot_be_dropped_is_an_error(build, message):
    with pytest.raises(ArgumentError, match=message):
        build()


def test_plain_methods_only():
    inner = lstm()
    inner.forward = lambda x, state: state
    with pytest.raises(ArgumentError, match="forward of LSTMCell to be a method of its class, got function"):
        VariationalDropout(inner, 0.1)

    class Plain(torch.nn.Module):
        def forward(self, x, h):
            (h,) = self.from_state(h)
            return h

    with pytest.raises(ArgumentError, match="expected Plain to have a state_size, which tells the width of the mask"):
        VariationalDropout(Plain(), 0.1)

    class Written(torch.nn.Module):
        def forward(self, x, h):
            n = h
            return n

    with pytest.raises(ArgumentError, match="expected Written to have a hidden_size, the width of a mask") as caught:
        RecurrentDropout(Written(), 0.1, "sequence", candidates=("n",))
    assert caught.value.hint == 'use mask="step"'
    with pytest.raises(ChoiceError, match="mask of RecurrentDropout to be one of step, sequence; got 'time'"):
        RecurrentDropout(lstm(), 0.1, "time")


def test_errors_of_the_compiler_point_at_the_line_of_the_cell():
    from recurra.errors import UnsupportedCellError

    class Sorting(Own):
        def forward(self, x, h):
            (hn,) = self.from_state(h)
            n = torch.sort(hn).values  # the line
            return n

    with pytest.raises(UnsupportedCellError, match=r"test_dropout.py:\d+: n = torch.sort\(hn\).values  # the line"):
        unroll(VariationalDropout(Sorting(3, 4, dtype=D), 0.2), X, engine="native")
