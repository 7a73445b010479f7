"""Initialisation by itself, without a cell."""

import math

import pytest
import torch

from recurra.cells.gates import Block, constant, init_names, initialize, normal, uniform
from recurra.errors import ArgumentError, ChoiceError, RecurraError

GATES = ("i", "f", "g")
HIDDEN = 16
RECURRENT = ("weight_hh",)


def stacked(input_size=8, hidden_size=HIDDEN):
    rows = len(GATES) * hidden_size
    return {
        "weight_ih": torch.full((rows, input_size), torch.nan),
        "weight_hh": torch.full((rows, hidden_size), torch.nan),
        "bias_ih": torch.full((rows,), torch.nan),
        "bias_hh": torch.full((rows,), torch.nan),
    }


def blocks(hidden_size=HIDDEN):
    return {name: [Block(gate, hidden_size) for gate in GATES] for name in stacked()}


def fill(init, **options):
    torch.manual_seed(0)
    tensors = stacked()
    initialize(tensors, blocks(), HIDDEN, recurrent=RECURRENT, init=init, **options)
    return tensors


@pytest.mark.parametrize("init", init_names())
def test_every_name_fills_every_tensor(init):
    for tensor in fill(init).values():
        assert not tensor.isnan().any()


def test_the_names_are_torchs_own():
    assert {"torch", "orthogonal", "eye", "zeros", "ones", "normal", "xavier_normal", "kaiming_uniform"} < set(
        init_names()
    )
    # these need more than a tensor, or a tensor of more axes
    assert not {"constant", "sparse", "dirac"} & set(init_names())
    for name in set(init_names()) - {"torch", "published"}:
        assert callable(getattr(torch.nn.init, f"{name}_"))


@pytest.mark.parametrize("init", ["xavier_normal", "kaiming_normal"])
def test_the_scale_is_that_of_one_block(init):
    torch.manual_seed(0)
    hidden, inputs = 400, 100
    tensors = stacked(inputs, hidden)
    initialize(tensors, blocks(hidden), hidden, recurrent=RECURRENT, init=init)

    wanted = math.sqrt(2 / (inputs + hidden)) if init == "xavier_normal" else math.sqrt(2 / inputs)
    for block in tensors["weight_ih"].split(hidden):
        assert float(block.std()) == pytest.approx(wanted, rel=0.02)


def test_those_named_recurrent_are_orthogonal_and_the_others_are_not():
    torch.manual_seed(0)
    tensors = {"weight_hh": torch.zeros(48, 16), "weight_zh": torch.zeros(32, 16)}
    each = {"weight_hh": [Block(gate, 16) for gate in GATES], "weight_zh": [Block("z", 16), Block("n", 16)]}

    initialize(tensors, each, HIDDEN, recurrent=("weight_zh",), init="published")

    for block in tensors["weight_zh"].split(16):
        torch.testing.assert_close(block.T @ block, torch.eye(16))
    bound = math.sqrt(6 / 32)
    for block in tensors["weight_hh"].split(16):
        assert 0.9 * bound < block.abs().max() <= bound


def test_eye_makes_every_recurrent_block_the_identity():
    for block in fill("eye")["weight_hh"].split(HIDDEN):
        assert torch.equal(block, torch.eye(HIDDEN))


def test_a_gate_bias_goes_to_one_of_the_two_biases():
    tensors = fill("orthogonal", gate_biases={"f": 1.5})

    assert torch.equal(tensors["bias_ih"], torch.tensor([0.0, 1.5, 0.0]).repeat_interleave(HIDDEN))
    assert not tensors["bias_hh"].any()


def test_torch_initialisation_takes_no_gate_bias():
    tensors = fill("torch", gate_biases={"f": 100.0})

    assert tensors["bias_ih"].abs().max() <= 0.25


