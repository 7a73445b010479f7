"""Label smoothing: a part of each target is spread over all symbols."""

from __future__ import annotations

from torch import Tensor

from recurra.data import IGNORE_INDEX
from recurra.models.output_layers import FullSoftmax


def smoothing_cost(layer: FullSoftmax, output: Tensor, targets: Tensor) -> Tensor:
    """Return by how much spread targets cost more than the right ones, in nats; zero where no target counts.

        mean over v of -log p_v  -  (-log p_t)  =  logit_t - mean over v of logit_v

    The cost of a target of which a share e is spread is its own cost plus e times this. No array of logits is made:
    the mean of the logits is the logit of the mean weight.

    Args:
        layer: The output layer.
        output: Its inputs. Shape (T, B, H).
        targets: Ids or ``IGNORE_INDEX``. Shape (T, B), int64.

    Returns:
        Shape (T, B).

    Source: Szegedy et al. 2016, arXiv 1512.00567, section 7.
    """
    is_counted = targets != IGNORE_INDEX
    ids = targets.masked_fill(~is_counted, 0)
    weight = layer.weight[ids] - layer.weight.mean(0)  # (T, B, H)
    more = (output * weight).sum(-1) + layer.bias[ids] - layer.bias.mean()
    return more.masked_fill(~is_counted, 0)
