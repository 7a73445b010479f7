"""The training loop: knows batches, losses and states, but no task.

Everything that decides how training goes on is in checkpoints: weights, optimiser, step, data cursor, carried
state, random states, best metric and the sums of a half-filled row. A run that was killed and resumed ends bit for bit
like one that was not, on the same machine with the same versions and thread count.
"""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import CheckpointError, TrainingDivergedError
from recurra.training.budget import TimeBudget
from recurra.training.callbacks import Callback
from recurra.training.checkpoint import Checkpoint
from recurra.training.config import TrainingConfig
from recurra.training.evaluation import evaluate
from recurra.training.interrupts import StopRequest
from recurra.training.metrics import LossMetric, improves
from recurra.training.optimizers import build_optimizer, lr_at
from recurra.training.protocol import Batch, Split, State, StepResult, Task
from recurra.training.random_states import capture_random_states, restore_random_states, untouched_random_states
from recurra.training.result import build_result, write_result
from recurra.training.run_folder import RunFolder
from recurra.training.truncation import detach_state, state_to

EXPLOSION = 3.0
"""Training stops when the loss of a step exceeds its first value by this factor."""


@dataclass
class RowSums:
    """Sums over the steps since the last row of figures."""

    loss: float = 0.0
    num_targets: int = 0
    grad_norm: float = 0.0
    num_steps: int = 0
    seconds: float = 0.0


@dataclass
class Progress:
    """Where a run stands: all plain numbers, stored in each checkpoint."""

    step: int = 0
    total_steps: int | None = None
    cursor: dict[str, int] | None = None
    first_loss: float | None = None
    validation: dict[str, float] | None = None
    validation_step: int = -1
    best_value: float | None = None
    best_step: int = -1
    num_stale: int = 0
    num_decays: int = 0
    num_targets: int = 0
    training_s: float = 0.0
    validate_s: float = 0.0
    sample_s: float = 0.0
    row: RowSums = field(default_factory=RowSums)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        """Return what ``dataclasses.asdict`` took apart."""
        return cls(**{**values, "row": RowSums(**values["row"])})


