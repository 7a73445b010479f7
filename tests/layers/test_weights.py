"""Recurrent weights that are computed: their values, their gradients in every engine, and their draws."""

import copy

import numpy as np
import pytest
import torch

from recurra.cells import (
    Cell,
    ClockworkCell,
    CoRNNCell,
    ElmanCell,
    FullGateRecurrenceLSTMCell,
    GRUCell,
    LEMCell,
    LSTMCell,
    MultiplicativeLSTMCell,
    ProjectedLSTMCell,
    SLSTMCell,
)
from recurra.errors import ArgumentError, ChoiceError
from recurra.layers import VariationalDropout, Zoneout, orthogonal, weight_dropout, weight_norm
from recurra.loop import unroll
from tests.layers.test_zoneout import D, X, gradients, lstm


def run(cell, engine, seed=4):
    torch.manual_seed(seed)
    return unroll(cell, X, engine=engine)


BUILDS = {
    "dropout": lambda cell: weight_dropout(cell, 0.4),
    "dropout of two": lambda cell: weight_dropout(cell, 0.4, "weight_ih", "weight_hh"),
    "norm": weight_norm,
    "orthogonal": orthogonal,
    "dropout of norm": lambda cell: weight_dropout(weight_norm(cell), 0.4),
    "dropout of orthogonal": lambda cell: weight_dropout(orthogonal(cell), 0.4),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_engines_agree_in_values_and_gradients_with_the_same_seed(build):
    cell = build(lstm())

    eager, native = run(cell, "eager"), run(cell, "native")

    torch.testing.assert_close(native, eager, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(cell, *native), gradients(cell, *eager), rtol=1e-9, atol=1e-11)


def test_dropped_weights_are_the_same_at_all_steps_and_scaled():
    cell = weight_dropout(lstm(), 0.4)
    plain = lstm()
    torch.manual_seed(4)
    mask = torch.nn.functional.dropout(torch.ones_like(plain.weight_hh), 0.4)
    with torch.no_grad():
        plain.weight_hh *= mask

    assert sorted(mask.unique().tolist()) == [0.0, pytest.approx(1 / 0.6)]
    torch.testing.assert_close(run(cell, "eager"), run(plain, "eager"), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_weights_are_dropped_anew_in_every_call_and_not_in_evaluation(engine):
    cell = weight_dropout(lstm(), 0.4)

    first, second = (unroll(cell, X, engine=engine)[0] for _ in range(2))

    assert not torch.equal(first, second)
    torch.testing.assert_close(unroll(cell.eval(), X, engine=engine), unroll(lstm(), X, engine=engine), rtol=0, atol=0)


def test_the_share_of_dropped_weights_is_p():
    cell = weight_dropout(GRUCell(3, 40, dtype=D), 0.25)

    # 4,800 draws: the standard deviation of the share is 0.006
    assert float((cell.weight_hh == 0).double().mean()) == pytest.approx(0.25, abs=0.03)


def test_compiled_steps_are_not_compiled_again_for_another_draw():
    from recurra.loop import compiled

    cell = weight_dropout(lstm(), 0.4)
    compiled.clear()

    for _ in range(3):
        unroll(cell, X, engine="native")

    assert len(compiled._cache) == 1


def test_weight_norm_parts_length_and_direction_by_row():
    plain, cell = lstm(), weight_norm(lstm())

    torch.testing.assert_close(cell.weight_hh, plain.weight_hh, rtol=1e-12, atol=0)
    with torch.no_grad():
        cell.parametrizations.weight_hh.original1.mul_(7)
        cell.parametrizations.weight_hh.original0.mul_(2)
    torch.testing.assert_close(cell.weight_hh, 2 * plain.weight_hh, rtol=1e-12, atol=0)
    assert cell.parametrizations.weight_hh.original0.shape == (20, 1)


def blocks(cell):
    return cell.weight_hh.detach().view(-1, 5, 5)


def check_orthogonal(cell):
    eye = torch.eye(5, dtype=D)
    for block in blocks(cell):
        torch.testing.assert_close(block @ block.T, eye, rtol=0, atol=1e-10)


def test_each_gates_block_is_orthogonal_and_stays_so():
    cell = orthogonal(lstm())
    check_orthogonal(cell)
    before = blocks(cell).clone()
    optimizer = torch.optim.SGD(cell.parameters(), lr=1.0)

    for _ in range(3):
        optimizer.zero_grad()
        unroll(cell, X)[0].sum().backward()
        optimizer.step()

    check_orthogonal(cell)
    assert (blocks(cell) - before).abs().max() > 1e-3


def test_an_orthogonal_weight_is_the_drawn_one_turned_by_cayleys_map():
    cell = orthogonal(lstm())
    start = blocks(cell).numpy().copy()
    free = cell.parametrizations.weight_hh.original
    with torch.no_grad():
        free.copy_(3 * torch.randn(20, 5, dtype=D, generator=torch.Generator().manual_seed(2)))

    found = blocks(cell)

    for base, block, entries in zip(start, found, free.detach().view(-1, 5, 5).numpy(), strict=True):
        lower = np.tril(entries, -1)
        skew = (lower - lower.T) / 2
        wanted = base @ (np.eye(5) + skew) @ np.linalg.inv(np.eye(5) - skew)
        np.testing.assert_allclose(block, wanted, rtol=0, atol=1e-12)
    check_orthogonal(cell)


def test_the_gradient_of_an_orthogonal_weight_is_that_of_its_map():
    (rule,) = orthogonal(GRUCell(2, 3, dtype=D)).parametrizations.weight_hh
    free = torch.randn(9, 3, dtype=D, generator=torch.Generator().manual_seed(2), requires_grad=True)

    assert torch.autograd.gradcheck(rule, free)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 5e-2)])
