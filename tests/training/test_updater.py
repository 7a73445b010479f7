"""One step: clipping, penalty, learning rate and update, against plain arithmetic."""

from dataclasses import dataclass, replace

import pytest
import torch

from recurra.errors import TrainingDivergedError
from recurra.training import Callback, StepResult, Trainer, TrainingConfig
from recurra.training.updater import Updater
from tests.support.tiny_task import TinyBatch, TinyTask

# with plain SGD at rate 1 a step is the gradient itself
PLAIN = {
    "optimizer": "sgd",
    "momentum": 0,
    "lr": 1.0,
    "weight_decay": 0,
    "warmup_steps": 0,
    "schedule": "constant",
    "max_grad_norm": None,
    "num_samples": 0,
    "num_threads": 1,
    "accelerator": "cpu",
}


class Rows(Callback):
    def __init__(self):
        self.train, self.validation = [], []

    def on_row(self, trainer, row):
        getattr(self, row["split"]).append(row)


def one_step(task=None, **options):
    trainer = Trainer(task or TinyTask(dropout=0.0), TrainingConfig(**{**PLAIN, "max_steps": 0, **options}))
    trainer.fit()
    before = [tensor.detach().clone() for tensor in trainer.model.parameters()]
    trainer._step(iter(trainer.task.batches("train", 1)))
    moves = [(old - new.detach()).flatten() for old, new in zip(before, trainer.model.parameters(), strict=True)]
    return torch.cat(moves), trainer


def test_clipping_by_value_and_by_norm_bound_the_step():
    free, trainer = one_step()
    by_norm, _ = one_step(max_grad_norm=0.01)
    by_value, _ = one_step(max_grad_value=0.003)

    assert trainer.progress.row.grad_norm == pytest.approx(float(free.norm()), rel=1e-4)
    assert float(by_norm.norm()) == pytest.approx(0.01, rel=1e-3)
    assert torch.allclose(by_norm / by_norm.norm(), free / free.norm(), atol=1e-3)
    assert torch.allclose(by_value, free.clamp(-0.003, 0.003), atol=1e-6)


def test_weight_decay_and_momentum_follow_their_textbook_form():
    config = TrainingConfig(**{**PLAIN, "max_steps": 0, "momentum": 0.5, "lr": 0.1, "weight_decay": 0.2})
    trainer = Trainer(TinyTask(dropout=0.0), config)
    trainer.fit()
    weight = trainer.model.decoder.weight
    velocity, expected = torch.zeros_like(weight), weight.detach().clone()
    batches = iter(trainer.task.batches("train", 1))
    gradients = []
    weight.register_hook(lambda gradient: gradients.append(gradient.clone()))

    for _ in range(3):
        trainer._step(batches)
        velocity = 0.5 * velocity + gradients[-1] + 0.2 * expected
        expected = expected - 0.1 * velocity

    assert torch.allclose(weight, expected, atol=1e-6)


# ---------------------------------------------------------------------- penalty


class Penalised(TinyTask):
    """Half the squared norm of the decoder's bias, times a factor, is the penalty."""

    def __init__(self, factor):
        super().__init__(dropout=0.0)
        self.factor = factor

    def loss(self, model, batch, state):
        result = super().loss(model, batch, state)
        penalty = self.factor * model.get_parameter("decoder.bias").square().sum() / 2
        return replace(result, penalty=penalty)


def test_a_penalty_changes_the_gradient_by_its_own():
    free, _ = one_step()
    penalised, trainer = one_step(Penalised(0.25))

    bias = slice(-7, None)  # the decoder's bias is the last parameter
    assert torch.equal(penalised[:-7], free[:-7])
    before = trainer.model.decoder.bias.detach() + penalised[bias]
    assert torch.allclose(penalised[bias] - free[bias], 0.25 * before, atol=1e-6)


def test_figures_and_checks_are_of_the_loss_without_the_penalty():
    class Huge(TinyTask):
        def loss(self, model, batch, state):
            result = super().loss(model, batch, state)
            return replace(result, penalty=torch.tensor(1e6))

    with_penalty, without = Rows(), Rows()
    Trainer(Huge(), TrainingConfig(max_steps=6, log_every=1, num_threads=1), callbacks=[with_penalty]).fit()
    Trainer(TinyTask(), TrainingConfig(max_steps=6, log_every=1, num_threads=1), callbacks=[without]).fit()

    for kind in ("train", "validation"):
        losses = [[row["loss"] for row in getattr(rows, kind)] for rows in (with_penalty, without)]
        # constants have no gradient: nothing but the figures could differ
        assert losses[0] == losses[1]


def test_a_penalty_that_is_no_number_stops_before_it_reaches_the_weights():
    with pytest.raises(TrainingDivergedError, match=r"the loss of step 1 is 1\.\d+, its gradient norm nan"):
        one_step(Penalised(float("nan")))


def test_a_step_result_has_no_penalty_unless_it_is_given():
    assert StepResult(torch.tensor(1.0), 3).penalty is None


# ---------------------------------------------------------------------- learning rate of one step


@dataclass(frozen=True)
class ScaledBatch(TinyBatch):
    lr_factor: float = 1.0


class Varied(TinyTask):
    """The windows of even steps are said to be 1.5 times as long as the others."""

    def _batch(self, window, seed, first=None):
        batch = super()._batch(window, seed, first)
        return ScaledBatch(batch.numbers, batch.starts_anew, batch.cursor, 1.5 if window % 2 == 0 else 0.5)


def test_a_batch_scales_the_learning_rate_of_its_own_step_only():
    free, _ = one_step()
    scaled, trainer = one_step(Varied(dropout=0.0))

    assert torch.allclose(scaled, 1.5 * free, atol=1e-6)
    batches = iter(trainer.task.batches("train", 1))
    used = []
    for _ in range(3):
        trainer._step(batches)
        used.append(trainer.optimizer.param_groups[0]["lr"])
    assert used == [1.5, 0.5, 1.5]


def test_rows_keep_the_learning_rate_that_no_batch_has_scaled():
    rows = Rows()

    config = TrainingConfig(
        **{**PLAIN, "max_steps": 4, "lr": 0.01, "log_every": 1, "schedule": "step", "decay_every": 2}
    )
    Trainer(Varied(), config, callbacks=[rows]).fit()

    assert [row["lr"] for row in rows.train] == [0.01, 0.01, 0.005, 0.005]


def test_modules_are_told_of_every_update():
    class Bounded(torch.nn.Linear):
        def after_update(self):
            with torch.no_grad():
                self.weight.clamp_(-0.01, 0.01)

    model = Bounded(3, 3)
    updater = Updater(model, TrainingConfig(**{**PLAIN, "max_steps": 0}))

    updater.backward(model(torch.ones(2, 3)).sum())
    updater.update(1.0)

    assert model.weight.abs().max() <= 0.01
