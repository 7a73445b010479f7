"""What a call shows of a cell that declares nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import recurra
from recurra.errors import UnsupportedCellError
from recurra.loop import Layout, find_layout
from recurra.loop.probing import like_weights


class NeedsState(torch.nn.Module):
    """Takes no step without a state, and tells the first one."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(input_size, hidden_size)
        self.hidden_size = hidden_size

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        weight = self.inner.weight
        return weight.new_ones(batch_size, self.hidden_size), weight.new_zeros(batch_size, 1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, clock = state
        return torch.tanh(self.inner(x) + h), clock + 1


class NeedsStateOnly(NeedsState):
    initial_state = None


def test_a_cell_that_tells_its_initial_state_shows_its_widths_from_there() -> None:
    assert find_layout(NeedsState(3, 4), 3) == Layout(4, (4, 1), False)


def test_such_a_cell_makes_a_layer() -> None:
    torch.manual_seed(0)
    layer = recurra.Recurrent(NeedsState, 3, 4)
    x = torch.randn(5, 2, 3)

    output, (h, clock) = layer(x)

    expected = torch.ones(2, 4)
    cell = next(module for module in layer.modules() if isinstance(module, NeedsState))
    for step in x:
        expected = torch.tanh(cell.inner(step) + expected)
    assert torch.allclose(output[-1], expected, atol=1e-6)
    assert torch.equal(clock, torch.full((1, 2, 1), 5.0))
    assert h.shape == (1, 2, 4)


def test_a_cell_that_tells_nothing_and_needs_a_state_is_an_error() -> None:
    with pytest.raises(UnsupportedCellError, match="NeedsStateOnly was expected to run without a state") as caught:
        find_layout(NeedsStateOnly(3, 4), 3)

    assert caught.value.hint == "pass state, or give the class state_size and output_size"


def test_tensors_are_made_like_the_first_floating_point_weight() -> None:
    module = torch.nn.Module()
    module.register_parameter("places", torch.nn.Parameter(torch.zeros(2, dtype=torch.int64), requires_grad=False))
    plain = like_weights(module).dtype

    module.register_parameter("weight", torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)))

    assert (plain, like_weights(module).dtype) == (torch.get_default_dtype(), torch.float64)
