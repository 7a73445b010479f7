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
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import CheckpointError, ConfigError, RunExistsError, TrainingDivergedError
from recurra.training.budget import TimeBudget
from recurra.training.callbacks import Callback
from recurra.training.checkpoint import Checkpoint
from recurra.training.config import TrainingConfig
from recurra.training.divergence import diverged, is_sound
from recurra.training.evaluation import evaluate, evaluating
from recurra.training.interrupts import StopRequest
from recurra.training.metrics import LossMetric, improves
from recurra.training.optimizers import build_optimizer, lr_at
from recurra.training.protocol import Batch, Split, State, StepResult, Task
from recurra.training.random_states import capture_random_states, restore_random_states, untouched_random_states
from recurra.training.result import build_result, write_result
from recurra.training.run_folder import RunFolder
from recurra.training.state import Progress, RowSums, is_due
from recurra.training.truncation import detach_state, state_to


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
        is_resumed: Whether it goes on from a checkpoint.
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
        self.is_resumed = False
        self._carried: State = None
        self._best_weights: dict[str, Tensor] | None = None
        self._budget: TimeBudget | None = None
        self._saved_step = -1
        self._saved_at = 0.0
        self._save_s = 0.0
        self._has_validation = True
        self._backward: Callable[[Tensor], None]
        self._wrapped_model: nn.Module
        self._parameters: list[nn.Parameter] = []

    # ------------------------------------------------------------------ the whole run

    def fit(self, *, resume: bool = False) -> dict[str, Any]:
        """Train to the end, or until asked to stop, and return what ``result.json`` holds.

        Raises:
            TrainingDivergedError: When the loss is not finite or explodes.
            CheckpointError: When no checkpoint can be read or written.
            RunExistsError: When the folder has checkpoints and ``resume`` was not asked for.
            RunWriteError: When a file of the run cannot be written.
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
                self.tell("on_start")
                self._train()
                result = self._finish()
            finally:
                self._tell_end(result)
        return result

    def tell(self, event: str, *values: Any) -> None:
        """Call a method of every callback."""
        for callback in self.callbacks:
            getattr(callback, event)(self, *values)

    def _tell_end(self, result: dict[str, Any] | None) -> None:
        errors = []
        for callback in self.callbacks:
            try:
                callback.on_end(self, result)
            except Exception as error:
                errors.append(error)
        # without a result another error is on its way already, which must not be hidden
        if errors and result is not None:
            raise errors[0]

    # ------------------------------------------------------------------ before

    def _prepare(self, resume: bool) -> None:
        if self.config.num_threads is not None:
            torch.set_num_threads(self.config.num_threads)
        _seed_everything(self.config.seed)
        self.model = self.task.build_model()
        self._set_up_device()
        self._saved_at = time.perf_counter()
        self._has_validation = self.task.num_batches("validation") > 0
        if not self._has_validation and (self.config.patience is not None or self.config.schedule == "plateau"):
            raise ConfigError("patience and schedule = 'plateau' expected a task with validation data, got one without")
        self._prepare_folder(resume)
        if self.progress.total_steps is None:
            self._set_total_steps()

    def _prepare_folder(self, resume: bool) -> None:
        if self.folder is None:
            return
        if not resume and self.folder.checkpoints.names():
            raise RunExistsError(
                f"{self.folder.path} has checkpoints already", hint="resume it, or train into another folder"
            )
        if self.folder.checkpoints.names():
            self._restore(self.folder, self.folder.checkpoints.load(warn=self._warn))
        else:
            # stopped before the first checkpoint: starting over is the same run
            self.folder.forget_after(-1, warn=self._warn)

    def _warn(self, message: str) -> None:
        self.tell("on_message", message)

    def _set_up_device(self) -> None:
        fabric = build_fabric(self.config)
        self.device = fabric.device
        # moved first: optimisers and checkpoints hold on to the parameters themselves
        self.model.to(self.device)
        self.optimizer = build_optimizer(self.model, self.config)
        self._wrapped_model, _ = fabric.setup(self.model, self.optimizer)
        self._backward = fabric.backward
        self._parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _set_total_steps(self) -> None:
        progress, stored = self.progress, self.folder.load_total_steps() if self.folder is not None else None
        if self.config.max_steps is not None:
            progress.total_steps = self.config.max_steps
        elif self.config.num_epochs is not None:
            progress.total_steps = max(math.ceil(self.config.num_epochs * self.task.num_batches("train")), 1)
        elif stored is not None:
            progress.total_steps, progress.decided_at = stored

    def _restore(self, folder: RunFolder, checkpoint: Checkpoint) -> None:
        training = checkpoint.training
        try:
            self.model.load_state_dict(checkpoint.weights)
            self.optimizer.load_state_dict(training["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{checkpoint.path} does not fit the run's configuration: {error}") from error
        self.progress = Progress.from_dict(training["progress"])
        self._carried = state_to(training["carried"], self.device)
        self._saved_step = checkpoint.step
        self.is_resumed = True
        folder.forget_after(checkpoint.step, self.progress.best_step, warn=self._warn)
        restore_random_states(training["random"], self.device)

    # ------------------------------------------------------------------ during

    def _train(self) -> None:
        if self._saved_step < 0:
            self._open()
        batches = iter(self.task.batches("train", self.config.seed, self.progress.cursor))
        while not self._is_over():
            self._step(batches)
            self._decide_total_steps()
            self._after_step()

    def _open(self) -> None:
        self._validate()
        if self.config.num_samples > 1:
            self._sample()
        began = time.perf_counter()
        self._save()
        self._save_s = time.perf_counter() - began

    def _is_over(self) -> bool:
        total, patience = self.progress.total_steps, self.config.patience
        finished = total is not None and self.progress.step >= total
        return finished or self.stop.requested or (patience is not None and self.progress.num_stale >= patience)

    def _step(self, batches: Iterator[Batch]) -> None:
        began = time.perf_counter()
        progress = self.progress
        lr = lr_at(self.config, progress.step, progress.known_total, progress.num_decays)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        batch = next(batches).to(self.device)
        result = self.task.loss(self._wrapped_model, batch, None if batch.starts_anew else self._carried)
        self._backward(result.loss)
        grad_norm = self._clip()
        loss = float(result.loss.detach())
        if progress.first_loss is None:
            progress.first_loss = loss
        if not is_sound(loss, grad_norm, progress.first_loss):
            what = f"the loss of step {progress.step + 1} is {loss:.4g}, its gradient norm {grad_norm:.4g}"
            raise self._diverged(f"{what}; the first loss was {progress.first_loss:.4g}")
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._carried = detach_state(result.state)
        progress.step += 1
        progress.cursor = dict(batch.cursor)
        self._count(result, loss, grad_norm, time.perf_counter() - began)
        self.tell("on_step", loss, grad_norm)

    def _diverged(self, what: str) -> TrainingDivergedError:
        return diverged(what, self.config, self.folder.checkpoints.pointed("last") if self.folder is not None else None)

    def _clip(self) -> float:
        if self.config.max_grad_value is not None:
            nn.utils.clip_grad_value_(self._parameters, self.config.max_grad_value)
        norm = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        value = float(norm)
        if self.config.max_grad_norm is not None and value > self.config.max_grad_norm:
            nn.utils.clip_grads_with_norm_(self._parameters, self.config.max_grad_norm, norm)
        return value

    def _count(self, result: StepResult, loss: float, grad_norm: float, seconds: float) -> None:
        row = self.progress.row
        row.loss += loss * result.num_targets if result.num_targets else 0.0
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
        progress = self.progress
        side_s = progress.sample_s * max(config.num_samples - 1, 0)
        per_step_s = 0.0
        validation_s = progress.validate_s + self._save_s
        if config.validate_every is None:
            side_s += validation_s * config.num_validations
        else:
            per_step_s = validation_s / config.validate_every
        progress.total_steps = progress.step + budget.num_steps_left(side_s, per_step_s)
        progress.decided_at = progress.step
        if side_s > budget.budget_s / 2:
            self._warn(
                f"validations, samples and checkpoints take {side_s:.0f} of the {budget.budget_s:.0f} s; "
                "fewer of them (num_validations, num_samples), a smaller validation part or more time would train more"
            )
        if self.folder is not None:
            self.folder.save_total_steps(progress.total_steps, progress.decided_at)

    def _after_step(self) -> None:
        step, total = self.progress.step, self.progress.known_total
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
        step, total, every = self.progress.step, self.progress.known_total, self.config.validate_every
        if step == total:
            return True
        if every is not None:
            return step % every == 0
        return total is not None and is_due(step, self.config.num_validations, total)

    def _report_row(self) -> None:
        row, progress = self.progress.row, self.progress
        loss = row.loss / max(row.num_targets, 1)
        figures = {name: m.of(loss) for name, m in self.task.metrics().items() if isinstance(m, LossMetric)}
        self.tell(
            "on_row",
            {
                "step": progress.step,
                "split": "train",
                "loss": loss,
                **figures,
                "grad_norm": row.grad_norm / row.num_steps,
                "lr": self.optimizer.param_groups[0]["lr"],
                "tokens_per_s": round(row.num_targets / row.seconds, 1),
                "seconds": round(progress.training_s, 3),
            },
        )
        progress.row = RowSums()

    def _validate(self) -> None:
        if not self._has_validation:
            return
        began = time.perf_counter()
        progress = self.progress
        values = self.evaluate("validation")
        progress.validate_s = time.perf_counter() - began
        selected, metric = next(iter(self.task.metrics().items()))
        value = values[selected]
        if not math.isfinite(value):
            raise self._diverged(f"the validation {selected} after step {progress.step} is {value}")
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
        row = {"step": progress.step, "split": "validation", **values, "best": better, "seconds": seconds}
        self.tell("on_row", row)

    def evaluate(self, split: Split) -> dict[str, float]:
        """Return the metrics over a split; leaves no trace in the training state."""
        with untouched_random_states(self.device):
            return evaluate(self.task, self._wrapped_model, split, self.config.seed, self.device)

    def _sample(self) -> None:
        began = time.perf_counter()
        seed = (self.config.seed * 1_000_003 + self.progress.step) % 2**63
        with untouched_random_states(self.device), evaluating(self.model):
            texts = self.task.sample(self.model, seed)
        self.progress.sample_s = time.perf_counter() - began
        self.tell("on_sample", texts)

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
            "random": capture_random_states(self.device),
        }
        path = self.folder.checkpoints.save(
            progress.step,
            self.model.state_dict(),
            training,
            loss=progress.validation.get("loss") if validated and progress.validation else None,
            # without validations the newest weights are the best there are
            best_step=progress.best_step if self._has_validation else progress.step,
        )
        self._saved_step = progress.step
        self.tell("on_checkpoint", path)

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
            return self.folder.checkpoints.load("best", weights_only=True).weights
        return self._best_weights or self.model.state_dict()


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


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
