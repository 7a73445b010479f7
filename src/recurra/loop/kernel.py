"""The engine "torch": torch's fused sequence functions, for cells that are exactly torch's.

Gradients are torch's own, second ones too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recurra.cells import ElmanCell, ElmanReLUCell, GRUCell, LSTMCell, ProjectedLSTMCell
from recurra.loop.computed_weights import tensors_computed
from recurra.loop.obstacles import find_hooks, find_obstacle_around, find_obstacle_in_tensors
from recurra.loop.packing import packed_batch_sizes, packed_index
from recurra.loop.parametrized import plain_type, step_modules
from recurra.loop.plan import Plan

_VF: Any = torch._VF  # the entry that torch.nn.LSTM itself uses
_FUNCTIONS: dict[type, Callable[..., Any]] = {
    ElmanCell: _VF.rnn_tanh,
    ElmanReLUCell: _VF.rnn_relu,
    GRUCell: _VF.gru,
    LSTMCell: _VF.lstm,
    ProjectedLSTMCell: _VF.lstm,
    torch.nn.GRUCell: _VF.gru,
    torch.nn.LSTMCell: _VF.lstm,
}


def find_function(cell: torch.nn.Module) -> Callable[..., Any] | None:
    """Return torch's fused function for ``cell``; ``None`` where there is none, also for a subclass."""
    kind = plain_type(cell)
    if kind is torch.nn.RNNCell:
        return {"tanh": _VF.rnn_tanh, "relu": _VF.rnn_relu}.get(str(cell.nonlinearity))
    return _FUNCTIONS.get(kind)


def name_of_function(cell: torch.nn.Module) -> str:
    """Return the name of torch's fused function for ``cell``, such as "lstm"."""
    function: Any = find_function(cell)
    name: str = function.__name__
    return name


def find_obstacle(plan: Plan) -> str:
    """Say why torch's functions cannot run this call; empty if they can."""
    return _obstacle_in_cell(plan.cell) or _obstacle_in_call(plan)


def _obstacle_in_cell(cell: torch.nn.Module) -> str:
    if find_function(cell) is None:
        return "it is none of torch's own recurrences"
    if "forward" in cell.__dict__:
        return "its forward was replaced"
    hooks = find_hooks(step_modules(cell))
    if hooks:
        return hooks
    if (cell.bias_ih is None) != (cell.bias_hh is None):
        return "it has one bias of two"
    return ""


def _obstacle_in_call(plan: Plan) -> str:
    if plan.reset is not None:
        return "reset is given"
    if plan.is_tuple:
        return "a step takes a tuple"
    weight: Any = plan.cell.weight_ih
    weights = [weight, *tensors_computed(plan.cell)]
    obstacle = find_obstacle_around(plan, weights) or find_obstacle_in_tensors(plan, weights)
    if not obstacle and plan.x[0].device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return "autocast is on, which torch's functions do not follow on the CPU"
    return obstacle


def run_torch(plan: Plan) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a call that has no obstacle.

    Returns:
        The outputs (num_steps, B, H), zero where a row has ended, and the states after each row's last step.
    """
    return _run_dense(plan) if plan.lengths is None else _run_packed(plan, plan.lengths)


def _run_dense(plan: Plan) -> tuple[Tensor, tuple[Tensor, ...]]:
    x = plan.x[0].flip(0) if plan.reverse else plan.x[0]
    output, state = _call(plan.cell, (x,), plan.state, batch_first=(False,))
    return output.flip(0) if plan.reverse else output, state


def _run_packed(plan: Plan, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    x = plan.x[0]
    num_steps, batch_size = x.shape[:2]
    sorted_lengths, order = lengths.sort(descending=True, stable=True)
    sorted_lengths = sorted_lengths[sorted_lengths > 0]
    rows = order[: len(sorted_lengths)]
    batch_sizes = packed_batch_sizes(sorted_lengths)
    index = packed_index(batch_sizes, rows, batch_size, sorted_lengths if plan.reverse else None).to(x.device)
    rows = rows.to(x.device)
    packed = x.reshape(num_steps * batch_size, -1).index_select(0, index)
    state = tuple(s.index_select(0, rows) for s in plan.state)
    output, left = _call(plan.cell, (packed, batch_sizes), state, batch_first=())
    padded = output.new_zeros(num_steps * batch_size, output.shape[-1]).index_copy(0, index, output)
    last = tuple(old.index_copy(0, rows, new) for old, new in zip(plan.state, left, strict=True))
    return padded.view(num_steps, batch_size, -1), last


def _call(
    cell: torch.nn.Module, sequence: tuple[Tensor, ...], state: tuple[Tensor, ...], *, batch_first: tuple[bool, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    function = find_function(cell)
    assert function is not None
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    weights = [weight for name in names if (weight := getattr(cell, name, None)) is not None]
    has_biases = cell.bias_ih is not None
    layers = tuple(s.unsqueeze(0) for s in state)
    # cuDNN can only be differentiated in its training mode, which has no other effect without dropout
    is_training = torch.is_grad_enabled()
    arguments = (layers[0] if len(layers) == 1 else layers, weights, has_biases)
    # num_layers 1, no dropout, one direction
    options = (1, 0.0, is_training, False, *batch_first)
    with warnings.catch_warnings():
        # torch says so once a process, of a choice between two of its own implementations
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
        output, *left = function(*sequence, *arguments, *options)
    return output, tuple(s.squeeze(0) for s in left)
