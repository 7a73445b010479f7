"""xLSTM's scalar cell: heads, the stabiliser, the first step and the published start."""

import numpy as np
import pytest
import torch

from recurra.cells import SLSTMCell
from recurra.errors import ArgumentError
from recurra.loop import unroll


def build(num_heads=1, dtype=torch.float64, hidden_size=6):
    torch.manual_seed(0)
    cell = SLSTMCell(4, hidden_size, num_heads=num_heads, init="orthogonal", dtype=dtype)
    torch.nn.init.normal_(cell.bias_ih)
    return cell


def dense(cell):
    """The recurrent weights with the zeros between the heads."""
    size = cell.hidden_size // cell.num_heads
    gates = cell.weight_hh.detach().split(cell.hidden_size)
    return torch.cat([torch.block_diag(*gate.split(size)) for gate in gates])


def without_stabiliser(cell, x):
    """Outputs of the equations with plain exponentials."""
    h = c = n = np.zeros((x.shape[1], cell.hidden_size))
    outputs = []
    for x_t in x.numpy():
        sums = x_t @ cell.weight_ih.detach().numpy().T + cell.bias_ih.detach().numpy() + h @ dense(cell).numpy().T
        i, f, z, o = np.split(sums, 4, -1)
        f, o = 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-o))
        c = f * c + np.exp(i) * np.tanh(z)
        n = f * n + np.exp(i)
        h = o * c / n
        outputs.append(h)
    return np.stack(outputs)


@pytest.mark.parametrize(
    ("num_heads", "engine"), [(1, "eager"), (2, "eager"), (3, "eager"), (6, "eager"), (3, "native")]
)
def test_the_stabiliser_leaves_h_unchanged(num_heads, engine):
    cell = build(num_heads)
    x = torch.randn(9, 3, 4, dtype=torch.float64)

    output, _ = unroll(cell, x, engine=engine)

    np.testing.assert_allclose(output.detach().numpy(), without_stabiliser(cell, x), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("gate", range(4))
@pytest.mark.parametrize("value", [-1e4, 1e4])
@pytest.mark.parametrize("engine", ["eager", "native"])
def test_huge_pre_activations_give_finite_states_and_gradients(gate, value, engine):
    cell = build(dtype=torch.float32)
    with torch.no_grad():
        cell.bias_ih[6 * gate : 6 * gate + 6] = value
    x = torch.randn(5, 3, 4, requires_grad=True)

    output, last = unroll(cell, x, engine=engine)
    grads = torch.autograd.grad(output.sum(), (x, *cell.parameters()))

    assert all(tensor.isfinite().all() for tensor in (output, *last, *grads))
    assert output.abs().max() <= 1


def test_a_tiny_input_gate_at_first_still_writes():
    cell = build()
    with torch.no_grad():
        cell.bias_ih[:6] = -1e4

    h, c, n, m = cell(torch.randn(3, 4, dtype=torch.float64))

    assert (m < -9e3).all()
    assert torch.equal(n, torch.ones_like(n))
    assert c.abs().min() > 0
    assert h.abs().min() > 0


def test_the_first_step_is_told_unit_by_unit():
    cell = build()
    x, h, c = (torch.randn(2, width, dtype=torch.float64) for width in (4, 6, 6))
    n = torch.tensor([[0.0, 1.0] * 3], dtype=torch.float64).expand(2, 6)
    m = torch.full((2, 6), 50.0, dtype=torch.float64)

    i, f, _, _ = (a + b for a, b in zip(cell.from_input(x), cell.from_state(h), strict=True))
    _, _, _, found = cell(x, (h, c * n, n, m))

    torch.testing.assert_close(found[:, ::2], i[:, ::2])
    torch.testing.assert_close(found[:, 1::2], torch.nn.functional.logsigmoid(f[:, 1::2]) + 50)


@pytest.mark.parametrize("num_heads", [1, 2, 3, 6])
def test_heads_do_not_see_each_other(num_heads):
    cell = build(num_heads)
    h = torch.randn(3, 6, dtype=torch.float64)

    found = torch.cat(cell.from_state(h), -1)

    torch.testing.assert_close(found, h @ dense(cell).T)
    assert cell.weight_hh.numel() == 4 * 6 * 6 // num_heads


@pytest.mark.parametrize("gates", [("i",), ("o",), ("f", "z"), ("f", "z", "o")])
@pytest.mark.parametrize("num_heads", [1, 2])
def test_some_gates_are_part_of_all(gates, num_heads):
    cell = build(num_heads)
    h = torch.randn(3, 6, dtype=torch.float64)
    wanted = dict(zip(cell.gates, cell.from_state(h), strict=True))

    for gate, product in zip(gates, cell.from_state(h, *gates), strict=True):
        torch.testing.assert_close(product, wanted[gate])


def test_every_heads_block_is_initialised_by_itself():
    for block in build(num_heads=2).weight_hh.split(3):
        torch.testing.assert_close(block @ block.T, torch.eye(3, dtype=torch.float64))


def test_the_published_start_is_that_of_the_released_code():
    cell = SLSTMCell(4, 10, num_heads=2)
    i, f, z, o = cell.bias_ih.detach().numpy().reshape(4, 10)

    u = np.arange(5) / 4
    np.testing.assert_allclose(f, np.tile(5 - 12 * u**0.3, 2), rtol=1e-5)
    assert (f[0], f[4]) == (5, -7)
    assert not np.concatenate((i, z, o)).any()
    assert not cell.weight_hh.any()
    assert cell.weight_ih.any()


def test_heads_of_one_unit_start_with_an_open_forget_gate():
    cell = SLSTMCell(4, 3, num_heads=3)

    assert torch.equal(cell.bias_ih[3:6], torch.full((3,), 5.0))


def test_a_forget_bias_that_is_asked_for_is_kept():
    cell = SLSTMCell(4, 3, gate_biases={"f": 1.0})

    assert torch.equal(cell.bias_ih[3:6], torch.ones(3))


@pytest.mark.parametrize(
    ("num_heads", "message"),
    [
        (0, "num_heads to be an integer of at least 1, got 0"),
        (True, "num_heads to be an integer of at least 1, got True"),
        (4, "num_heads to divide hidden_size=6, got 4"),
    ],
)
def test_a_number_of_heads_that_does_not_divide_is_an_error(num_heads, message):
    with pytest.raises(ArgumentError, match=f"^SLSTMCell expected {message}"):
        SLSTMCell(4, 6, num_heads=num_heads)


def test_repr_shows_the_heads():
    assert repr(SLSTMCell(4, 6, num_heads=2)) == "SLSTMCell(4, 6, num_heads=2)"
