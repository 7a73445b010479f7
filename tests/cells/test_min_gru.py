"""Gates that do not see the state: chunks, the closed form, and gates that vanish."""

import numpy as np
import pytest
import torch

from recurra.cells import MinGRUCell, MinLSTMCell
from recurra.loop import unroll

both = pytest.mark.parametrize("cell_class", [MinGRUCell, MinLSTMCell])


def build(cell_class, dtype=torch.float64):
    torch.manual_seed(0)
    cell = cell_class(3, 5, dtype=dtype)
    torch.nn.init.normal_(cell.bias_ih)
    return cell


@both
@pytest.mark.parametrize("engine", ["eager", "native"])
def test_carrying_the_state_from_chunk_to_chunk_is_exact(cell_class, engine):
    cell, x, h = build(cell_class), torch.randn(9, 2, 3, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    whole, last = unroll(cell, x, h, engine=engine)

    pieces = []
    for chunk in x.split([4, 1, 4]):
        output, h = unroll(cell, chunk, h, engine=engine)
        pieces.append(output)

    torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(h, last, rtol=1e-14, atol=1e-15)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def closed_form(cell, x, h):
    """Last state as a sum over all steps, each weighted with what is kept after it."""
    sums = x.numpy() @ cell.weight_ih.detach().numpy().T + cell.bias_ih.detach().numpy()
    if isinstance(cell, MinGRUCell):
        z, n = np.split(sums, 2, -1)
        kept, written = 1 - sigmoid(z), sigmoid(z)
    else:
        f, i, n = np.split(sums, 3, -1)
        kept, written = (sigmoid(gate) / (sigmoid(f) + sigmoid(i)) for gate in (f, i))
    after = np.cumprod(kept[::-1], 0)[::-1]
    later = np.concatenate((after[1:], np.ones_like(after[:1])))
    return after[0] * h.numpy() + (later * written * n).sum(0)


@both
def test_the_last_state_equals_the_closed_form(cell_class):
    cell, x, h = build(cell_class), torch.randn(9, 2, 3, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)

    _, last = unroll(cell, x, h, engine="eager")

    np.testing.assert_allclose(last.detach().numpy(), closed_form(cell, x, h), rtol=1e-12, atol=1e-14)


@both
def test_there_are_no_recurrent_weights(cell_class):
    cell = build(cell_class)

    assert list(cell.state_dict()) == ["weight_ih", "bias_ih"]
    assert cell.weight_hh is None


@pytest.mark.parametrize(("f", "i", "kept"), [(-1e4, -1e4, 0.5), (-1e4, -1e4 + 1, 0.2689414), (-1e4, 0.0, 0.0)])
def test_gates_that_vanish_together_still_share(f, i, kept):
    cell = build(MinLSTMCell, torch.float32)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.bias_ih.copy_(torch.tensor([f, i, 0.0]).repeat_interleave(5))
    h = torch.ones(2, 5, requires_grad=True)

    new = cell(torch.zeros(2, 3), h)
    grads = torch.autograd.grad(new.sum(), (h, *cell.parameters()))

    torch.testing.assert_close(new, torch.full_like(new, kept))
    assert all(gradient.isfinite().all() for gradient in grads)
