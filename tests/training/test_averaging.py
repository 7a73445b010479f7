"""Averaged weights against a plain mean in NumPy, and the trigger against the algorithm as it is printed."""

import json
import math

import numpy as np
import pytest
import safetensors.torch
import torch

import recurra
from recurra.errors import CheckpointError, ConfigError
from recurra.training import Callback, RunFolder, StepResult, Trainer, TrainingConfig
from recurra.training.averaging import WeightAverage, is_non_monotone
from recurra.training.evaluation import evaluate
from recurra.training.start import new_run
from tests.support.tiny_task import TinyTask

# so high a rate that the first validations get worse: averaging begins after step 4
RISING = {
    "max_steps": 14,
    "validate_every": 2,
    "average_weights": "non-monotone",
    "average_patience": 1,
    "optimizer": "sgd",
    "momentum": 0.0,
    "lr": 3.0,
    "weight_decay": 0.0,
    "max_grad_norm": None,
    "schedule": "constant",
    "warmup_steps": 1,
    "num_samples": 2,
    "log_every": 1,
    "num_threads": 1,
    "accelerator": "cpu",
}


class Tracks(Callback):
    """Keeps the raw weights after each step, and what is said."""

    def __init__(self):
        self.weights, self.said = {}, []

    def on_step(self, trainer, loss, grad_norm):
        self.weights[trainer.progress.step] = {
            name: tensor.detach().double().numpy().copy() for name, tensor in trainer.model.named_parameters()
        }

    def on_message(self, trainer, message):
        self.said.append(message)


class Stop(Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, trainer, loss, grad_norm):
        if trainer.progress.step == self.step:
            trainer.stop.request()


class Worsening(TinyTask):
    """Each validation is worse than the one before."""

    def loss(self, model, batch, state):
        result = super().loss(model, batch, state)
        extra = 0.0 if model.training else float(self.num_validations)
        return StepResult(result.loss + extra, result.num_targets, result.state)


class TiedTask(TinyTask):
    def build_model(self):
        model = super().build_model()
        model.decoder.weight = model.embedding.weight
        return model


def train(path, *callbacks, task=None, **options):
    task, config = task or TinyTask(), TrainingConfig(**{**RISING, **options})
    with new_run(task, config, path) as folder:
        trainer = Trainer(task, config, folder, callbacks)
        trainer.fit()
    return trainer


def validations(path_or_rows):
    return [(row["step"], row["loss"]) for row in path_or_rows if row["split"] == "validation"]


class Rows(Callback):
    def __init__(self):
        self.rows = []

    def on_row(self, trainer, row):
        self.rows.append(row)


def printed_trigger(steps_and_losses, n):
    """Algorithm 1 of the source, line by line."""
    logs = []
    for t, (k, v) in enumerate(steps_and_losses):
        if t > n and v > min(logs[: t - n]):
            return k
        logs.append(v)
    return None


# ---------------------------------------------------------------------- the trigger


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_the_trigger_is_that_of_the_algorithm_in_both_directions(patience):
    random = np.random.default_rng(patience)
    found = set()
    for _ in range(200):
        losses = (np.linspace(3, 2, 12) + random.normal(0, 0.15, 12)).tolist()

        falling = [k for k in range(12) if is_non_monotone(losses[k], losses[:k], patience, False)]
        rising = [k for k in range(12) if is_non_monotone(-losses[k], [-v for v in losses[:k]], patience, True)]

        expected = printed_trigger(list(enumerate(losses)), patience)
        assert next(iter(falling), None) == expected
        assert rising == falling
        found.add(expected)
    assert len(found) > 3


def test_an_equal_validation_does_not_begin_averaging():
    assert not is_non_monotone(1.0, [1.0, 1.0, 1.0], 0, higher_is_better=False)
    assert is_non_monotone(1.0, [0.9, 1.0], 1, higher_is_better=False)
    assert not is_non_monotone(1.0, [0.9], 1, higher_is_better=False)


def test_a_person_is_told_when_averaging_begins(tmp_path):
    tracks, rows = Tracks(), Rows()

    train(tmp_path / "run", tracks, rows)

    assert printed_trigger(validations(rows.rows), 1) == 4
    assert tracks.said == ["weights are averaged from step 4 on: the validation loss no longer improves"]


# ---------------------------------------------------------------------- the mean


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed", "bf16-true"])
def test_the_weights_kept_are_the_mean_of_those_since_the_trigger(tmp_path, precision):
    tracks, rows = Tracks(), Rows()

    trainer = train(tmp_path / "run", tracks, rows, precision=precision)

    begun = printed_trigger(validations(rows.rows), 1)
    kept = RunFolder(tmp_path / "run").checkpoints.load("last")
    assert kept.training["average"]["num_averaged"] == 14 - begun + 1 > 5
    for name, parameter in trainer.model.named_parameters():
        mean = np.mean([tracks.weights[step][name] for step in range(begun, 15)], axis=0)
        assert torch.equal(kept.weights[name], torch.from_numpy(mean).to(parameter.dtype)), name
        assert torch.equal(parameter.double(), torch.from_numpy(tracks.weights[14][name])), "the model stays raw"
        assert torch.equal(kept.training["average"]["raw"][name], parameter)
        assert not torch.equal(kept.weights[name], parameter)


