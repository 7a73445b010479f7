"""Ordered neurons: chunks, and the two ways of writing the gates."""

import numpy as np
import pytest
import torch

from recurra.cells import ONLSTMCell
from recurra.errors import ArgumentError
from recurra.loop import unroll


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def cumax(v):
    e = np.exp(v - v.max(-1, keepdims=True))
    return np.cumsum(e / e.sum(-1, keepdims=True), -1)


def equivalent_step(cell, x, h, c):
    """The other form of the gates: F (f I + 1 - I) and I (i F + 1 - F)."""
    n, chunks, size = cell.hidden_size, cell.hidden_size // cell.chunk_size, cell.chunk_size
    sums = x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T
    rows = np.split(sums.detach().numpy(), [n, 2 * n, 3 * n, 4 * n, 4 * n + chunks], -1)
    i, f, o = sigmoid(rows[0]), sigmoid(rows[1]), sigmoid(rows[3])
    enter = np.repeat(1 - cumax(rows[4]), size, -1)
    stay = np.repeat(cumax(rows[5]), size, -1)
    c = stay * (f * enter + 1 - enter) * c.numpy() + enter * (i * stay + 1 - stay) * np.tanh(rows[2])
    return o * np.tanh(c), c


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 6])
def test_a_step_equals_the_equivalent_form_with_repeated_chunks(chunk_size):
    torch.manual_seed(0)
    cell = ONLSTMCell(4, 6, chunk_size=chunk_size, dtype=torch.float64)
    torch.nn.init.normal_(cell.bias_ih)
    x, h, c = (torch.randn(3, width, dtype=torch.float64) for width in (4, 6, 6))

    found = cell(x, (h, c))

    for a, b in zip(found, equivalent_step(cell, x, h, c), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=1e-12, atol=1e-14)


def test_with_one_chunk_the_memory_never_changes():
    torch.manual_seed(0)
    cell = ONLSTMCell(4, 6, chunk_size=6)
    h, c = torch.randn(2, 3, 6)

    _, (_, last) = unroll(cell, torch.randn(7, 3, 4), (h, c), engine="eager")

    assert torch.equal(last, c)


def test_a_master_gate_has_one_row_a_chunk():
    cell = ONLSTMCell(7, 20, chunk_size=10)

    sizes = [part.shape[-1] for part in cell.from_input(torch.zeros(1, 7))]

    assert sizes == [20, 20, 20, 20, 2, 2]
    assert sum(p.numel() for p in cell.parameters()) == (4 * 20 + 2 * 20 // 10) * (7 + 20 + 1)


def test_chunks_run_on_the_native_engine():
    torch.manual_seed(0)
    cell = ONLSTMCell(4, 6, chunk_size=3, dtype=torch.float64)
    x = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)

    results = []
    for engine in ("eager", "native"):
        output, _ = unroll(cell, x, engine=engine)
        results.append((output, *torch.autograd.grad(output.square().sum(), (x, *cell.parameters()))))

    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("chunk_size", "message"),
    [
        (0, "chunk_size to be an integer of at least 1, got 0"),
        (2.0, "chunk_size to be an integer of at least 1, got 2.0"),
        (4, "chunk_size to divide hidden_size=6, got 4"),
        (12, "chunk_size to divide hidden_size=6, got 12"),
    ],
)
def test_a_chunk_size_that_does_not_divide_is_an_error(chunk_size, message):
    with pytest.raises(ArgumentError, match=f"^ONLSTMCell expected {message}"):
        ONLSTMCell(4, 6, chunk_size=chunk_size)


def test_repr_shows_the_chunk_size():
    assert repr(ONLSTMCell(4, 6, chunk_size=3)) == "ONLSTMCell(4, 6, chunk_size=3)"
    assert repr(ONLSTMCell(4, 6)) == "ONLSTMCell(4, 6)"
