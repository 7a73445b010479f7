import json
import math

import pytest
import torch

import recurra
from recurra.errors import RunExistsError, RunLockedError, TrainingDivergedError
from recurra.training import Callback, RunFolder, Trainer, TrainingConfig
from recurra.training.records import record_keepers
from recurra.training.start import new_run, resolved
from recurra.training.state import is_due
from tests.support.tiny_task import TinyTask

FAST = {"max_steps": 24, "log_every": 5, "num_validations": 4, "warmup_steps": 2, "num_samples": 3}
CLOCK = ("seconds", "tokens_per_s", "training_s", "validate_s", "sample_s")


class Stop(Callback):
    """Asks for a stop, or raises, after a step."""

    def __init__(self, step, error=None):
        self.step, self.error = step, error

    def on_step(self, trainer, loss, grad_norm):
        if trainer.progress.step == self.step:
            if self.error:
                raise self.error
            trainer.stop.request()


class Ears(Callback):
    def __init__(self):
        self.events = []

    def on_start(self, trainer):
        self.events.append(("start", trainer.progress.step))

    def on_row(self, trainer, row):
        self.events.append((row["split"], row["step"]))

    def on_sample(self, trainer, texts):
        self.events.append(("sample", trainer.progress.step))

    def on_checkpoint(self, trainer, path):
        self.events.append(("checkpoint", trainer.progress.step))

    def on_end(self, trainer, result):
        self.events.append(("end", result is not None))


def run_whole(path, config, *callbacks, task=None):
    task = task or TinyTask()
    config = resolved(config)
    with new_run(task, config, path) as folder:
        trainer = Trainer(task, config, folder, [*record_keepers(folder), *callbacks])
        return trainer, trainer.fit()


def resume(path, config, *callbacks, task=None):
    folder = RunFolder.open(path)
    trainer = Trainer(task or TinyTask(), resolved(config), folder, [*record_keepers(folder), *callbacks])
    return trainer, trainer.fit(resume=True)


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in CLOCK}
    return value


def assert_same_run(one, other):
    a, b = RunFolder(one), RunFolder(other)
    assert [timeless(row) for row in a.read_rows()] == [timeless(row) for row in b.read_rows()]
    assert timeless(json.loads(a.result.read_text())) == timeless(json.loads(b.result.read_text()))
    texts = [{path.name: path.read_text() for path in folder.samples.iterdir()} for folder in (a, b)]
    assert texts[0] == texts[1]
    last = [folder.checkpoints.load("last") for folder in (a, b)]
    assert all(torch.equal(last[0].weights[name], last[1].weights[name]) for name in last[0].weights)
    assert a.checkpoints.pointed("best") == b.checkpoints.pointed("best")


# ---------------------------------------------------------------------- what a run does


def test_rows_validations_samples_and_checkpoints_come_at_their_moments(tmp_path):
    ears = Ears()

    run_whole(tmp_path / "run", TrainingConfig(**FAST), ears)

    def steps(kind):
        return [step for event, step in ears.events if event == kind]

    assert steps("train") == [5, 10, 15, 20, 24]
    assert steps("validation") == [0, 6, 12, 18, 24]
    assert steps("checkpoint") == [0, 6, 12, 18, 24]
    assert steps("sample") == [0, 12, 24]
    assert ears.events[0] == ("start", 0)
    assert ears.events[-1] == ("end", True)


def test_evenly_spaced_moments_are_as_many_as_asked_for_and_end_at_the_end():
    for total in (1, 7, 100, 1001):
        for num in (1, 3, 10):
            moments = [step for step in range(1, total + 1) if is_due(step, num, total)]
            assert len(moments) == min(num, total)
            assert moments[-1] == total


def test_the_loss_falls_and_the_result_says_by_how_much(tmp_path):
    _, result = run_whole(tmp_path / "run", TrainingConfig(max_steps=200, lr=0.02, num_samples=0))

    rows = RunFolder(tmp_path / "run").read_rows()
    validation = [row["loss"] for row in rows if row["split"] == "validation"]
    assert result["stopped"] == "finished"
    assert result["last"]["validation"]["loss"] == validation[-1] < 0.75 * validation[0]
    assert result["num_targets"] == 200 * 5 * 3
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == result
    assert (tmp_path / "run" / "plots" / "loss.png").stat().st_size > 1000
    assert list((tmp_path / "run" / "events").glob("events.out.tfevents*"))


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_whole(tmp_path / name, TrainingConfig(seed=seed, **FAST))

    assert_same_run(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "a", tmp_path / "c")


