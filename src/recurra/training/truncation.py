"""Carrying a recurrent state from one window of truncated backpropagation through time to the next."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from recurra.training.protocol import State


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply a function to every tensor of a state, keeping its structure."""
    if state is None:
        return None
    if isinstance(state, Tensor):
        return function(state)
    return tuple(map_state(function, part) for part in state)


def detach_state(state: State) -> State:
    """Cut a state from the graph that made it: gradients end at the window's border."""
    return map_state(Tensor.detach, state)


def state_to(state: State, device: torch.device) -> State:
    """Return a state on a device."""
    return map_state(lambda tensor: tensor.to(device), state)
