"""Averaged weights: the mean over the later part of training, begun once validations stop improving (NT-ASGD).

Source: Polyak, Juditsky 1992, Acceleration of stochastic approximation by averaging; Merity, Keskar, Socher 2018,
arXiv 1708.02182, algorithm 1. Differs: any optimiser may take the steps, and validations come when the run has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from recurra.training.metrics import improves


def is_non_monotone(value: float, earlier: Sequence[float], patience: int, higher_is_better: bool) -> bool:
    """Say whether a validation is worse than the best of the earlier ones, the latest ``patience`` of them left out.

    Args:
        value: The validation in question.
        earlier: Those before it, oldest first.
        patience: The interval n of the algorithm.
        higher_is_better: Which way the figure improves.
    """
    compared = earlier[: max(len(earlier) - patience, 0)]
    return any(improves(old, value, higher_is_better) for old in compared)


class WeightAverage:
    """Keeps the mean of a model's trained parameters, from the weights at the trigger on.

    Sums are float64: a mean that moves by 1/n of a difference would stand still in float32 after some 100,000 steps.

    Args:
        model: The model, on its device; it always holds the raw weights but inside ``in_use``.
        patience: The interval n of the algorithm, in validations.

    Attributes:
        began_at: Step of the trigger; None before it.
        num_averaged: How many weights the mean is over, those at the trigger included.
    """

    def __init__(self, model: nn.Module, patience: int) -> None:
        # tied parameters come once
        self._parameters = {name: part for name, part in model.named_parameters() if part.requires_grad}
        self._patience = patience
        self._values: list[float] = []
        self._sums: dict[str, Tensor] = {}
        self.began_at: int | None = None
        self.num_averaged = 0

    def observe_validation(self, value: float, step: int, higher_is_better: bool) -> bool:
        """Take in the figure of a validation, and say whether averaging begins with it."""
        if self.began_at is not None:
            return False
        begins = is_non_monotone(value, self._values, self._patience, higher_is_better)
        self._values.append(value)
        if begins:
            self.began_at, self.num_averaged = step, 1
            self._sums = {name: _summed(parameter) for name, parameter in self._parameters.items()}
        return begins

    def observe_step(self) -> None:
        """Take in the weights after a step; nothing happens before averaging began."""
        if self.began_at is None:
            return
        for name, parameter in self._parameters.items():
            self._sums[name].add_(parameter.detach().to(self._sums[name].device))
        self.num_averaged += 1

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the model hold the mean inside, once averaging began, and its raw weights again afterwards."""
        if self.began_at is None:
            yield
            return
        raw = self._raw()
        self._put({name: total / self.num_averaged for name, total in self._sums.items()})
        try:
            yield
        finally:
            self._put(raw)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside the weights in use."""
        return {
            "values": list(self._values),
            "began_at": self.began_at,
            "num_averaged": self.num_averaged,
            "sums": dict(self._sums),
            "raw": {} if self.began_at is None else self._raw(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` returned: the model holds its raw weights again."""
        self._values, self.began_at = state["values"], state["began_at"]
        self.num_averaged = state["num_averaged"]
        if self.began_at is not None:
            self._sums = {
                name: state["sums"][name].to(_sum_device(parameter)) for name, parameter in self._parameters.items()
            }
            self._put(state["raw"])

    def _raw(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        # in place: compiled kernels and cuDNN hold on to where the weights lie
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])


def _summed(parameter: nn.Parameter) -> Tensor:
    # a copy even where the parameter is float64 itself
    return parameter.detach().to(_sum_device(parameter)).to(torch.float64, copy=True)


def _sum_device(parameter: nn.Parameter) -> torch.device:
    # Apple's GPUs have no float64
    return torch.device("cpu") if parameter.device.type == "mps" else parameter.device
