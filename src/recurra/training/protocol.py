"""What the training loop needs of a task, and what it hands back.

Tasks do not inherit from anything here: an object with these methods is a task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

Split = Literal["train", "validation", "test"]
Cursor = Mapping[str, int]
"""Where in the training data the next batch begins; opaque to the loop, which stores it in checkpoints."""

State = Any
"""A recurrent state: a tensor, nested tuples, lists and dicts of tensors, or None for the initial one."""


class Batch(Protocol):
    """A batch of one task, on some device.

    A batch may also have ``lr_factor``, a number above 0 (1 where it has none): the learning rate of its one step is
    multiplied with it, as windows of varied length need it. Rows of figures keep the learning rate without it.
    """

    @property
    def starts_anew(self) -> bool:
        """True when the batch does not go on where the one before it ended: no state is carried into it."""

    @property
    def cursor(self) -> Cursor:
        """Where the batch after this one begins."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""


@dataclass(frozen=True)
class StepResult:
    """What one forward pass over a batch gives.

    Attributes:
        loss: Mean over the targets, in nats; a scalar that gradients flow from.
        num_targets: How many targets the mean is over.
        state: The recurrent state after the batch, to be carried on (the loop detaches it), or None.
        outputs: Whatever the task's own metrics need.
        penalty: Added to the loss for the gradient only, in nats; a scalar. Figures and checks are of the loss alone.
    """

    loss: Tensor
    num_targets: int
    state: State = None
    outputs: Any = None
    penalty: Tensor | None = None


class Metric(Protocol):
    """Accumulates over an evaluation; ``recurra.training.metrics`` has the common ones."""

    higher_is_better: bool

    def update(self, result: StepResult) -> None:
        """Take in one batch."""

    def compute(self) -> float:
        """Return the value over all batches taken in."""


class Task(Protocol):
    """Data, model, loss and metrics of one job.

    A task may also have ``target_unit``, what a target is in the plural ("tokens" where it has none), and
    ``training_class``, the subclass of ``TrainingConfig`` that its runs have. One that reads options of training itself
    has them as ``training``.
    """

    name: str

    def batches(self, split: Split, seed: int, start: Cursor | None = None) -> Iterable[Batch]:
        """Yield batches: of "train" without end and from any cursor, of other splits each target once."""

    def num_batches(self, split: Split) -> int:
        """Return the number of batches in one pass over a split; 0 when there is no such split."""

    def build_model(self) -> nn.Module:
        """Return a new model; its weights come from torch's global random state."""

    def loss(self, model: nn.Module, batch: Any, state: State) -> StepResult:
        """Run the model over a batch, from a carried state or from the initial one."""

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Return fresh metrics over a split by name; the first is the one to select checkpoints by."""

    def sample(self, model: nn.Module, seed: int) -> Sequence[str]:
        """Return what a person sees while the model trains; draws from its own generator only."""


@runtime_checkable
class HasBaselines(Protocol):
    """A task that can say how well cheap models do on a split."""

    def baselines(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return metrics by baseline, under the names of ``metrics()``."""


@runtime_checkable
class HasAssets(Protocol):
    """A task that keeps files in the run folder, so that the run can be used and resumed from the folder alone."""

    def config_sections(self) -> Mapping[str, Any]:
        """Return the dataclasses that made the task, by section of ``config.toml``."""

    def save_assets(self, folder: Path) -> None:
        """Write vocabulary and the like; called once, before training."""


@runtime_checkable
class HasSummary(Protocol):
    """A task that has something to say before training begins."""

    def summary(self, model: nn.Module) -> Sequence[str]:
        """Return lines for a person: sizes, and whether model and data fit each other."""


@runtime_checkable
class HasReport(Protocol):
    """A task that writes more than figures when training ends.

    Its test part is measured once, on the weights that validation chose, when training has come to its end;
    ``result.json`` has no figures of the last weights on it, and none at all of a run that was interrupted.
    """

    def report(self, folder: Path) -> Sequence[str]:
        """Write plots and tables of what the final evaluation saw into the run folder, and return lines for a person.

        The metrics that ``metrics(split)`` returned last for a split have seen it, with the best weights.
        """


def target_unit(task: Task) -> str:
    """Return what a target of a task is, in the plural."""
    unit: str = getattr(task, "target_unit", "tokens")
    return unit


__all__ = [
    "Batch",
    "Cursor",
    "HasAssets",
    "HasBaselines",
    "HasReport",
    "HasSummary",
    "Metric",
    "Split",
    "State",
    "StepResult",
    "Task",
    "target_unit",
]
