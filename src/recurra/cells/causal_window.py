"""Windows of inputs: each step with those before it."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.errors import ArgumentError, ShapeError


def check_window(who: str, window: object) -> int:
    """Return ``window`` if it is an integer of at least two.

    Raises:
        ArgumentError: When it is not; a bool is no integer here.
    """
    if isinstance(window, bool) or not isinstance(window, int) or window < 2:
        raise ArgumentError(f"{who} expected window to be an integer of at least 2, got {window!r}")
    return window


def causal_window(x: Tensor, window: int, previous: Tensor | None = None) -> tuple[Tensor, ...]:
    """Return each step of a sequence with the steps before it, as a quasi-recurrent cell takes them.

    The tensors returned are views of one copy of x. Windows look back in time and know of no resets: a pass in
    reverse, or one whose state is reset on the way, needs the bare x.

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
    lags = check_window("causal_window", window) - 1
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