class Trainer:
    """Trains one task.

    Args:
        task: Data, model, loss and metrics.
        config: How to train.
        folder: Where to keep checkpoints and figures; without one nothing is written.
        callbacks: What listens.

    Attributes:
        model: The model being trained.
        progress: Where the run stands.
        stop: Ask it to end the run in good order.
    """

    def __init__(
        self, task: Task, config: TrainingConfig, folder: RunFolder | None = None, callbacks: Sequence[Callback] = ()
    ) -> None:
        self.task, self.config, self.folder = task, config, folder
        self.callbacks = list(callbacks)
        self.progress = Progress()
        self.stop = StopRequest()
        self.model: nn.Module
        self.optimizer: torch.optim.Optimizer
        self.device = torch.device("cpu")
        self._carried: State = None
        self._best_weights: dict[str, Tensor] | None = None
        self._budget: TimeBudget | None = None
        self._saved_step = -1
        self._saved_at = 0.0
        self._backward: Callable[[Tensor], None]
        self._wrapped_model: nn.Module
        self._parameters: list[nn.Parameter] = []

    # ------------------------------------------------------------------ the whole run

    def fit(self, *, resume: bool = False) -> dict[str, Any]:
        """Train to the end, or until asked to stop, and return what ``result.json`` holds.

        Raises:
            TrainingDivergedError: When the loss is not finite or explodes.
            CheckpointError: When no checkpoint can be read or written.
        """
        result = None
        with ExitStack() as stack:
            if self.folder is not None:
                stack.enter_context(self.folder.locked())
            stack.enter_context(self.stop)
            if self.config.budget_s is not None:
                self._budget = TimeBudget(self.config.budget_s)
            self._prepare(resume)
            try:
                self._tell("on_start")
                self._train()
                result = self._finish()
            finally:
                self._tell("on_end", result)
        return result

    def _tell(self, event: str, *values: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *values)

    # ------------------------------------------------------------------ before

    def _prepare(self, resume: bool) -> None:
        if self.config.num_threads is not None:
            torch.set_num_threads(self.config.num_threads)
        _seed_everything(self.config.seed)
        self.model = self.task.build_model()
        self._set_up_device()
        self._saved_at = time.perf_counter()
        checkpoint = self._load_checkpoint() if resume else None
        if checkpoint is not None:
            self._restore(checkpoint)
        elif self.folder is not None:
            self.folder.forget_after(-1)
        if self.progress.total_steps is None:
            self.progress.total_steps = self._known_total_steps()

    def _set_up_device(self) -> None:
        from lightning_fabric import Fabric  # slow to import, and needed by training alone

        fabric = Fabric(accelerator=self.config.accelerator, devices=1, precision=self.config.precision)
        fabric.launch()
        self.device = fabric.device
        # moved first: optimisers and checkpoints hold on to the parameters themselves
        self.model.to(self.device)
        self.optimizer = build_optimizer(self.model, self.config)
        self._wrapped_model, _ = fabric.setup(self.model, self.optimizer)
        self._backward = fabric.backward
        self._parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _known_total_steps(self) -> int | None:
        if self.config.max_steps is not None:
            return self.config.max_steps
        if self.config.num_epochs is not None:
            return max(math.ceil(self.config.num_epochs * self.task.num_batches("train")), 1)
        return self.folder.load_total_steps() if self.folder is not None else None

    def _load_checkpoint(self) -> Checkpoint | None:
        if self.folder is None or not self.folder.checkpoints.names():
            return None  # stopped before the first checkpoint: starting over is the same run
        return self.folder.checkpoints.load(warn=lambda message: self._tell("on_message", message))

    def _restore(self, checkpoint: Checkpoint) -> None:
        assert self.folder is not None
        training = checkpoint.training
        try:
            self.model.load_state_dict(checkpoint.weights)
            self.optimizer.load_state_dict(training["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{checkpoint.path} does not fit the run's configuration: {error}") from error
        self.progress = Progress.from_dict(training["progress"])
        self._carried = state_to(training["carried"], self.device)
        self._saved_step = checkpoint.step
        self.folder.forget_after(checkpoint.step)
        restore_random_states(training["random"])

    # ------------------------------------------------------------------ during

    def _train(self) -> None:
        if self.progress.step == 0 and self._saved_step < 0:
            self._validate()
            if self.config.num_samples > 1:
                self._sample()
            self._save()
        batches = iter(self.task.batches("train", self.config.seed, self.progress.cursor))
        while not self._is_over():
            self._step(batches)
            self._decide_total_steps()
            self._after_step()

    def _is_over(self) -> bool:
        total, patience = self.progress.total_steps, self.config.patience
        finished = total is not None and self.progress.step >= total
        return finished or self.stop.requested or (patience is not None and self.progress.num_stale >= patience)

    def _step(self, batches: Iterator[Batch]) -> None:
        began = time.perf_counter()
        progress = self.progress
        lr = lr_at(self.config, progress.step, progress.total_steps, progress.num_decays)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        batch = next(batches).to(self.device)
        result = self.task.loss(self._wrapped_model, batch, None if batch.starts_anew else self._carried)
        self._backward(result.loss)
        grad_norm = self._clip()
        loss = float(result.loss.detach())
        self._check_finite(loss, grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._carried = detach_state(result.state)
        progress.step += 1
        progress.cursor = dict(batch.cursor)
        self._count(result, loss, grad_norm, time.perf_counter() - began)
        self._tell("on_step", loss, grad_norm)

    def _clip(self) -> float:
        if self.config.max_grad_value is not None:
            nn.utils.clip_grad_value_(self._parameters, self.config.max_grad_value)
        norm = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        value = float(norm)
        if self.config.max_grad_norm is not None and value > self.config.max_grad_norm:
            nn.utils.clip_grads_with_norm_(self._parameters, self.config.max_grad_norm, norm)
        return value

    def _check_finite(self, loss: float, grad_norm: float) -> None:
        first = self.progress.first_loss
        if first is None and math.isfinite(loss):
            self.progress.first_loss = first = loss
        if math.isfinite(loss) and math.isfinite(grad_norm) and loss <= EXPLOSION * (first or math.inf):
            return
        step = self.progress.step + 1
        what = f"the loss of step {step} is {loss:.4g}, its gradient norm {grad_norm:.4g}"
        self._raise_diverged(what if first is None else f"{what}; the first loss was {first:.4g}")

    def _raise_diverged(self, what: str) -> None:
        kept = self.folder.checkpoints.pointed("last") if self.folder is not None else None
        tries = [f"a lower lr (now {self.config.lr:g}, try {self.config.lr / 4:g})", "more warmup_steps"]
        if self.config.max_grad_norm is None or self.config.max_grad_norm > 1:
            tries.append("max_grad_norm = 1")
        hint = f"try {', or '.join(tries)}" + (f"; the last good checkpoint is {kept}" if kept else "")
        raise TrainingDivergedError(what, hint=hint)

    def _count(self, result: StepResult, loss: float, grad_norm: float, seconds: float) -> None:
        row = self.progress.row
        row.loss += loss * result.num_targets
        row.num_targets += result.num_targets
        row.grad_norm += grad_norm
        row.num_steps += 1
        row.seconds += seconds
        self.progress.num_targets += result.num_targets
        self.progress.training_s += seconds
        if self._budget is not None and self.progress.total_steps is None:
            self._budget.observe_step(seconds)

    def _decide_total_steps(self) -> None:
        budget, config = self._budget, self.config
        if self.progress.total_steps is not None or budget is None or not budget.is_measured:
            return
        side_s = self.progress.sample_s * max(config.num_samples - 1, 0)
        per_step_s = 0.0
        if config.validate_every is None:
            side_s += self.progress.validate_s * config.num_validations
        else:
            per_step_s = self.progress.validate_s / config.validate_every
        self.progress.total_steps = self.progress.step + budget.num_steps_left(side_s, per_step_s)
        if self.folder is not None:
            self.folder.save_total_steps(self.progress.total_steps)

    def _after_step(self) -> None:
        step, total = self.progress.step, self.progress.total_steps
        if step % self.config.log_every == 0 or step == total:
            self._report_row()
        validated = self._is_validation_due()
        if validated:
            self._validate()
        if total is not None and is_due(step, self._num_later_samples, total):
            self._sample()
        if validated or time.perf_counter() - self._saved_at >= self.config.save_every_s:
            self._save()

    @property
    def _num_later_samples(self) -> int:
        return max(self.config.num_samples - 1, 1) if self.config.num_samples else 0

    def _is_validation_due(self) -> bool:
        step, total, every = self.progress.step, self.progress.total_steps, self.config.validate_every
        if step == total:
            return True
        if every is not None:
            return step % every == 0
        return total is not None and is_due(step, self.config.num_validations, total)

    def _report_row(self) -> None:
        row, progress = self.progress.row, self.progress
        loss = row.loss / row.num_targets
        figures = {name: m.of(loss) for name, m in self.task.metrics().items() if isinstance(m, LossMetric)}
        self._emit(
            {
                "step": progress.step,
                "split": "train",
                **figures,
                "grad_norm": row.grad_norm / row.num_steps,
                "lr": self.optimizer.param_groups[0]["lr"],
                "tokens_per_s": round(row.num_targets / row.seconds, 1),
                "seconds": round(progress.training_s, 3),
            }
        )
        progress.row = RowSums()

    def _emit(self, row: dict[str, Any]) -> None:
        self._tell("on_row", row)

    def _validate(self) -> None:
        began = time.perf_counter()
        progress = self.progress
        values = self.evaluate("validation")
        progress.validate_s = time.perf_counter() - began
        selected, metric = next(iter(self.task.metrics().items()))
        value = values[selected]
        if not math.isfinite(value):
            self._raise_diverged(f"the validation {selected} after step {progress.step} is {value}")
        progress.validation, progress.validation_step = values, progress.step
        better = improves(value, progress.best_value, metric.higher_is_better)
        if better:
            progress.best_value, progress.best_step, progress.num_stale = value, progress.step, 0
            if self.folder is None:
                self._best_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        else:
            progress.num_stale += 1
            progress.num_decays += self.config.schedule == "plateau"
        seconds = round(progress.training_s, 3)
        self._emit({"step": progress.step, "split": "validation", **values, "best": better, "seconds": seconds})

    def evaluate(self, split: Split) -> dict[str, float]:
        """Return the metrics over a split; leaves no trace in the training state."""
        with untouched_random_states():
            return evaluate(self.task, self._wrapped_model, split, self.config.seed, self.device)

    def _sample(self) -> None:
        began = time.perf_counter()
        with untouched_random_states():
            self.model.eval()
            with torch.no_grad():
                texts = self.task.sample(self.model, self.config.seed * 1_000_003 + self.progress.step)
            self.model.train()
        self.progress.sample_s = time.perf_counter() - began
        self._tell("on_sample", texts)

    def _save(self) -> None:
        self._saved_at = time.perf_counter()
        if self.folder is None or self._saved_step == self.progress.step:
            return
        progress = self.progress
        validated = progress.validation_step == progress.step
        training = {
            "progress": dataclasses.asdict(progress),
            "optimizer": self.optimizer.state_dict(),
            "carried": self._carried,
            "random": capture_random_states(),
        }
        path = self.folder.checkpoints.save(
            progress.step,
            self.model.state_dict(),
            training,
            loss=next(iter(progress.validation.values())) if validated and progress.validation else None,
            best=progress.best_step == progress.step,
        )
        self._saved_step = progress.step
        self._tell("on_checkpoint", path)

    # ------------------------------------------------------------------ after

    def _finish(self) -> dict[str, Any]:
        self._save()
        result = build_result(self)
        if self.folder is not None:
            write_result(self.folder, result)
        return result

    def best_weights(self) -> dict[str, Tensor]:
        """Return the weights with the best validation so far."""
        if self.folder is not None:
            return self.folder.checkpoints.load("best").weights
        return self._best_weights or self.model.state_dict()


def is_due(step: int, num_moments: int, total_steps: int) -> bool:
    """Say whether a step is one of so many evenly spaced moments, the last of which is the last step."""
    return step * num_moments // total_steps != (step - 1) * num_moments // total_steps


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def train(
    task: Task,
    config: TrainingConfig | None = None,
    *,
    run: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    overwrite: bool = False,
) -> dict[str, Any]:
    """Train a task and return its figures.

    Args:
        task: Data, model, loss and metrics, for example ``recurra.tasks.text.TextTask``.
        config: How to train; the defaults train for 300 s.
        run: Folder for checkpoints and figures; without one nothing is written.
        callbacks: What listens.
        overwrite: Replace a run that is there already.

    Returns:
        What ``result.json`` holds: figures of the last and of the best weights, baselines, sizes and times.

    Raises:
        RunExistsError: When the folder is not empty.
        TrainingDivergedError: When the loss is not finite or explodes.
    """
    from recurra.training.records import record_keepers
    from recurra.training.start import resolved, start_run

    config = resolved(config or TrainingConfig())
    if run is None:
        return Trainer(task, config, callbacks=callbacks).fit()
    folder = start_run(task, config, run, overwrite=overwrite)
    return Trainer(task, config, folder, [*record_keepers(folder), *callbacks]).fit()
