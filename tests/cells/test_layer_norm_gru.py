"""The gated recurrent unit with layer normalisation."""

import math

import pytest
import torch

from recurra.cells import LayerNormGRUCell

H = 4
R, Z = slice(0, H), slice(H, 2 * H)


def weightless():
    """A cell whose products are all zero, so that gates and content are what their shifts say."""
    cell = LayerNormGRUCell(3, H, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_hh.zero_()
    return cell


def step(cell, h):
    return cell(torch.zeros(1, 3, dtype=torch.float64), torch.full((1, H), h, dtype=torch.float64))


@pytest.mark.parametrize(("shift", "wanted"), [(50.0, math.tanh(2.0)), (-50.0, 0.3), (0.0, (math.tanh(2.0) + 0.3) / 2)])
def test_an_open_update_gate_writes(shift, wanted):
    cell = weightless()
    with torch.no_grad():
        cell.shift_xn.fill_(2.0)
        cell.shift_hh[Z] = shift

    assert step(cell, 0.3)[0, 0].item() == pytest.approx(wanted)


@pytest.mark.parametrize(("shift", "wanted"), [(50.0, math.tanh(3.0)), (-50.0, math.tanh(2.0))])
def test_the_reset_gate_acts_on_the_normalised_product(shift, wanted):
    cell = weightless()
    with torch.no_grad():
        cell.shift_xn.fill_(2.0)
        cell.shift_hn.fill_(1.0)
        cell.shift_ih[R] = shift
        cell.shift_ih[Z] = 50.0

    assert step(cell, 0.3)[0, 0].item() == pytest.approx(wanted)


def test_gates_share_a_norm_and_content_has_its_own():
    cell = weightless()
    with torch.no_grad():
        cell.weight_ih[Z, 0] = 1.0
        cell.weight_ih[2 * H :, 1] = torch.tensor([1.0, 1.0, 3.0, 3.0])
    x = torch.tensor([[1.0, 5.0, 0.0]], dtype=torch.float64)

    h = cell(x)

    # half of the gates' row is 0, half is 1; the content's row is 5, 5, 15, 15
    z = 1 / (1 + math.exp(-0.5 / math.sqrt(0.25 + 1e-5)))
    n = math.tanh(5 / math.sqrt(25 + 1e-5))
    assert h[0].tolist() == pytest.approx([-z * n, -z * n, z * n, z * n])


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_gains_start_at_one_and_shifts_at_zero(init):
    cell = LayerNormGRUCell(3, 4, init=init)

    norms = [name for name, _ in cell.named_parameters() if not name.startswith("weight")]
    assert len(norms) == 8
    for name in norms:
        assert (getattr(cell, name) == float(name.startswith("gain"))).all(), name


def test_rows_without_variance_stay_finite():
    cell = LayerNormGRUCell(3, 4)

    h = cell(torch.zeros(2, 3))
    h.sum().backward()

    assert not h.any()
    assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())
