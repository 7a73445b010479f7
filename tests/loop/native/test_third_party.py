"""Every cell of torchrecurrent runs natively as it is, and equals eager and the package's own layer."""

import pytest
import torch

from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, D, as_tuple, check_against_eager

torchrecurrent = pytest.importorskip("torchrecurrent", reason="torchrecurrent is a development dependency")

NAMES = sorted(name for name in torchrecurrent.__all__ if name.endswith("Cell"))
RETURNS_OUTPUT = {"IntersectionRNNCell", "MCLSTMCell", "TLSTMCell"}
"""These return (output, state), as their base class says; here they are told to Recurra."""
UNSUPPORTED: dict[str, str] = {}
"""Cells that cannot run natively, and a part of the message that says why."""
SQUARE = {"IntersectionRNNCell"}
"""Their input must be as wide as their state."""

SUPPORTED = [name for name in NAMES if name not in UNSUPPORTED]


class Delayed(torch.nn.Module):
    """tauGRU's step as its layer runs it with a delay of one: it also takes the state before the last."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.state_size = (cell.hidden_size,) * 2

    def initial_state(self, batch_size):
        return tuple(torch.zeros(batch_size, width, dtype=D) for width in self.state_size)

    def forward(self, x, state):
        h, delayed = state
        return self.cell(x, h, delayed), h


WITH_STATE_OF_THE_LAYER = {"tauGRUCell": Delayed}
"""Where the layer carries more from step to step than (x, state) shows."""


def build(name, hidden_size=4):
    """Return the package's layer, its only cell, and the input's width."""
    torch.manual_seed(3)
    width = hidden_size if name in SQUARE else 3
    layer = getattr(torchrecurrent, name.removesuffix("Cell"))(width, hidden_size, dtype=D).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            # zeros and ones, as biases start, would hide a wrong term
            parameter.add_(0.3 * torch.randn_like(parameter))
    cell = layer.cells[0]
    if name in RETURNS_OUTPUT:
        cell.returns_output = True
    return layer, cell, width


def flat(state):
    return [state] if isinstance(state, torch.Tensor) else [tensor for part in state for tensor in flat(part)]


def test_the_package_has_the_cells_that_are_known_here():
    assert len(NAMES) == 41
    assert set(NAMES) >= set(UNSUPPORTED) | RETURNS_OUTPUT | SQUARE
    for name in NAMES:
        _, cell, _ = build(name)
        is_decoupled = any("Decoupled" in base.__name__ for base in type(cell).__mro__)
        assert is_decoupled == (name in RETURNS_OUTPUT), name


@pytest.mark.parametrize("name", SUPPORTED)
def test_native_equals_eager_in_values_and_gradients(name):
    _, cell, width = build(name)
    x = torch.randn(5, 4, width, dtype=D, requires_grad=True)
    form = unroll(cell, x[:1], engine="eager")[1]
    parts = [(torch.randn_like(s) / 2).requires_grad_() for s in as_tuple(form)]
    state = parts[0] if isinstance(form, torch.Tensor) else tuple(parts)
    reset = torch.zeros(5, 4, dtype=torch.bool)
    reset[2, 1] = reset[0, 2] = True

    check_against_eager(cell, x, state, lengths=[5, 3, 0, 4], reset=reset, reverse=name < "M")


@pytest.mark.parametrize("name", SUPPORTED)
def test_native_equals_the_package_s_own_layer(name):
    layer, cell, width = build(name)
    x = torch.randn(6, 3, width, dtype=D, requires_grad=True)
    weights = list(cell.parameters())
    cell = WITH_STATE_OF_THE_LAYER.get(name, lambda cell: cell)(cell)

    def gradients(output, state):
        states = flat(state)[: len(flat(wanted_last))]
        total = output.sin().sum() + sum((s.cos() * (k + 1)).sum() for k, s in enumerate(states))
        return torch.autograd.grad(total, (x, *weights), allow_unused=True, materialize_grads=True)

    output, last = unroll(cell, x, engine=ENGINE)
    wanted, wanted_last = layer(x)

    torch.testing.assert_close(output, wanted, rtol=1e-10, atol=1e-12)
    # the layer's states have an axis of layers, which some of its cells' states lack
    for ours, theirs in zip(flat(last)[: len(flat(wanted_last))], flat(wanted_last), strict=True):
        torch.testing.assert_close(ours, theirs.reshape(ours.shape), rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(gradients(output, last), gradients(wanted, wanted_last), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_what_cannot_run_natively_says_why(name):
    from recurra.errors import UnsupportedCellError

    _, cell, width = build(name)

    with pytest.raises(UnsupportedCellError, match=UNSUPPORTED[name]):
        unroll(cell, torch.randn(5, 4, width, dtype=D), engine=ENGINE)
