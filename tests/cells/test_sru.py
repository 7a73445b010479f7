"""What is special to the simple recurrent units: the highway, its scale, and how the two versions are related."""

import math

import pytest
import torch

from recurra.cells import SRUCell, SRUV1Cell
from recurra.errors import ArgumentError, ChoiceError
from recurra.loop import unroll

D = torch.float64


def sequence(input_size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(7, 3, input_size, dtype=D, generator=generator)


@pytest.mark.parametrize("input_size", [3, 5])
def test_without_memory_in_the_gates_and_without_rescaling_it_is_the_first_version(input_size):
    torch.manual_seed(0)
    old = SRUV1Cell(input_size, 5, highway_bias=-1.0, dtype=D)
    new = SRUCell(input_size, 5, rescale=False, highway_bias=-1.0, activation="tanh", dtype=D)
    new.load_state_dict({**old.state_dict(), "weight_ch": torch.zeros(10, dtype=D)})
    x = sequence(input_size)

    found = unroll(new, x, engine="eager")

    torch.testing.assert_close(found, unroll(old, x, engine="eager"), rtol=1e-14, atol=1e-15)


def test_gates_see_their_own_units_memory_of_the_step_before():
    cell = SRUCell(2, 2, rescale=False, dtype=D)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_ch.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    c = torch.tensor([[0.5, -0.25]], dtype=D)

    h, new_c = cell(torch.ones(1, 2, dtype=D), c)

    # x writes nothing: f and r are sigmoid(v * c), c shrinks by f, and h mixes the new c with x
    keep = [1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(0.5))]
    read = [1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(1.0))]
    wanted = [0.5 * keep[0], -0.25 * keep[1]]
    assert new_c[0].tolist() == pytest.approx(wanted, rel=1e-14)
    assert h[0].tolist() == pytest.approx([r * c + 1 - r for r, c in zip(read, wanted, strict=True)], rel=1e-14)


@pytest.mark.parametrize("input_size", [3, 5])
@pytest.mark.parametrize("highway_bias", [0.0, -2.0])
def test_rescaling_multiplies_the_highway_by_alpha(input_size, highway_bias):
    torch.manual_seed(0)
    cell = SRUCell(input_size, 5, highway_bias=highway_bias, dtype=D)
    plain = SRUCell(input_size, 5, rescale=False, highway_bias=highway_bias, dtype=D)
    plain.load_state_dict(cell.state_dict())
    x = sequence(input_size)[0]

    (h, c), (plain_h, plain_c) = cell(x), plain(x)

    r = torch.sigmoid(cell.from_input(x)[2])
    highway = x if input_size == 5 else x @ cell.weight_xh.T
    alpha = math.sqrt(1 + 2 * math.exp(highway_bias))
    torch.testing.assert_close(h - plain_h, (1 - r) * (alpha - 1) * highway, rtol=1e-12, atol=1e-14)
    assert torch.equal(c, plain_c)


@pytest.mark.parametrize(("options", "start"), [({"highway_bias": -3.0}, -1.5), ({}, -1.5), ({}, 0.0)])
def test_alpha_follows_a_bias_of_r_that_is_asked_for(options, start):
    cell = SRUCell(5, 5, gate_biases={"r": start, "f": 4.0}, dtype=D, **options)
    plain = SRUCell(5, 5, rescale=False, dtype=D)
    plain.load_state_dict(cell.state_dict())
    x = sequence(5)[0]

    h, plain_h = cell(x)[0], plain(x)[0]

    r = torch.sigmoid(cell.from_input(x)[2])
    torch.testing.assert_close(h - plain_h, (1 - r) * (math.sqrt(1 + 2 * math.exp(start)) - 1) * x)


def test_the_projection_is_there_only_where_the_widths_differ():
    assert "weight_xh" in dict(SRUCell(3, 5).named_parameters())
    assert "weight_xh" not in dict(SRUCell(5, 5).named_parameters())
    assert "weight_xh" in dict(SRUV1Cell(3, 5).named_parameters())
    assert "weight_xh" not in dict(SRUV1Cell(5, 5).named_parameters())


def is_uniform(values, bound):
    values = values.detach()
    return values.abs().max() <= bound and values.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_published_initialisation_halves_the_variance_of_gates():
    torch.manual_seed(0)
    cell = SRUCell(48, 60, highway_bias=-3.0)

    n, f, r = cell.weight_ih.split(60)

    assert is_uniform(n, math.sqrt(3 / 48))
    assert is_uniform(cell.weight_xh, math.sqrt(3 / 48))
    assert is_uniform(f, math.sqrt(1.5 / 48))
    assert is_uniform(r, math.sqrt(1.5 / 48))
    assert not cell.bias_f.any()


def test_published_initialisation_of_the_first_version_treats_all_blocks_alike():
    torch.manual_seed(0)
    cell = SRUV1Cell(48, 60)

    for block in (*cell.weight_ih.split(60), cell.weight_xh):
        assert is_uniform(block, math.sqrt(3 / 48))


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_memory_weights_and_the_highway_bias_start_alike_in_every_initialisation(init):
    torch.manual_seed(0)
    cell = SRUCell(4, 2000, highway_bias=-3.0, init=init)

    assert is_uniform(cell.weight_ch, math.sqrt(1.5))
    assert torch.equal(cell.bias_r, torch.full((2000,), -3.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rescale": 1}, "SRUCell expected rescale to be True or False, got 1"),
        ({"highway_bias": "low"}, "SRUCell expected highway_bias to be a number, got 'low'"),
        (
            {"highway_bias": -1.0, "bias": False},
            "SRUCell expected highway_bias to be 0 where bias is False, got -1.0",
        ),
    ],
)
def test_an_option_out_of_range_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=message):
        SRUCell(3, 4, **options)


def test_an_unknown_activation_lists_the_known_ones():
    with pytest.raises(ChoiceError, match="activation of SRUCell") as error:
        SRUCell(3, 4, activation="tanhh")

    assert "tanh" in str(error.value)
    assert "identity" in str(error.value)