def test_an_orthogonal_weight_keeps_its_type(dtype, error):
    cell = orthogonal(LSTMCell(3, 5, dtype=dtype))
    with torch.no_grad():
        cell.parametrizations.weight_hh.original.normal_(generator=torch.Generator().manual_seed(2))

    weight = cell.weight_hh

    assert weight.dtype == dtype
    products = weight.detach().double().view(-1, 5, 5)
    assert (products @ products.mT - torch.eye(5, dtype=D)).abs().max() < error


def test_an_orthogonal_weight_starts_from_the_drawn_one():
    torch.manual_seed(0)
    plain = LSTMCell(3, 5, dtype=D, init="orthogonal")

    cell = orthogonal(copy.deepcopy(plain))

    torch.testing.assert_close(cell.weight_hh, plain.weight_hh, rtol=0, atol=1e-10)
    torch.manual_seed(9)
    plain.reset_parameters()
    torch.manual_seed(9)
    cell.reset_parameters()
    torch.testing.assert_close(cell.weight_hh, plain.weight_hh, rtol=0, atol=1e-10)
    check_orthogonal(cell)


@pytest.mark.parametrize("build", [*BUILDS.values()], ids=[*BUILDS])
def test_a_state_dict_holds_all_and_copies_are_apart(build):
    cell = build(lstm()).eval()
    other = build(LSTMCell(3, 5, dtype=D)).eval()

    other.load_state_dict(cell.state_dict())
    twin = copy.deepcopy(cell)

    torch.testing.assert_close(unroll(other, X), unroll(cell, X), rtol=0, atol=0)
    torch.testing.assert_close(unroll(twin, X), unroll(cell, X), rtol=0, atol=0)
    assert {id(p) for p in twin.parameters()}.isdisjoint(map(id, cell.parameters()))


def test_weights_of_a_wrapped_cell_are_those_of_the_innermost():
    cell = Zoneout(VariationalDropout(lstm(), 0.3), 0.1)

    assert weight_dropout(cell, 0.2) is cell
    assert list(cell.cell.cell.parametrizations) == ["weight_hh"]
    torch.manual_seed(4)
    mask = torch.nn.functional.dropout(torch.ones(20, 5, dtype=D), 0.2)
    torch.manual_seed(4)
    assert torch.equal(cell.cell.cell.weight_hh, lstm().weight_hh * mask)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (LSTMCell, ["weight_hh"]),
        (MultiplicativeLSTMCell, ["weight_hh", "weight_hm"]),
        (CoRNNCell, ["weight_hh", "weight_zh"]),
        (LEMCell, ["weight_hh", "weight_zy"]),
        (ClockworkCell, [f"weight_hh_{block}" for block in (1, 2, 3, 4)]),
        (torch.nn.GRUCell, ["weight_hh"]),
    ],
)
def test_without_names_they_are_the_cells_recurrent_weights(kind, names):
    cell = weight_dropout(kind(3, 5), 0.4)

    assert sorted(cell.parametrizations) == names