def test_training_goes_on_as_if_nothing_were_averaged(tmp_path):
    averaged, plain = Tracks(), Tracks()

    train(tmp_path / "averaged", averaged)
    train(tmp_path / "plain", plain, average_weights="none")

    for step, weights in plain.weights.items():
        assert all(np.array_equal(weights[name], averaged.weights[step][name]) for name in weights)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "adamw"])
def test_any_optimiser_may_take_the_steps(tmp_path, optimizer):
    tracks, rows = Tracks(), Rows()

    train(tmp_path / "run", tracks, rows, task=Worsening(), optimizer=optimizer, lr=0.01)

    assert printed_trigger(validations(rows.rows), 1) == 4
    mean = np.mean([tracks.weights[step]["decoder.bias"] for step in range(4, 15)], axis=0)
    kept = RunFolder(tmp_path / "run").checkpoints.load("last").weights["decoder.bias"]
    assert np.allclose(kept.numpy(), mean, rtol=1e-6, atol=0)


def test_figures_samples_and_best_are_those_of_the_averaged_weights(tmp_path):
    class Fingerprints(TinyTask):
        def sample(self, model, seed):
            return [json.dumps(model.decoder.bias.tolist())]

    class Samples(Callback):
        def on_sample(self, trainer, texts):
            self.last = json.loads(texts[0])

    samples, rows = Samples(), Rows()
    trainer = train(tmp_path / "run", samples, rows, task=Fingerprints())

    kept = {which: RunFolder(tmp_path / "run").checkpoints.load(which) for which in ("last", "best")}
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    measured = {}
    for which, checkpoint in kept.items():
        model = TinyTask().build_model()
        model.load_state_dict(checkpoint.weights)
        measured[which] = evaluate(TinyTask(), model, "validation", 1, torch.device("cpu"))
    assert samples.last == kept["last"].weights["decoder.bias"].tolist()
    assert validations(rows.rows)[-1] == (14, measured["last"]["loss"])
    assert result["last"] == {"step": 14, "validation": measured["last"]}
    assert result["best"] == {"step": kept["best"].step, "validation": measured["best"]}
    raw = evaluate(TinyTask(), trainer.model, "validation", 1, torch.device("cpu"))
    assert raw["loss"] != measured["last"]["loss"]


def test_given_weights_are_evaluated_as_they_are_although_others_are_in_use(tmp_path):
    class First(Callback):
        def on_start(self, trainer):
            self.weights = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}

    first = First()
    trainer = train(tmp_path / "run", first)
    last = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}

    measured = trainer.evaluate("validation", first.weights)

    model = TinyTask().build_model()
    model.load_state_dict(first.weights)
    assert measured == evaluate(TinyTask(), model, "validation", 1, torch.device("cpu"))
    assert measured != trainer.evaluate("validation")
    assert all(torch.equal(tensor, last[name]) for name, tensor in trainer.model.state_dict().items())


def test_without_a_folder_the_best_weights_are_averaged_ones(tmp_path):
    config = TrainingConfig(**RISING)
    trainer = Trainer(TinyTask(), config)

    result = trainer.fit()

    train(tmp_path / "run")
    kept = RunFolder(tmp_path / "run").checkpoints.load("best")
    assert result["best"]["step"] == kept.step > 4
    assert all(torch.equal(tensor, kept.weights[name]) for name, tensor in trainer.best_weights().items())


def test_tied_parameters_are_averaged_and_stored_once(tmp_path):
    tracks, rows = Tracks(), Rows()

    train(tmp_path / "run", tracks, rows, task=TiedTask(), average_patience=0)

    kept = RunFolder(tmp_path / "run").checkpoints.load("last")
    begun = printed_trigger(validations(rows.rows), 0)
    mean = np.mean([tracks.weights[step]["embedding.weight"] for step in range(begun, 15)], axis=0)
    assert "decoder.weight" not in kept.training["average"]["raw"]
    assert np.allclose(kept.weights["embedding.weight"].numpy(), mean, rtol=1e-6, atol=1e-9)
    assert torch.equal(kept.weights["embedding.weight"], kept.weights["decoder.weight"])


def test_parameters_that_are_not_trained_are_not_averaged(tmp_path):
    class Half(TinyTask):
        def build_model(self):
            model = super().build_model()
            model.embedding.weight.requires_grad_(False)
            return model

    trainer = train(tmp_path / "run", task=Half())

    kept = RunFolder(tmp_path / "run").checkpoints.load("last")
    assert "embedding.weight" not in kept.training["average"]["sums"]
    assert torch.equal(kept.weights["embedding.weight"], trainer.model.embedding.weight)