def test_validation_and_samples_leave_no_trace_in_the_weights(tmp_path):
    task, quiet = TinyTask(), TinyTask()
    config = {**FAST, "schedule": "constant"}

    often, _ = run_whole(tmp_path / "often", TrainingConfig(**{**config, "validate_every": 1}), task=task)
    seldom, _ = run_whole(
        tmp_path / "seldom", TrainingConfig(**{**config, "num_validations": 1, "num_samples": 0}), task=quiet
    )

    assert task.num_validations > 20
    assert quiet.num_validations <= 3
    for name, weights in often.model.state_dict().items():
        assert torch.equal(weights, seldom.model.state_dict()[name])


def test_it_trains_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = recurra.train(TinyTask(), TrainingConfig(**FAST))

    assert result["steps"] == 24
    assert not list(tmp_path.iterdir())


def test_epochs_become_steps():
    assert recurra.train(TinyTask(), TrainingConfig(num_epochs=1.5))["steps"] == 12


def test_zero_steps_evaluate_and_end():
    result = recurra.train(TinyTask(), TrainingConfig(max_steps=0))

    assert result["steps"] == 0
    assert result["last"]["validation"]["loss"] == pytest.approx(math.log(7), abs=0.5)


def test_a_time_budget_becomes_a_stored_step_count(tmp_path):
    trainer, result = run_whole(tmp_path / "run", TrainingConfig(time_budget_s=3.0, num_samples=0))

    assert result["stopped"] == "finished"
    assert result["steps"] == trainer.progress.total_steps > 10
    assert RunFolder(tmp_path / "run").load_total_steps() == (result["steps"], trainer.progress.decided_at)


def test_early_stopping_waits_for_its_patience(tmp_path):
    config = TrainingConfig(max_steps=500, validate_every=2, patience=3, lr=1e-12, weight_decay=0, num_samples=0)

    _, result = run_whole(tmp_path / "run", config)

    assert result["stopped"] == "no improvement"
    assert result["steps"] - result["best"]["step"] == 6


def test_plateau_halves_the_rate_when_validation_does_not_improve(tmp_path):
    config = TrainingConfig(max_steps=8, validate_every=2, lr=1e-12, schedule="plateau", warmup_steps=0, weight_decay=0)

    trainer, _ = run_whole(tmp_path / "run", config)

    assert trainer.progress.num_decays >= 2
    assert trainer.optimizer.param_groups[0]["lr"] < 1e-12


def test_the_state_is_carried_and_starts_anew_where_the_batch_says_so():
    seen = []

    class Watched(TinyTask):
        def loss(self, model, batch, state):
            if model.training:
                assert state is None or not state.requires_grad
                seen.append(state is None)
            return super().loss(model, batch, state)

    recurra.train(Watched(), TrainingConfig(max_steps=17, num_samples=0))

    assert [step for step, anew in enumerate(seen) if anew] == [0, 8, 16]


# ---------------------------------------------------------------------- stopping and going on


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "schedule": "step", "decay_every": 5},
        {"optimizer": "rmsprop", "schedule": "plateau", "validate_every": 3, "lr": 0.02},
        {"optimizer": "adam", "schedule": "constant", "max_grad_value": 0.1},
        {"patience": 2, "validate_every": 2, "lr": 0.3},
    ],
)
@pytest.mark.parametrize("stop_at", [1, 7, 12, 23])
def test_a_stopped_and_resumed_run_equals_one_that_was_never_stopped(tmp_path, options, stop_at):
    config = TrainingConfig(**{**FAST, **options})
    run_whole(tmp_path / "whole", config)

    _, first = run_whole(tmp_path / "parts", config, Stop(stop_at))
    resume(tmp_path / "parts", config)

    assert first["stopped"] == "interrupted" or options.get("patience")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("die_at", [1, 6, 13])
