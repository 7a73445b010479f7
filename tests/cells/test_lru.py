"""The linear recurrent unit: where its eigenvalues start, and its answer to an impulse."""

import math

import numpy as np
import pytest
import torch

from recurra.cells import LRUCell
from recurra.errors import ArgumentError
from recurra.loop import unroll


def modulus(cell):
    return torch.exp(-torch.exp(cell.log_decay.detach()))


def test_answer_to_an_impulse_is_the_sum_of_damped_turns():
    torch.manual_seed(3)
    cell = LRUCell(2, 4, dtype=torch.float64)
    x = torch.zeros(6, 1, 2, dtype=torch.float64)
    x[0, 0, 1] = 1.0

    output, _ = unroll(cell, x, engine="eager")

    w = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    eigenvalues = np.exp(-np.exp(w["log_decay"]) + 1j * np.exp(w["log_phase"]))
    b = np.exp(w["log_scale"]) * (w["weight_ih"][:4, 1] + 1j * w["weight_ih"][4:, 1])
    c = w["weight_hy"][:, :4] + 1j * w["weight_hy"][:, 4:]
    wanted = np.stack([(c @ (eigenvalues**step * b)).real for step in range(6)])
    wanted[0, 1] += w["weight_xy"][1]
    np.testing.assert_allclose(output[:, 0].detach().numpy(), wanted, rtol=1e-12, atol=1e-14)


def test_output_has_the_width_of_the_input():
    cell = LRUCell(3, 5)

    y, (re, im) = cell(torch.zeros(2, 3))

    assert cell.output_size == 3
    assert (y.shape, re.shape, im.shape) == ((2, 3), (2, 5), (2, 5))


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.4, 0.8), (0.9, 0.999)])
def test_squared_moduli_start_evenly_between_the_radii(init, low, high):
    torch.manual_seed(0)
    cell = LRUCell(2, 4000, init=init, min_radius=low, max_radius=high)

    radii = modulus(cell)
    assert low - 1e-6 <= radii.min() < radii.max() <= high + 1e-6
    part = (radii**2 - low**2) / (high**2 - low**2)
    assert abs(part.mean() - 0.5) < 0.02
    assert abs(part.var() - 1 / 12) < 0.005


def test_inputs_are_scaled_to_states_of_unit_variance():
    cell = LRUCell(2, 50, min_radius=0.2, max_radius=0.9, dtype=torch.float64)

    torch.testing.assert_close(torch.exp(cell.log_scale), torch.sqrt(1 - modulus(cell) ** 2))


def test_phases_start_evenly_up_to_the_largest():
    torch.manual_seed(0)
    phases = torch.exp(LRUCell(2, 4000, max_phase=0.5).log_phase)

    assert 0 < phases.min() < 0.001
    assert 0.499 < phases.max() <= 0.5
    assert abs(phases.mean() - 0.25) < 0.01


def test_products_start_as_published():
    torch.manual_seed(0)
    cell = LRUCell(50, 200)

    assert cell.weight_ih.std().item() == pytest.approx(1 / math.sqrt(100), rel=0.03)
    assert cell.weight_hy.std().item() == pytest.approx(1 / math.sqrt(200), rel=0.03)
    assert cell.weight_xy.std().item() == pytest.approx(1.0, rel=0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_eigenvalues_on_the_rim_of_the_ring_start_finite(dtype):
    torch.manual_seed(0)
    cell = LRUCell(2, 2000, min_radius=0.9999, max_radius=1.0, dtype=dtype)

    for name in ("log_decay", "log_phase", "log_scale"):
        assert getattr(cell, name).isfinite().all(), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_radius": -0.1}, "min_radius to be a number of at least 0 and below 1, got -0.1"),
        ({"min_radius": 1.0}, "min_radius to be a number of at least 0 and below 1, got 1.0"),
        ({"max_radius": 0.0}, "max_radius to be a number above 0 and of at least 0 and of at most 1, got 0.0"),
        ({"min_radius": 0.9, "max_radius": 0.8}, "max_radius to be .* of at least 0.9 and of at most 1, got 0.8"),
        ({"max_phase": 0.0}, "max_phase to be a number above 0, got 0.0"),
    ],
)
def test_an_option_outside_its_range_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=f"^LRUCell expected {message}"):
        LRUCell(3, 4, **options)


def test_repr_names_the_options():
    assert repr(LRUCell(3, 4, min_radius=0.5)) == "LRUCell(3, 4, min_radius=0.5)"
