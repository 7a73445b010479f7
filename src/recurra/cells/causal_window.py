"""Windows of inputs: each step with those before it."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.checks import check_size
from recurra.cells.sequence_call import SequenceCall
from recurra.errors import ShapeError


def causal_window(x: Tensor, window: int, previous: Tensor | None = None) -> tuple[Tensor, ...]:
    """Return each step of a sequence with the steps before it, as a quasi-recurrent cell takes them.

    The tensors returned are views of one copy of x. These windows look back in time and know of no resets, so a pass in
    reverse, or one whose state is reset on the way, is to be given the bare x: :func:`recurra.unroll` then makes the
    windows of that call, as it does in every call with the bare x.

    Args:
        x: Inputs (T, B, I), time first.
        window: Steps k that a window holds, at least 2.
        previous: The k - 1 inputs before the first, (B, (k - 1) * I) with the newest first: the state p of the cell
            after an earlier part of the sequence. ``None`` is zeros.

    Returns:
        k tensors (T, B, I): x_t, x_{t-1}, ..., x_{t-k+1}.

    Raises:
        ArgumentError: When ``window`` is not an integer of at least 2.
        ShapeError: When ``x`` or ``previous`` is of another shape.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1)
        >>> [lag.flatten().tolist() for lag in causal_window(x, 2)]
        [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]]
    """
    lags = check_size("causal_window", "window", window, at_least=2) - 1
    if x.dim() != 3:
        raise ShapeError(f"causal_window expected x of shape (time, batch, input_size), got {tuple(x.shape)}")
    num_steps, batch_size, input_size = x.shape
    if previous is None:
        previous = x.new_zeros(batch_size, lags * input_size)
    if previous.shape != (batch_size, lags * input_size):
        raise ShapeError(
            f"causal_window expected previous of shape (batch={batch_size}, (window - 1) * input_size="
            f"{lags * input_size}), got {tuple(previous.shape)}"
        )
    oldest_first = previous.reshape(batch_size, lags, input_size).transpose(0, 1).flip(0)  # (k - 1, B, I)
    extended = torch.cat((oldest_first, x))
    return tuple(extended[lags - lag : lags - lag + num_steps] for lag in range(window))


def lagged_inputs(x: Tensor, lags: int, previous: Tensor, call: SequenceCall, initial: Tensor) -> tuple[Tensor, ...]:
    """Return, for each lag, the input so many steps before each step of a call, as its order and its resets have it.

    At a step that resets, the inputs before are those of ``initial``; at a row's first step those of ``previous``.
    In reverse the step before is the later one, and a row's first step is its last valid one. What is returned for
    steps behind a row's length is of no meaning.

    Args:
        x: Inputs (T, B, I).
        lags: Inputs that a step looks back on.
        previous: The inputs before the first step, (B, lags * I) with the newest first.
        call: Lengths, resets and direction.
        initial: The inputs before a step that resets, as ``previous``.

    Returns:
        ``lags`` tensors (T, B, I), the newest inputs first.
    """
    num_steps = x.shape[0]
    is_first = _first_steps(x, call.lengths) if call.reverse and call.lengths is not None else None
    is_reset = None if call.reset is None else call.reset.unsqueeze(-1).to(x.device)
    found = [x]
    for before, at_reset in zip(previous.chunk(lags, -1), initial.chunk(lags, -1), strict=True):
        if call.reverse:
            lag = torch.cat((found[-1], before.unsqueeze(0)))[1:]
        else:
            lag = torch.cat((before.unsqueeze(0), found[-1]))[:num_steps]
        if is_first is not None:
            lag = torch.where(is_first, before, lag)
        found.append(lag if is_reset is None else torch.where(is_reset, at_reset, lag))
    return tuple(found[1:])


def _first_steps(x: Tensor, lengths: Tensor) -> Tensor:
    """Return where a pass in reverse begins, (T, B, 1)."""
    steps = torch.arange(x.shape[0]).unsqueeze(1)
    return (steps == lengths - 1).unsqueeze(-1).to(x.device)