def test_a_cell_that_cannot_be_given_all_is_left_as_it_was():
    wide, silent = FullGateRecurrenceLSTMCell(3, 4), ElmanCell(3, 4)
    with torch.no_grad():
        silent.weight_hh[1] = 0

    with pytest.raises(ArgumentError, match="weight_gh of FullGateRecurrenceLSTMCell to be square"):
        orthogonal(wide, "weight_hh", "weight_gh")
    with pytest.raises(ArgumentError, match="no row of weight_hh to be zero"):
        weight_norm(silent, "weight_ih", "weight_hh")

    assert not hasattr(wide, "parametrizations")
    assert not hasattr(silent, "parametrizations")


def test_the_hint_names_what_there_is():
    with pytest.raises(ArgumentError) as caught:
        weight_dropout(Nothing(3, 4), 0.1)

    assert caught.value.hint == "name the parameters that are meant, of weight_ih, bias_ih"


def test_building_draws_nothing():
    cell = lstm()
    before = torch.get_rng_state()

    weight_dropout(orthogonal(cell), 0.3)

    assert torch.equal(torch.get_rng_state(), before)


class Nothing(Cell):
    states = ("h",)
    gates = ("n",)
    state_gates = ()

    def forward(self, x, h):
        return h


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (lambda: weight_dropout(lstm(), 1.0), ArgumentError, "weight_dropout expected p to be a number .* got 1.0"),
        (
            lambda: weight_dropout(Nothing(3, 4), 0.1),
            ArgumentError,
            "weight_dropout expected Nothing to have recurrent weights, matrices that a state is multiplied by, got no",
        ),
        (
            lambda: weight_norm(torch.nn.Linear(3, 4)),
            ArgumentError,
            "weight_norm expected Linear to have recurrent weights, matrices that a state is multiplied by, got none",
        ),
        (
            lambda: weight_dropout(Nothing(3, 4), 0.1, "weight_hh"),
            ChoiceError,
            "parameter of Nothing for weight_dropout to be one of weight_ih, bias_ih; got 'weight_hh'",
        ),
        (
            lambda: orthogonal(ClockworkCell(3, 4)),
            ArgumentError,
            r"each gate's block of weight_hh_1 of ClockworkCell to be square, got one of shape \(1, 4\) in \(1, 4\)",
        ),
        (
            lambda: orthogonal(SLSTMCell(3, 4, num_heads=2)),
            ArgumentError,
            r"each gate's block of weight_hh of SLSTMCell to be square, got one of shape \(4, 2\) in \(16, 2\)",
        ),
        (
            lambda: orthogonal(ProjectedLSTMCell(3, 4)),
            ArgumentError,
            r"each gate's block of weight_hh of ProjectedLSTMCell to be square, got one of shape \(4, 2\) in \(16, 2\)",
        ),
        (
            lambda: orthogonal(lstm(), "bias_ih"),
            ArgumentError,
            r"each gate's block of bias_ih of LSTMCell to be square, got shape \(20,\)",
        ),
        (
            lambda: weight_norm(lstm(), "bias_ih"),
            ArgumentError,
            r"weight_norm expected bias_ih of LSTMCell to be a matrix, got shape \(20,\)",
        ),
        (
            lambda: weight_norm(weight_dropout(lstm(), 0.1)),
            ArgumentError,
            "weight_norm expected weight_hh of .* to be a parameter, got a weight that is computed already",
        ),
        (
            lambda: weight_norm(ElmanCell(3, 4, init="zeros")),
            ArgumentError,
            "weight_norm expected no row of weight_hh to be zero, as it has no direction, got one that is",
        ),
    ],
)
def test_weights_that_cannot_be_computed_are_errors(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


def test_orthogonal_blocks_of_a_usual_size_are_computed_by_any_number_of_threads():
    # batched systems of this size fail in torch 2.13 with two threads
    before = torch.get_num_threads()
    cell = orthogonal(LSTMCell(3, 200))
    with torch.no_grad():
        cell.parametrizations.weight_hh.original.normal_(std=0.1)
    try:
        torch.set_num_threads(2)
        cell.weight_hh.square().sum().backward()
        blocks = cell.weight_hh.detach().view(4, 200, 200)
    finally:
        torch.set_num_threads(before)

    torch.testing.assert_close(blocks @ blocks.mT, torch.eye(200).expand(4, -1, -1), rtol=0, atol=1e-4)
