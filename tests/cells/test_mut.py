"""The cells found by mutation: the bare input, the direction of the blend, and their start."""

import math

import numpy as np
import pytest
import torch

from recurra.cells import MUT1Cell, MUT2Cell, MUT3Cell
from recurra.errors import ArgumentError

ALL = (MUT1Cell, MUT2Cell, MUT3Cell)
every = pytest.mark.parametrize("cell_class", ALL)


def counted(cell):
    return sum(p.numel() for p in cell.parameters())


@pytest.mark.parametrize(("cell_class", "name"), [(MUT1Cell, "weight_xn"), (MUT2Cell, "weight_xr"), (MUT3Cell, None)])
def test_a_projection_is_there_only_where_the_input_has_another_width(cell_class, name):
    same, other = (set(cell_class(width, 5).state_dict()) for width in (5, 3))

    assert other - same == ({name} if name else set())
    assert name is None or getattr(cell_class(3, 5), name).shape == (5, 3)


@pytest.mark.parametrize(("cell_class", "matrices"), [(MUT1Cell, 4), (MUT2Cell, 5), (MUT3Cell, 6)])
def test_counts_for_equal_widths_are_the_published_ones(cell_class, matrices):
    assert counted(cell_class(5, 5)) == matrices * 5 * 5 + 3 * 5


@pytest.mark.parametrize(("cell_class", "inputs", "states"), [(MUT1Cell, 3, 2), (MUT2Cell, 3, 3), (MUT3Cell, 3, 3)])
def test_counts_for_other_widths_have_the_projection(cell_class, inputs, states):
    assert counted(cell_class(3, 5)) == inputs * 3 * 5 + states * 5 * 5 + 3 * 5


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def published_step(cell, x, h):
    """The two cells that read the bare input, as printed, in NumPy."""
    w = {key: value.detach().numpy() for key, value in cell.named_parameters()}
    first, second = (x @ w["weight_ih"].T + w["bias_ih"]).reshape(len(x), 2, -1).swapaxes(0, 1)
    if isinstance(cell, MUT1Cell):
        ur, un = np.split(w["weight_hh"], 2)
        z = sigmoid(first)
        r = sigmoid(second + h @ ur.T)
        n = np.tanh((r * h) @ un.T + np.tanh(x) + w["bias_n"])
    else:
        uz, ur, un = np.split(w["weight_hh"], 3)
        z = sigmoid(first + h @ uz.T)
        r = sigmoid(x + h @ ur.T + w["bias_r"])
        n = np.tanh((r * h) @ un.T + second)
    return n * z + h * (1 - z)


@pytest.mark.parametrize("cell_class", [MUT1Cell, MUT2Cell])
def test_with_equal_widths_the_bare_input_is_read(cell_class):
    torch.manual_seed(0)
    cell = cell_class(5, 5, dtype=torch.float64)
    x, h = torch.randn(2, 3, 5, dtype=torch.float64)

    found = cell(x, h).detach().numpy()

    np.testing.assert_allclose(found, published_step(cell, x.numpy(), h.numpy()), rtol=1e-12, atol=1e-14)


@every
@pytest.mark.parametrize("width", [3, 5])
def test_a_cell_without_biases_is_one_with_biases_of_zero(cell_class, width):
    torch.manual_seed(0)
    cell, bare = cell_class(width, 5, init="orthogonal"), cell_class(width, 5, False)
    bare.load_state_dict({key: value for key, value in cell.state_dict().items() if not key.startswith("bias")})
    x, h = torch.randn(3, width), torch.randn(3, 5)

    assert torch.equal(bare(x, h), cell(x, h))


@every
def test_a_closed_update_gate_keeps_the_state(cell_class):
    cell = cell_class(3, 5, gate_biases={"z": -200.0})
    h = torch.randn(2, 5)

    assert torch.equal(cell(torch.randn(2, 3), h), h)


def test_the_update_gate_of_the_third_reads_a_squashed_state():
    cell = MUT3Cell(3, 2, False, dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_hh[:2] = torch.eye(2)
    h = torch.tensor([[3.0, -3.0]], dtype=torch.float64)

    found = cell(torch.zeros(1, 3, dtype=torch.float64), h)

    torch.testing.assert_close(found, (1 - torch.sigmoid(torch.tanh(h))) * h)


@every
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.8])
def test_the_published_start_has_one_range_for_all_parameters(cell_class, scale):
    torch.manual_seed(0)
    cell = cell_class(50, 100, scale=scale)

    for name, parameter in cell.named_parameters():
        assert 0.95 * scale / 10 < parameter.abs().max() <= scale / 10, name
        assert abs(float(parameter.detach().mean())) < 0.2 * scale / 10, name


@every
def test_the_scale_is_of_the_published_start_only(cell_class):
    cell = cell_class(3, 4, scale=100.0, init="torch")

    assert all(parameter.abs().max() <= 1 / math.sqrt(4) for parameter in cell.parameters())


@pytest.mark.parametrize("scale", [0, -1.0, "1", math.inf])
def test_a_scale_that_is_not_above_zero_is_an_error(scale):
    with pytest.raises(ArgumentError, match=f"^MUT2Cell expected scale to be a number above 0, got {scale!r}"):
        MUT2Cell(3, 5, scale=scale)


def test_repr_shows_the_scale():
    assert repr(MUT1Cell(3, 5, scale=0.3)) == "MUT1Cell(3, 5, scale=0.3)"
