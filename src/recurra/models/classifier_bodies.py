"""From vectors of a sequence to one vector: the parts in which classifiers differ."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.errors import ArgumentError, ChoiceError
from recurra.layers import POOLINGS, AttentionPooling, Recurrent, last_step, max_steps, mean_steps, valid_steps

WINDOW_SIZES = (3, 4, 5)
"""Steps of the windows that Kim 2014 has."""


class RecurrentBody(nn.Module):
    """Recurrent layers, and one vector of what they give.

        y = recurrent(x)
        pooled = last, mean, maximum or attention over the valid steps of y

    Args:
        input_size: Width of the input.
        pooling: How all steps become one vector: one of ``recurra.layers.POOLINGS``. "last" is the last valid step of
            the forward direction and the first of the reverse one, so that each has read the whole sequence.
        recurrent: Options of :class:`recurra.Recurrent`.

    Raises:
        ChoiceError: When ``pooling`` is unknown.
        ArgumentError: When ``pooling`` is "last" and the outputs of two directions cannot be told apart.
    """

    def __init__(self, input_size: int, *, pooling: str = "max", **recurrent: Any) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ChoiceError("pooling of Classifier", pooling, POOLINGS)
        self.pooling = pooling
        self.recurrent = Recurrent(input_size=input_size, **recurrent)
        self.output_size = self.recurrent.output_size
        self._check_last()
        self.attention = AttentionPooling(self.output_size) if pooling == "attention" else None

    def _check_last(self) -> None:
        layer = self.recurrent
        is_mixed = layer.merge_mode != "concat" or layer.projection_size is not None
        if self.pooling == "last" and layer.bidirectional and is_mixed:
            raise ArgumentError(
                "Classifier expected merge_mode='concat' and no projection_size with pooling='last' of two "
                f"directions, which end at different steps, got merge_mode={layer.merge_mode!r} and "
                f"projection_size={layer.projection_size}",
                hint="take pooling='mean', 'max' or 'attention'",
            )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector a row (B, output_size) of x (T, B, I)."""
        output, _ = self.recurrent(x, lengths=lengths)
        lengths = lengths.to(output.device)
        if self.attention is not None:
            pooled, _ = self.attention(output, lengths)
            return cast(Tensor, pooled)
        if self.pooling == "last":
            return last_step(output, lengths, is_bidirectional=self.recurrent.bidirectional)
        return mean_steps(output, lengths) if self.pooling == "mean" else max_steps(output, lengths)

    def attention_weights(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return how much each step counts (T, B) in the vectors of x (T, B, I).

        Raises:
            ArgumentError: When the pooling is another.
        """
        if self.attention is None:
            raise ArgumentError(f"attention_weights expected a model with pooling='attention', got {self.pooling!r}")
        output, _ = self.recurrent(x, lengths=lengths)
        _, weights = self.attention(output, lengths.to(output.device))
        return cast(Tensor, weights)


class ConvolutionBody(nn.Module):
    """Windows of several sizes at every step, and the maximum of each filter over the sequence.

        c_t = relu(W [x_t-a .. x_t+b] + d)     for each window size, with zeros beyond both ends
        pooled = maximum over valid t of c_t   of all sizes, side by side

    Args:
        input_size: Width of the input.
        num_filters: Filters of each window size.
        window_sizes: Steps of the windows.

    Source: Kim 2014, Convolutional Neural Networks for Sentence Classification, arXiv 1408.5882. Differs: windows reach
    beyond the ends by half their size, so that every valid step is the middle of one, also in the shortest sequence.
    """

    def __init__(self, input_size: int, num_filters: int, window_sizes: Sequence[int] = WINDOW_SIZES) -> None:
        super().__init__()
        self.window_sizes = tuple(window_sizes)
        self.convolutions = nn.ModuleList(nn.Conv1d(input_size, num_filters, size) for size in window_sizes)
        self.output_size = num_filters * len(window_sizes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector a row (B, output_size) of x (T, B, I)."""
        lengths = lengths.to(x.device)
        is_valid = valid_steps(lengths, len(x))
        rows = x.masked_fill(~is_valid.unsqueeze(-1), 0).permute(1, 2, 0)  # (B, I, T)
        pooled = []
        for size, convolution in zip(self.window_sizes, self.convolutions, strict=True):
            filtered = convolution(functional.pad(rows, ((size - 1) // 2, size // 2)))  # (B, F, T)
            # relu keeps the order, and so may come behind the maximum
            pooled.append(functional.relu(max_steps(filtered.permute(2, 0, 1), lengths)))  # (B, F)
        return torch.cat(pooled, -1)

    @staticmethod
    def count_parameters(input_size: int, num_filters: int, window_sizes: Sequence[int] = WINDOW_SIZES) -> int:
        """Return the number of parameters of such a body."""
        return sum(size * input_size * num_filters + num_filters for size in window_sizes)


class AverageBody(nn.Module):
    """The mean of all steps, and fully connected layers: a deep averaging network.

        h_0 = mean over valid t of x_t
        h_k = relu(W_k dropout(h_k-1) + b_k)

    Args:
        input_size: Width of the input.
        hidden_size: Units of each layer.
        num_layers: Layers.
        dropout: Probability that an output is zeroed between two layers, in training.

    Source: Iyyer et al. 2015, Deep Unordered Composition Rivals Syntactic Methods for Text Classification, ACL.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [input_size, *[hidden_size] * num_layers]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.output_size = hidden_size

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector a row (B, output_size) of x (T, B, I)."""
        h = mean_steps(x, lengths.to(x.device))  # (B, I)
        for place, layer in enumerate(self.layers):
            h = functional.relu(layer(self.dropout(h) if place else h))  # (B, H)
        return h

    @staticmethod
    def count_parameters(input_size: int, hidden_size: int, num_layers: int = 1) -> int:
        """Return the number of parameters of such a body."""
        widths = [input_size, *[hidden_size] * num_layers]
        return sum(below * above + above for below, above in itertools.pairwise(widths))


__all__ = ["WINDOW_SIZES", "AverageBody", "ConvolutionBody", "RecurrentBody"]
