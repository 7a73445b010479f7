"""The training loop: knows batches, losses and states, but no task.

Everything that decides how training goes on is in checkpoints: weights, optimiser, step, data cursor, carried
state, random states, best metric, averaged weights and the sums of a half-filled row. A run that was killed and resumed
ends bit for bit like one that was not, on the same machine with the same versions and thread count.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import CheckpointError, RunExistsError, TrainingDivergedError
from recurra.training.callbacks import Callback
from recurra.training.checkpoint import Checkpoint
from recurra.training.config import TrainingConfig
from recurra.training.divergence import diverged, is_sound
from recurra.training.evaluation import Stopwatch
from recurra.training.interrupts import StopRequest
from recurra.training.length import RunLength, is_row_due, is_sample_due, is_validation_due
from recurra.training.metrics import LossMetric
from recurra.training.optimizers import lr_at
from recurra.training.protocol import Batch, Split, State, StepResult, Task, target_unit
from recurra.training.random_states import capture_random_states, restore_random_states, seed_everything
from recurra.training.result import build_result, write_result
from recurra.training.run_folder import RunFolder
from recurra.training.selection import Selection
from recurra.training.state import Progress, RowSums
from recurra.training.truncation import detach_state, state_to
from recurra.training.updater import Updater


class Trainer:
    """Trains one task.

    Args:
        task: Data, model, loss and metrics.
        config: How to train.
        folder: Where to keep checkpoints and figures; without one nothing is written.
        callbacks: What listens.

    Attributes:
        model: The model being trained; it holds the raw weights, also where averaged ones are in use.
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
        self.is_resumed = False
        self._updater: Updater
        self._selection: Selection
        self._carried: State = None
        self._lr = 0.0
        self._length: RunLength
        self._saved_step = -1
        self._saved_at = 0.0
        self._save_s = 0.0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._updater.device

    @property
    def selected_metric(self) -> tuple[str, bool]:
        """Name of the metric that selects the best weights, and whether more of it is better."""
        return self._selection.metric

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """What moves the weights."""
        return self._updater.optimizer

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
            self._length = RunLength(self.config, self.folder)
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
        seed_everything(self.config.seed)
        self.model = self.task.build_model()
        self._updater = Updater(self.model, self.config)
        self._saved_at = time.perf_counter()
        self._selection = Selection(self.task, self.model, self._updater, self.config, keep_best=self.folder is None)
        self._prepare_folder(resume)
        if self.progress.total_steps is None:
            self._length.set_known(self.progress, self.task.num_batches("train"))

    def _prepare_folder(self, resume: bool) -> None:
        if self.folder is None:
            return
        self.folder.checkpoints.keep = self.config.keep_checkpoints
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

    def _restore(self, folder: RunFolder, checkpoint: Checkpoint) -> None:
        training, average = checkpoint.training, self._selection.average
        if (average is None) != ("average" not in training):
            raise CheckpointError(
                f"average_weights = {self.config.average_weights!r} expected a checkpoint of a run with the same one, "
                f"got {checkpoint.path}"
            )
        try:
            self.model.load_state_dict(checkpoint.weights)
            self.optimizer.load_state_dict(training["optimizer"])
            if average is not None:
                average.restore(training["average"])
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
            warning = self._length.decide(self.progress, self._save_s)
            if warning is not None:
                self._warn(warning)
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
        batch = next(batches).to(self.device)
        result = self.task.loss(self._updater.wrapped, batch, None if batch.starts_anew else self._carried)
        # what a penalty adds is for the gradient alone: figures and checks are of the loss
        objective = result.loss if result.penalty is None else result.loss + result.penalty
        grad_norm = self._updater.backward(objective)
        loss = float(result.loss.detach())
        if progress.first_loss is None:
            progress.first_loss = loss
        if not is_sound(loss, grad_norm, progress.first_loss):
            what = f"the loss of step {progress.step + 1} is {loss:.4g}, its gradient norm {grad_norm:.4g}"
            raise self._diverged(f"{what}; the first loss was {progress.first_loss:.4g}")
        self._lr = self._next_lr()
        self._updater.update(self._lr * getattr(batch, "lr_factor", 1.0))
        if self._selection.average is not None:
            self._selection.average.observe_step()
        self._carried = detach_state(result.state)
        progress.step += 1
        progress.cursor = dict(batch.cursor)
        self._count(result, loss, grad_norm, time.perf_counter() - began)
        self.tell("on_step", loss, grad_norm)

    def _next_lr(self) -> float:
        step, since = self.progress.step, self._selection.averaging_since
        if since is not None and self.config.schedule == "constant":
            step = since - 1  # averaging in the middle of the warm-up ends it
        return lr_at(self.config, step, self.progress.known_total, self.progress.num_decays)

    def _diverged(self, what: str) -> TrainingDivergedError:
        return diverged(what, self.config, self.folder.checkpoints.pointed("last") if self.folder is not None else None)

    def _count(self, result: StepResult, loss: float, grad_norm: float, seconds: float) -> None:
        row = self.progress.row
        row.loss += loss * result.num_targets if result.num_targets else 0.0
        row.num_targets += result.num_targets
        row.grad_norm += grad_norm
        row.num_steps += 1
        row.seconds += seconds
        self.progress.num_targets += result.num_targets
        self.progress.training_s += seconds
        self._length.observe_step(self.progress, seconds)

    def _after_step(self) -> None:
        if is_row_due(self.config, self.progress):
            self._report_row()
        validated = is_validation_due(self.config, self.progress)
        if validated:
            self._validate()
        if is_sample_due(self.config, self.progress):
            self._sample()
        if validated or time.perf_counter() - self._saved_at >= self.config.save_every_s:
            self._save()

    def _report_row(self) -> None:
        row, progress = self.progress.row, self.progress
        loss = row.loss / max(row.num_targets, 1)
        figures = {name: m.of(loss) for name, m in self.task.metrics("train").items() if isinstance(m, LossMetric)}
        self.tell(
            "on_row",
            {
                "step": progress.step,
                "split": "train",
                "loss": loss,
                **figures,
                "grad_norm": row.grad_norm / row.num_steps,
                "lr": self._lr,
                f"{target_unit(self.task)}_per_s": round(row.num_targets / row.seconds, 1),
                "seconds": round(progress.training_s, 3),
            },
        )
        progress.row = RowSums()

    def _validate(self) -> None:
        if not self._selection.has_validation:
            return
        progress, stopwatch = self.progress, Stopwatch()
        values = self._selection.evaluate("validation", stopwatch=stopwatch)
        progress.validate_s = stopwatch.seconds
        selected = next(iter(values))
        if not math.isfinite(values[selected]):
            raise self._diverged(f"the validation {selected} after step {progress.step} is {values[selected]}")
        better = self._selection.take_in(values, progress)
        seconds = round(progress.training_s, 3)
        row = {"step": progress.step, "split": "validation", **values, "best": better, "seconds": seconds}
        self.tell("on_row", row)
        if self._selection.averaging_since == progress.step:
            self._warn(
                f"weights are averaged from step {progress.step:,} on: the validation {selected} no longer improves"
            )

    def evaluate(self, split: Split, weights: Mapping[str, Tensor] | None = None) -> dict[str, float]:
        """Return the metrics over a split; leaves no trace in the training state.

        Args:
            split: What to evaluate on.
            weights: State dict to evaluate; the weights in use by default, averaged ones once averaging began.
        """
        return self._selection.evaluate(split, weights)

    def _sample(self) -> None:
        began = time.perf_counter()
        texts = self._selection.sample(self.progress.step)
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
        if self._selection.average is not None:
            training["average"] = self._selection.average.state()
        with self._selection.weights_in_use():
            path = self.folder.checkpoints.save(
                progress.step,
                self.model.state_dict(),
                training,
                loss=progress.validation.get("loss") if validated and progress.validation else None,
                # without validations the newest weights are the best there are
                best_step=progress.best_step if self._selection.has_validation else progress.step,
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
        return self._selection.best_weights or self.model.state_dict()
