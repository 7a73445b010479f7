"""Layer normalisation over parts of a row."""

import numpy as np
import pytest
import torch

from recurra.cells import find_cell
from recurra.cells.layer_norm import layer_norm


def test_parts_are_normalised_as_one_row():
    torch.manual_seed(1)
    a, b, gain, shift = (torch.randn(*shape, dtype=torch.float64) for shape in ((3, 2), (3, 4), (6,), (6,)))

    first, second = layer_norm((a, b), gain, shift)

    row = np.concatenate((a.numpy(), b.numpy()), 1)
    centred = row - row.mean(1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * gain.numpy() + shift.numpy()
    np.testing.assert_allclose(first.numpy(), wanted[:, :2], rtol=1e-12)
    np.testing.assert_allclose(second.numpy(), wanted[:, 2:], rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["layer-norm-rnn", "layer-norm-gru", "layer-norm-lstm"])
def test_cells_have_finite_gradients_at_zero_in_half_precision(name, dtype):
    cell = find_cell(name)(3, 4, dtype=dtype)
    x = torch.zeros(2, 3, dtype=dtype, requires_grad=True)

    result = cell(x)
    h = result[0] if isinstance(result, tuple) else result
    h.sum().backward()

    assert h.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in cell.parameters())


def test_a_row_of_equal_numbers_gives_the_shift_and_finite_gradients():
    row = torch.full((2, 4), 3.0, requires_grad=True)
    shift = torch.arange(4.0)

    (normalized,) = layer_norm((row,), torch.ones(4), shift)
    (normalized * torch.arange(8.0).view(2, 4)).sum().backward()

    torch.testing.assert_close(normalized, shift.expand(2, 4))
    assert row.grad.isfinite().all()
    assert row.grad.any()