def test_absent_biases_are_left_out():
    tensors = stacked() | {"bias_ih": None, "bias_hh": None}

    initialize(tensors, blocks(), HIDDEN, recurrent=RECURRENT, init="orthogonal", gate_biases={"f": 1.0})

    assert not tensors["weight_hh"].isnan().any()


def test_a_weight_that_is_not_stacked_is_one_block():
    shapes = []

    whole = {"weight_hr": [Block("weight_hr", 48)]}
    initialize(
        {"weight_hr": torch.zeros(48, 16)},
        whole,
        HIDDEN,
        recurrent=RECURRENT,
        init=lambda block: shapes.append(block.shape),
    )

    assert shapes == [(48, 16)]


def test_blocks_differ_from_each_other():
    first, second, third = fill("orthogonal")["weight_hh"].split(HIDDEN)

    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)


def test_initialisation_leaves_no_trace_in_autograd():
    weight = torch.nn.Parameter(torch.zeros(48, 16))

    initialize({"weight_hh": weight}, blocks(), HIDDEN, recurrent=RECURRENT, init=lambda block: block.add_(1))

    assert weight.grad_fn is None
    assert weight.is_leaf
    assert torch.equal(weight.detach(), torch.ones(48, 16))


def test_an_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(ChoiceError) as caught:
        fill("ortogonal")

    assert caught.value.message.startswith(
        "expected init of initialize to be one of published, torch, orthogonal, eye,"
    )
    assert caught.value.hint == "did you mean 'orthogonal'?"


def test_what_is_neither_a_name_nor_a_callable_is_an_error():
    with pytest.raises(
        ArgumentError, match="expected init to be a name or a callable that fills a weight block, got 3"
    ):
        fill(3)
    assert issubclass(ArgumentError, RecurraError)


def test_a_gate_bias_for_no_gate_is_an_error():
    with pytest.raises(ArgumentError, match=r"gate_biases to name gates of \('i', 'f', 'g'\), got o, z"):
        fill("orthogonal", gate_biases={"z": 1.0, "f": 1.0, "o": 2.0})


def test_what_is_published_comes_before_the_rest():
    tensors = fill(
        "published",
        gate_biases={"f": 1.0, "g": 3.0},
        published={"weight_ih": constant(2.0), "weight_hh.f": torch.nn.init.eye_, "bias_ih.g": constant(4.0)},
    )

    assert (tensors["weight_ih"] == 2).all()
    first, second, _ = tensors["weight_hh"].split(HIDDEN)
    assert torch.equal(second, torch.eye(HIDDEN))
    torch.testing.assert_close(first @ first.T, torch.eye(HIDDEN))
    assert torch.equal(tensors["bias_ih"], torch.tensor([0.0, 1.0, 4.0]).repeat_interleave(HIDDEN))


def test_what_is_published_is_left_alone_by_other_initialisations():
    tensors = fill("orthogonal", published={"weight_hh": torch.nn.init.zeros_})

    assert tensors["weight_hh"].any()


@pytest.mark.parametrize("init", ["torch", "published", "eye"])
def test_starts_hold_in_every_initialisation(init):
    tensors = fill(
        init,
        starts={"weight_hh.i": constant(7.0)},
        started_biases={"f": 1.5},
    )

    assert (tensors["weight_hh"][:HIDDEN] == 7).all()
    assert not (tensors["weight_hh"][HIDDEN:] == 7).any()
    total = tensors["bias_ih"] + tensors["bias_hh"]
    assert (total[HIDDEN : 2 * HIDDEN] == 1.5).all()
    assert bool(total[:HIDDEN].any()) == (init == "torch")


def test_fillers_draw_what_they_say():
    torch.manual_seed(0)
    block = torch.empty(300, 300)

    uniform(-2.0, 4.0)(block)
    assert -2 <= block.min() < -1.99
    assert 3.99 < block.max() <= 4
    normal(0.5)(block)
    assert float(block.std()) == pytest.approx(0.5, rel=0.02)
