"""From a sequence to one vector: over valid steps only, whatever stands behind them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

POOLINGS = ("last", "mean", "max", "attention")
"""Ways to make one vector of a sequence."""


def valid_steps(lengths: Tensor, num_steps: int) -> Tensor:
    """Return which steps are valid: bool (T, B), True before the end of each row.

    Args:
        lengths: Valid steps of each row. Shape (B,), integers.
        num_steps: Time T.
    """
    steps = torch.arange(num_steps, device=lengths.device)
    return steps.unsqueeze(1) < lengths.unsqueeze(0)


def last_step(output: Tensor, lengths: Tensor, *, is_bidirectional: bool = False) -> Tensor:
    """Return what has read the whole of each row: the last valid step, and of a reverse direction the first one.

    Args:
        output: Outputs of a layer. Shape (T, B, H); of two directions their halves of H, the forward one first.
        lengths: Valid steps of each row. Shape (B,), int64, on the device of ``output``.
        is_bidirectional: Whether the second half of H reads from the end.

    Returns:
        Shape (B, H); zeros for rows without steps.
    """
    last = (lengths - 1).clamp(min=0)  # (B,)
    ends = output.gather(0, last.view(1, -1, 1).expand(1, -1, output.shape[2])).squeeze(0)  # (B, H)
    if is_bidirectional:
        half = output.shape[2] // 2
        ends = torch.cat((ends[:, :half], output[0, :, half:]), -1)
    return ends.masked_fill((lengths == 0).unsqueeze(-1), 0)


def mean_steps(output: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean of outputs (T, B, H) over the valid steps: (B, H); zeros for rows without steps."""
    is_valid = valid_steps(lengths, len(output)).unsqueeze(-1)
    total = output.masked_fill(~is_valid, 0).sum(0)  # (B, H)
    return total / lengths.clamp(min=1).unsqueeze(-1)


def max_steps(output: Tensor, lengths: Tensor) -> Tensor:
    """Return the maximum of outputs (T, B, H) over the valid steps: (B, H); zeros for rows without steps."""
    is_valid = valid_steps(lengths, len(output)).unsqueeze(-1)
    highest = output.masked_fill(~is_valid, -torch.inf).amax(0)  # (B, H)
    return highest.masked_fill((lengths == 0).unsqueeze(-1), 0)


class AttentionPooling(nn.Module):
    """A mean whose weights are learned from the outputs themselves.

        u_t = tanh(W y_t + b)
        a = softmax over valid t of v . u_t
        pooled = sum over valid t of a_t y_t

    Args:
        input_size: Width of the outputs.
        attention_size: Width of u; None means ``input_size``.

    Source: Yang et al. 2016, Hierarchical Attention Networks for Document Classification, NAACL, equations 5 to 7.
    """

    def __init__(self, input_size: int, attention_size: int | None = None) -> None:
        super().__init__()
        size = attention_size or input_size
        self.projection = nn.Linear(input_size, size)
        self.context = nn.Linear(size, 1, bias=False)

    def forward(self, output: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Pool outputs over their valid steps.

        Args:
            output: Shape (T, B, H).
            lengths: Valid steps of each row. Shape (B,), int64, on the device of ``output``.

        Returns:
            The pooled vectors (B, H), and the weights (T, B): of each row they add up to 1, behind its end they are 0.
            Rows without steps have zeros.
        """
        is_valid = valid_steps(lengths, len(output))  # (T, B)
        output = output.masked_fill(~is_valid.unsqueeze(-1), 0)
        closeness = self.context(torch.tanh(self.projection(output))).squeeze(-1)  # (T, B)
        # the least number and not -inf, of which a row without steps would make NaN
        least = torch.finfo(closeness.dtype).min
        weights = torch.softmax(closeness.masked_fill(~is_valid, least), 0).masked_fill(~is_valid, 0)
        return torch.einsum("tb,tbh->bh", weights, output), weights


__all__ = ["POOLINGS", "AttentionPooling", "last_step", "max_steps", "mean_steps", "valid_steps"]
