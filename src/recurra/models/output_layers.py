"""From a model's output to the next symbol: all symbols at once, or rare ones in classes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from recurra.data import IGNORE_INDEX
from recurra.errors import ConfigError
from recurra.models.cross_entropy import linear_cross_entropy


class FullSoftmax(nn.Linear):
    """A linear layer with one output a symbol.

    Args:
        input_size: Width of the input.
        vocab_size: Number of symbols.
    """

    def __init__(self, input_size: int, vocab_size: int) -> None:
        super().__init__(input_size, vocab_size)

    def logits(self, input: Tensor) -> Tensor:
        """Return the logits (..., V) of inputs (..., H)."""
        return self.forward(input)

    def nll(self, input: Tensor, targets: Tensor) -> Tensor:
        """Return what targets (N,) cost in nats after inputs (N, H), see :func:`linear_cross_entropy`."""
        return linear_cross_entropy(input, self.weight, self.bias, targets)

    def symbol_axes(self) -> dict[str, int]:
        """Return the parameters that have an axis of symbols, with that axis."""
        return {"weight": 0, "bias": 0}


class AdaptiveSoftmax(nn.AdaptiveLogSoftmaxWithLoss):
    """Frequent symbols in a head, rarer ones in tails that are narrower and seldom read.

    The head's classes are the symbols below the first cutoff and the tails; a symbol of a tail has the probability of
    the tail times its own in it. Its parameters are those of torch.nn.AdaptiveLogSoftmaxWithLoss.

    Args:
        input_size: Width of the input. Tail k = 1, 2, ... is ``input_size // 4**k`` wide.
        vocab_size: Number of symbols; their ids fall in frequency.
        cutoffs: First id of each tail, rising.

    Raises:
        ConfigError: When cutoffs do not rise within the vocabulary, or are more than the input's width allows.

    Source: Grave et al. 2017, Efficient softmax approximation for GPUs, arXiv 1609.04309.
    """

    def __init__(self, input_size: int, vocab_size: int, cutoffs: Sequence[int]) -> None:
        cuts = list(cutoffs)
        if cuts != sorted(set(cuts)) or not all(0 < cut < vocab_size for cut in cuts):
            raise ConfigError(
                f"adaptive_cutoffs expected numbers that rise between 0 and the {vocab_size} symbols, "
                f"got {' '.join(map(str, cuts))}"
            )
        if input_size < 4 ** len(cuts):
            raise ConfigError(
                f"adaptive_cutoffs of {len(cuts)} tails expected an output of the layers of at least "
                f"{4 ** len(cuts)} numbers, as each tail is a fourth as wide as the one before, got {input_size}"
            )
        super().__init__(input_size, vocab_size, cuts, div_value=4.0)

    def logits(self, input: Tensor) -> Tensor:
        """Return the logarithms of the probabilities (..., V) of all symbols after inputs (..., H)."""
        return self.log_prob(input.flatten(0, -2)).view(*input.shape[:-1], self.n_classes)

    def nll(self, input: Tensor, targets: Tensor) -> Tensor:
        """Return what targets (N,) cost in nats after inputs (N, H).

        Raises:
            IndexError: When a target is no symbol, as torch raises it for the linear layer.
        """
        firsts = self.cutoffs[:-1]
        # 0 for the head, k for tail k; an id beyond the last symbol counts to the last tail, which refuses it
        places = torch.stack([targets >= first for first in firsts]).sum(0)  # (N,)
        classes = torch.where(places == 0, targets, self.shortlist_size - 1 + places)
        nll = linear_cross_entropy(input, self.head.weight, self.head.bias, classes)
        for number, (first, tail) in enumerate(zip(firsts, self.tail, strict=True), start=1):
            narrow, classify = cast(Sequence[nn.Linear], tail)
            # no row may be here: then the tail's gradients are zero, and all parameters have theirs in every step
            rows = (places == number).nonzero().squeeze(1)
            narrowed = narrow(input.index_select(0, rows))
            within = linear_cross_entropy(narrowed, classify.weight, None, targets.index_select(0, rows) - first)
            nll = nll.index_add(0, rows, within)
        return nll

    def symbol_axes(self) -> dict[str, int]:
        """Return no parameter: an id's place says what is known of it, so that no symbol can be moved."""
        return {}


OutputLayer = FullSoftmax | AdaptiveSoftmax
"""What gives ``logits`` of all symbols, and ``nll``, the cost of the right ones alone."""


def nll_where_counted(layer: OutputLayer, output: Tensor, targets: Tensor) -> Tensor:
    """Return what each target costs in nats; zero where it is ``IGNORE_INDEX``, and there nothing is computed.

    Args:
        layer: The output layer.
        output: Its inputs. Shape (T, B, H).
        targets: Ids or ``IGNORE_INDEX``. Shape (T, B), int64.
    """
    inputs, flat = output.flatten(0, 1), targets.flatten()  # (T*B, H), (T*B,)
    is_counted = flat != IGNORE_INDEX
    if is_counted.all():
        return layer.nll(inputs, flat).view(targets.shape)
    rows = is_counted.nonzero().squeeze(1)
    nll = layer.nll(inputs.index_select(0, rows), flat.index_select(0, rows))
    return nll.new_zeros(flat.shape).index_copy(0, rows, nll).view(targets.shape)
