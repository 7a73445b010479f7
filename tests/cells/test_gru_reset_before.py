"""The published gated recurrent unit beside torch's, and beside the one that writes z for 1 - z."""

import numpy as np
import pytest
import torch

from recurra.cells import GRUCell, GRUResetBeforeCell
from recurra.loop import unroll


def pair():
    """The cell, and torch's form with the same weights."""
    torch.manual_seed(0)
    before = GRUResetBeforeCell(3, 5, dtype=torch.float64)
    torch.nn.init.normal_(before.bias_ih)
    after = GRUCell(3, 5, dtype=torch.float64)
    after.load_state_dict(before.state_dict() | {"bias_hh": torch.zeros(15, dtype=torch.float64)})
    return before, after


def largest_difference(first, second):
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    outputs = [unroll(cell, x, engine="eager")[0] for cell in (first, second)]
    return float((outputs[0] - outputs[1]).detach().abs().max())


@pytest.mark.parametrize("is_diagonal", [True, False])
def test_the_two_forms_coincide_only_where_the_candidates_matrix_is_diagonal(is_diagonal):
    before, after = pair()
    if is_diagonal:
        for cell in (before, after):
            with torch.no_grad():
                cell.weight_hh[10:] = torch.arange(1.0, 6.0).diag()

    difference = largest_difference(before, after)

    assert difference < 1e-11 if is_diagonal else difference > 1e-2


def test_the_two_forms_coincide_where_all_units_are_reset_alike():
    before, after = pair()
    for cell in (before, after):
        with torch.no_grad():
            cell.weight_ih[:5] = 0
            cell.weight_hh[:5] = 0
            cell.bias_ih[:5] = -0.5

    assert largest_difference(before, after) < 1e-11


def other_convention(cell, x):
    """h = (1 - z) h + z n, in NumPy."""
    w, u, b = (tensor.detach().numpy() for tensor in (cell.weight_ih, cell.weight_hh, cell.bias_ih))
    h = np.zeros((x.shape[1], 5))
    for x_t in x.numpy():
        xr, xz, xn = np.split(x_t @ w.T + b, 3, -1)
        r = 1 / (1 + np.exp(-(xr + h @ u[:5].T)))
        z = 1 / (1 + np.exp(-(xz + h @ u[5:10].T)))
        h = (1 - z) * h + z * np.tanh(xn + (r * h) @ u[10:].T)
    return h


def test_turning_the_sign_of_z_gives_the_other_convention():
    cell, _ = pair()
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    wanted = other_convention(cell, x)

    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih"):
            getattr(cell, name)[5:10] *= -1
    _, found = unroll(cell, x, engine="eager")

    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12, atol=1e-14)


def test_an_open_update_gate_keeps_the_state():
    cell = GRUResetBeforeCell(3, 5, gate_biases={"z": 100.0})
    h = torch.randn(2, 5)

    assert torch.equal(cell(torch.randn(2, 3), h), h)
