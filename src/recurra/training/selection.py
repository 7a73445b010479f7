"""Which weights are in use, how good they are, and which were the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn

from recurra.errors import ConfigError
from recurra.training.averaging import WeightAverage
from recurra.training.config import TrainingConfig
from recurra.training.evaluation import Stopwatch, evaluate, evaluating
from recurra.training.metrics import LossMetric, improves
from recurra.training.protocol import Split, Task
from recurra.training.random_states import untouched_random_states
from recurra.training.state import Progress
from recurra.training.updater import Updater


class Selection:
    """Judges a model while it trains; nothing here leaves a trace in the training state.

    Args:
        task: Data and metrics, the first of which selects.
        model: The model being trained, on its device.
        updater: What trains it.
        config: Schedule, patience and averaging.
        keep_best: Keep the best weights in memory, where no folder does.

    Attributes:
        has_validation: Whether the task has validation data.
        metric: Name of the metric that selects, and whether more of it is better; of no use without validation data.
        average: The averaged weights, where the configuration asks for them.
        best_weights: The best weights so far, where they are kept here.

    Raises:
        ConfigError: When the configuration needs validation data and the task has none.
    """

    def __init__(
        self, task: Task, model: nn.Module, updater: Updater, config: TrainingConfig, *, keep_best: bool
    ) -> None:
        self.has_validation = task.num_batches("validation") > 0
        needing = {
            "patience": config.patience is not None,
            "schedule = 'plateau'": config.schedule == "plateau",
            "average_weights = 'non-monotone'": config.average_weights == "non-monotone",
        }
        if not self.has_validation and any(needing.values()):
            names = " and ".join(name for name, is_given in needing.items() if is_given)
            raise ConfigError(f"{names} expected a task with validation data, got one without")
        name, metric = next(iter(task.metrics("validation").items())) if self.has_validation else ("loss", LossMetric())
        self.metric = name, metric.higher_is_better
        self.average = WeightAverage(model, config.average_patience) if config.average_weights != "none" else None
        self.best_weights: dict[str, Tensor] | None = None
        self._task, self._model, self._updater, self._config = task, model, updater, config
        self._keep_best = keep_best

    @property
    def averaging_since(self) -> int | None:
        """Step from which on weights are averaged; None where they are not, or not yet."""
        return None if self.average is None else self.average.began_at

    def weights_in_use(self) -> AbstractContextManager[None]:
        """Let the model hold, inside, the weights that are to be used: averaged ones once averaging began."""
        return nullcontext() if self.average is None else self.average.in_use()

    def evaluate(
        self, split: Split, weights: Mapping[str, Tensor] | None = None, stopwatch: Stopwatch | None = None
    ) -> dict[str, float]:
        """Return the metrics over a split, of the weights in use or of a given state dict."""
        holding = self.weights_in_use() if weights is None else _holding(self._model, weights)
        with untouched_random_states(self._updater.device), holding:
            return evaluate(
                self._task, self._updater.wrapped, split, self._config.seed, self._updater.device, stopwatch
            )

    def sample(self, step: int) -> Sequence[str]:
        """Return the samples that belong to a step."""
        seed = (self._config.seed * 1_000_003 + step) % 2**63
        with untouched_random_states(self._updater.device), self.weights_in_use(), evaluating(self._model):
            return self._task.sample(self._model, seed)

    def take_in(self, values: Mapping[str, float], progress: Progress) -> bool:
        """Note the figures of a validation, begin to average where they say so, and say whether they are the best."""
        selected, higher_is_better = self.metric
        value = values[selected]
        progress.validation, progress.validation_step = dict(values), progress.step
        better = improves(value, progress.best_value, higher_is_better)
        loss = values.get("loss")
        if value == progress.best_value and loss is not None:
            # shares of a small part are often equal: then the model that is surer of what is right is the better one
            better = improves(loss, progress.best_loss, higher_is_better=False)
        if better:
            progress.best_value, progress.best_step, progress.num_stale = value, progress.step, 0
            progress.best_loss = loss
            if self._keep_best:
                with self.weights_in_use():
                    self.best_weights = _copied(self._model)
        else:
            progress.num_stale += 1
            progress.num_decays += self._config.schedule == "plateau"
        if self.average is not None:
            self.average.observe_validation(value, progress.step, higher_is_better)
        return better


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@contextmanager
def _holding(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    kept = _copied(model)
    model.load_state_dict(weights)
    try:
        yield
    finally:
        model.load_state_dict(kept)
