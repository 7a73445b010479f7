"""Carrying a recurrent state from one window of truncated backpropagation through time to the next."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.training.protocol import State


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply a function to every tensor of a state, keeping its structure.

    Raises:
        ArgumentError: When the state holds something that checkpoints could not give back as it was.
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return function(state)
    if type(state) is dict:
        return {name: map_state(function, part) for name, part in state.items()}
    if type(state) in (tuple, list):
        return type(state)(map_state(function, part) for part in state)
    raise ArgumentError(
        f"a task's state is a tensor, None, or nested tuples, lists and dicts of these; got {type(state).__name__}"
    )


def detach_state(state: State) -> State:
    """Cut a state from the graph that made it: gradients end at the window's border."""
    return map_state(Tensor.detach, state)


def state_to(state: State, device: torch.device) -> State:
    """Return a state on a device."""
    return map_state(lambda tensor: tensor.to(device), state)