def test_a_run_that_died_between_checkpoints_goes_on_from_the_last_one(tmp_path, die_at):
    config = TrainingConfig(**FAST)
    run_whole(tmp_path / "whole", config)

    with pytest.raises(RuntimeError, match="pulled the plug"):
        run_whole(tmp_path / "parts", config, Stop(die_at, RuntimeError("pulled the plug")))
    resume(tmp_path / "parts", config)

    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_torn_last_checkpoint_is_replaced_by_the_one_before(tmp_path):
    config = TrainingConfig(**FAST)
    run_whole(tmp_path / "whole", config)
    run_whole(tmp_path / "parts", config, Stop(13))
    folder = RunFolder(tmp_path / "parts")
    (folder.checkpoints.folder / folder.checkpoints.pointed("last") / "training.safetensors").write_bytes(b"torn")
    said = []

    class Hear(Callback):
        def on_message(self, trainer, message):
            said.append(message)

    resume(tmp_path / "parts", config, Hear())

    assert "going back to step_00000012" in said[0]
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_killed_before_its_first_checkpoint_starts_over(tmp_path):
    config = resolved(TrainingConfig(**FAST))
    run_whole(tmp_path / "whole", config)
    with new_run(TinyTask(), config, tmp_path / "parts"):
        pass

    resume(tmp_path / "parts", config)

    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_torn_row_of_figures_is_forgotten(tmp_path):
    config = TrainingConfig(**FAST)
    run_whole(tmp_path / "whole", config)
    run_whole(tmp_path / "parts", config, Stop(13))
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as file:
        file.write('{"step": 15, "spl')

    resume(tmp_path / "parts", config)

    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    config = TrainingConfig(**FAST)
    run_whole(tmp_path / "a", config)
    run_whole(tmp_path / "b", config)

    resume(tmp_path / "b", config)

    assert_same_run(tmp_path / "a", tmp_path / "b")


# ---------------------------------------------------------------------- what goes wrong


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint_kept(tmp_path):
    with pytest.raises(TrainingDivergedError, match="the loss of step 14 is nan") as caught:
        run_whole(tmp_path / "run", TrainingConfig(**FAST), task=TinyTask(poison_at=14))

    assert "a lower lr (now 0.01, try 0.0025)" in caught.value.hint
    assert "the last good checkpoint is step_00000012" in caught.value.hint
    weights = RunFolder(tmp_path / "run").checkpoints.load().weights
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())


def test_an_exploding_loss_stops(tmp_path):
    config = TrainingConfig(max_steps=100, optimizer="sgd", lr=1e4, max_grad_norm=None, warmup_steps=0)

    with pytest.raises(TrainingDivergedError, match="the first loss was") as caught:
        run_whole(tmp_path / "run", config)

    assert "max_grad_norm = 1" in caught.value.hint


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious.txt").write_text("mine")

    with pytest.raises(RunExistsError, match="exists and is not empty"):
        recurra.train(TinyTask(), TrainingConfig(**FAST), run=tmp_path / "run")
    with pytest.raises(recurra.RecurraError, match="is no run: nothing in it is overwritten"):
        recurra.train(TinyTask(), TrainingConfig(**FAST), run=tmp_path / "run", overwrite=True)

    assert (tmp_path / "run" / "precious.txt").read_text() == "mine"


def test_overwriting_replaces_the_run_and_nothing_else(tmp_path):
    recurra.train(TinyTask(), TrainingConfig(**FAST), run=tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")

    recurra.train(TinyTask(), TrainingConfig(**{**FAST, "max_steps": 3}), run=tmp_path / "run", overwrite=True)

    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert RunFolder(tmp_path / "run").read_rows()[-1]["step"] == 3
    assert RunFolder(tmp_path / "run").checkpoints.load().step == 3


def test_two_trainers_cannot_share_a_folder(tmp_path):
    class Intruder(Callback):
        def on_step(self, trainer, loss, grad_norm):
            if trainer.progress.step == 3:
                with pytest.raises(RunLockedError, match="another process trains in"):
                    Trainer(TinyTask(), trainer.config, RunFolder.open(tmp_path / "run")).fit(resume=True)
                trainer.stop.request()

    _, result = run_whole(tmp_path / "run", TrainingConfig(**FAST), Intruder())

    assert result["steps"] == 3


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(recurra.RecurraError, match="there is no run at") as caught:
        RunFolder.open(tmp_path / "nowhere")
    assert caught.value.hint == "`recurra train TASK --run FOLDER` makes one"
    with pytest.raises(recurra.RecurraError, match=r"is no run: it has no config\.toml"):
        RunFolder.open(tmp_path)
