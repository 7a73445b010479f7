"""Moving weights: the device they are on, gradients, clipping and the optimiser's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import ConfigError
from recurra.training.config import TrainingConfig
from recurra.training.optimizers import build_optimizer


class Updater:
    """Takes a model to its device and updates its weights.

    Args:
        model: The model; it is moved.
        config: Optimiser, clipping, device and precision.

    Attributes:
        device: Where the model is.
        wrapped: The model in the precision asked for, to be called in its place.
        optimizer: What moves the weights.

    Raises:
        ConfigError: When the machine has no such accelerator.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        fabric = build_fabric(config)
        self.device: torch.device = fabric.device
        # moved first: optimisers and checkpoints hold on to the parameters themselves
        model.to(self.device)
        self.optimizer = build_optimizer(model, config)
        self.wrapped: nn.Module
        self.wrapped, _ = fabric.setup(model, self.optimizer)
        self._run_backward: Callable[[Tensor], None] = fabric.backward
        self._config = config
        # of a cell that keeps its weights within bounds, as an independently recurrent one does
        found: list[Any] = [getattr(module, "after_update", None) for module in model.modules()]
        self._after_update: list[Callable[[], None]] = [method for method in found if callable(method)]
        self._parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def backward(self, objective: Tensor) -> float:
        """Let gradients flow from a scalar, clip them, and return their total norm before it was limited."""
        self._run_backward(objective)
        if self._config.max_grad_value is not None:
            nn.utils.clip_grad_value_(self._parameters, self._config.max_grad_value)
        norm = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        value = float(norm)
        if self._config.max_grad_norm is not None and value > self._config.max_grad_norm:
            nn.utils.clip_grads_with_norm_(self._parameters, self._config.max_grad_norm, norm)
        return value

    def update(self, lr: float) -> None:
        """Take one step of the optimiser at a learning rate, and forget the gradients.

        Modules that have a method ``after_update`` are called then.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        for after_update in self._after_update:
            after_update()


def build_fabric(config: TrainingConfig) -> Any:
    """Return the Fabric that a configuration asks for.

    Raises:
        ConfigError: When the machine has no such accelerator.
    """
    from lightning_fabric import Fabric  # slow to import, and needed by training alone

    try:
        fabric = Fabric(accelerator=config.accelerator, devices=1, precision=config.precision)
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"accelerator {config.accelerator!r} cannot be used here: {error}") from error
    return fabric