# ---------------------------------------------------------------------- the learning rate


@pytest.mark.parametrize(
    ("schedule", "after"), [("constant", [1.2] * 10), ("step", [1.5, 1.8, 2.1, 2.4, 2.7, 3.0, 1.5, 1.5, 1.5, 1.5])]
)
def test_a_constant_rate_stays_where_it_is_when_averaging_begins_and_others_go_on(tmp_path, schedule, after):
    rows = Rows()
    options = {"warmup_steps": 9, "schedule": schedule, "decay_every": 10, "decay_factor": 0.5}

    train(tmp_path / "run", rows, task=Worsening(), **options)

    rates = [row["lr"] for row in rows.rows if row["split"] == "train"]
    assert rates == pytest.approx([0.3, 0.6, 0.9, 1.2, *after])


# ---------------------------------------------------------------------- stopping and going on


def all_tensors(path):
    store = RunFolder(path).checkpoints
    folder = store.folder / store.pointed("last")
    return {
        f"{name}/{key}": tensor
        for name in ("weights", "training")
        for key, tensor in safetensors.torch.load_file(folder / f"{name}.safetensors").items()
    }


@pytest.mark.parametrize(
    ("stop_at", "options"),
    [
        (3, {}),
        (4, {}),
        (5, {"warmup_steps": 9}),
        (11, {"momentum": 0.5, "lr": 1.0, "schedule": "cosine", "average_patience": 0}),
    ],
)
def test_a_resumed_run_averages_on_bit_for_bit(tmp_path, stop_at, options):
    whole = train(tmp_path / "whole", task=TiedTask(), **options)
    train(tmp_path / "parts", Stop(stop_at), task=TiedTask(), **options)

    resumed = Trainer(TiedTask(), whole.config, RunFolder.open(tmp_path / "parts"))
    resumed.fit(resume=True)

    one, other = all_tensors(tmp_path / "whole"), all_tensors(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert whole._selection.averaging_since == resumed._selection.averaging_since is not None
    assert whole.progress.validation == resumed.progress.validation
    assert torch.equal(whole.model.decoder.bias, resumed.model.decoder.bias)


def test_averaging_is_not_announced_again_by_a_resumed_run(tmp_path):
    train(tmp_path / "run", Stop(5))
    tracks = Tracks()

    trainer = Trainer(TinyTask(), TrainingConfig(**RISING), RunFolder.open(tmp_path / "run"), [tracks])
    trainer.fit(resume=True)

    assert tracks.said == []
    assert trainer._selection.averaging_since == 4


def test_without_averaging_a_checkpoint_holds_what_it_always_held(tmp_path):
    train(tmp_path / "run", average_weights="none")

    names = {name.split(".")[1] for name in all_tensors(tmp_path / "run") if name.startswith("training/")}
    assert set(RunFolder(tmp_path / "run").checkpoints.load().training) == {
        "progress",
        "optimizer",
        "carried",
        "random",
    }
    assert names <= {"optimizer", "carried", "random"}


@pytest.mark.parametrize(("made_with", "resumed_with"), [("none", "non-monotone"), ("non-monotone", "none")])
def test_a_run_cannot_change_its_mind_about_averaging(tmp_path, made_with, resumed_with):
    train(tmp_path / "run", Stop(5), average_weights=made_with)
    config = TrainingConfig(**{**RISING, "average_weights": resumed_with})

    with pytest.raises(
        CheckpointError, match=f"average_weights = '{resumed_with}' expected a checkpoint of a run with"
    ):
        Trainer(TinyTask(), config, RunFolder.open(tmp_path / "run")).fit(resume=True)


# ---------------------------------------------------------------------- what is refused


def test_averaging_needs_validation():
    class Blind(TinyTask):
        def num_batches(self, split):
            return 8 if split == "train" else 0

    with pytest.raises(ConfigError, match=r"^average_weights = 'non-monotone' expected a task with validation data"):
        recurra.train(Blind(), TrainingConfig(**RISING))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="average_patience of at least 0, got -1"):
        TrainingConfig(average_patience=-1)
    with pytest.raises(ConfigError, match=r"average_weights to be one of none, non-monotone; got 'monotone'"):
        TrainingConfig(average_weights="monotone")


def test_a_mean_over_many_steps_does_not_lose_small_differences():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 1.0)
    average = WeightAverage(model, patience=0)
    average.observe_validation(1.0, 0, higher_is_better=False)
    assert average.observe_validation(2.0, 1, higher_is_better=False)
    average.num_averaged, average._sums["weight"] = 10**6, average._sums["weight"] * 10**6
    torch.nn.init.constant_(model.weight, 1.01)

    for _ in range(1000):
        average.observe_step()

    with average.in_use():
        mean = model.weight.item()
    assert math.isclose(mean, (10**6 + 1000 * 1.01) / (10**6 + 1000), rel_tol=1e-7)
    assert model.weight.item() == pytest.approx(1.01)
