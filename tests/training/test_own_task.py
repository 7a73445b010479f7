"""Tasks of one's own: other metrics, no validation, other losses and states; and what goes wrong around them."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

import recurra
from recurra.errors import ArgumentError, ConfigError, RunError, RunExistsError, RunWriteError, TrainingDivergedError
from recurra.training import Callback, RunFolder, StepResult, Trainer, TrainingConfig
from recurra.training.divergence import has_exploded
from recurra.training.truncation import map_state
from tests.support.tiny_task import TinyTask

SHORT = TrainingConfig(max_steps=6, num_validations=2, log_every=2, num_samples=2, num_threads=1)


class Accuracy:
    higher_is_better = True

    def __init__(self):
        self.values = []

    def update(self, result):
        self.values.append(float(result.loss.detach()))

    def compute(self):
        return torch.tensor(1 / (1 + sum(self.values)))


class AccurateTask(TinyTask):
    def metrics(self, split):
        return {"accuracy": Accuracy()}


class BlindTask(TinyTask):
    def num_batches(self, split):
        return 8 if split == "train" else 0

    def batches(self, split, seed, start=None):
        return super().batches(split, seed, start) if split == "train" else []


def test_a_metric_may_have_any_name_and_be_a_tensor(tmp_path):
    result = recurra.train(AccurateTask(), SHORT, run=tmp_path / "run")

    rows = RunFolder(tmp_path / "run").read_rows()
    best = max(row["accuracy"] for row in rows if row["split"] == "validation")
    assert result["best"]["validation"]["accuracy"] == best
    assert all("loss" in row for row in rows if row["split"] == "train")
    assert RunFolder(tmp_path / "run").checkpoints.names()[-1] == "step_00000006"
    assert (tmp_path / "run" / "plots" / "loss.png").exists()


def test_a_task_without_validation_trains_and_its_last_weights_are_the_best(tmp_path):
    result = recurra.train(BlindTask(), SHORT, run=tmp_path / "run")

    assert result["steps"] == 6
    assert set(result["last"]) == {"step"}
    assert RunFolder(tmp_path / "run").checkpoints.load("best").step == 6


def test_patience_needs_validation():
    with pytest.raises(ConfigError, match="expected a task with validation data"):
        recurra.train(BlindTask(), TrainingConfig(max_steps=3, patience=1))


def test_a_negative_loss_is_no_explosion():
    class Density(TinyTask):
        def loss(self, model, batch, state):
            result = super().loss(model, batch, state)
            return StepResult(result.loss - 3.0, result.num_targets, result.state)

    assert recurra.train(Density(), SHORT)["steps"] == 6
    assert not has_exploded(0.5, -1.1)
    assert not has_exploded(3.0, 0.69)
    assert has_exploded(13.0, 4.2)


def test_states_may_be_nested_in_plain_containers_only():
    state = {"a": torch.ones(2), "b": [(torch.ones(1), None)]}

    doubled = map_state(lambda tensor: 2 * tensor, state)

    assert doubled["b"][0][0].item() == 2
    assert doubled["b"][0][1] is None
    with pytest.raises(ArgumentError, match=r"nested tuples, lists and dicts of these; got int"):
        map_state(torch.clone, (3,))


def test_a_dict_state_is_carried_and_resumed(tmp_path):
    class DictTask(TinyTask):
        def loss(self, model, batch, state):
            result = super().loss(model, batch, None if state is None else state["h"])
            return StepResult(result.loss, result.num_targets, {"h": result.state})

    recurra.train(DictTask(), SHORT, run=tmp_path / "run")

    assert RunFolder(tmp_path / "run").checkpoints.load().training["carried"]["h"].shape == (1, 3, 8)
    assert recurra.train(DictTask(), run=tmp_path / "run", resume=True)["steps"] == 6


def test_validation_leaves_the_mode_of_every_part_as_it_was():
    seen = []

    class Frozen(TinyTask):
        def build_model(self):
            model = super().build_model()
            model.dropout.eval()
            return model

        def loss(self, model, batch, state):
            seen.append((model.training, self.model.dropout.training if hasattr(self, "model") else False))
            return super().loss(model, batch, state)

    class Look(Callback):
        def on_start(self, trainer):
            trainer.task.model = trainer.model

    recurra.train(Frozen(), SHORT, callbacks=[Look()])

    assert {training for training, _ in seen} == {True, False}
    assert not any(dropout for _, dropout in seen)


def test_a_run_is_resumed_from_python_with_its_own_configuration(tmp_path):
    class Stop(Callback):
        def on_step(self, trainer, loss, grad_norm):
            if trainer.progress.step == 3:
                trainer.stop.request()

    first = recurra.train(TinyTask(), SHORT, run=tmp_path / "run", callbacks=[Stop()])
    second = recurra.train(TinyTask(), run=tmp_path / "run", resume=True)

    assert (first["stopped"], first["steps"]) == ("interrupted", 3)
    assert (second["stopped"], second["steps"]) == ("finished", 6)
    with pytest.raises(ArgumentError, match="run alone with resume=True"):
        recurra.train(TinyTask(), SHORT, run=tmp_path / "run", resume=True)
    with pytest.raises(RunError, match="there is no run at"):
        recurra.train(TinyTask(), run=tmp_path / "nowhere", resume=True)


def test_a_fresh_fit_does_not_sweep_away_a_run(tmp_path):
    recurra.train(TinyTask(), SHORT, run=tmp_path / "run")

    with pytest.raises(RunExistsError, match="has checkpoints already"):
        Trainer(TinyTask(), SHORT, RunFolder.open(tmp_path / "run")).fit()

    assert RunFolder(tmp_path / "run").checkpoints.load().step == 6


def test_misspelt_choices_are_refused():
    with pytest.raises(
        ConfigError, match=r"optimizer to be one of sgd, .*got 'adma' \(did you mean 'adam'\?\); .*schedule"
    ):
        TrainingConfig(optimizer="adma", schedule="cosin")


def test_a_device_that_is_not_there_is_a_clear_error(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ConfigError, match="accelerator 'cuda' cannot be used here"):
        recurra.train(TinyTask(), TrainingConfig(max_steps=1, accelerator="cuda"), run=tmp_path / "run")
    assert not (tmp_path / "run").exists(), "a failed start must not block the next one"


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "bf16-true"])
def test_other_precisions_train_and_resume(tmp_path, precision):
    config = TrainingConfig(max_steps=4, precision=precision, num_samples=0, num_threads=1)

    recurra.train(TinyTask(), config, run=tmp_path / "run")

    assert recurra.train(TinyTask(), run=tmp_path / "run", resume=True)["steps"] == 4


# ---------------------------------------------------------------------- errors on the way


def test_an_error_in_the_loop_is_not_hidden_by_one_at_the_end():
    heard = []

    class Clumsy(Callback):
        def on_end(self, trainer, result):
            raise OSError("a plot that cannot be drawn")

    class Last(Callback):
        def on_end(self, trainer, result):
            heard.append(result)

    with pytest.raises(TrainingDivergedError):
        recurra.train(TinyTask(poison_at=2), SHORT, callbacks=[Clumsy(), Last()])
    assert heard == [None]
    with pytest.raises(OSError, match="a plot"):
        recurra.train(TinyTask(), SHORT, callbacks=[Clumsy(), Last()])
    assert heard[1]["steps"] == 6


def test_a_damaged_best_checkpoint_does_not_keep_a_run_from_its_end(tmp_path):
    said = []

    class Damage(Callback):
        def on_checkpoint(self, trainer, path):
            store = trainer.folder.checkpoints
            if trainer.progress.step == 6:
                (store.folder / store.pointed("best") / "weights.safetensors").write_bytes(b"torn")

        def on_message(self, trainer, message):
            said.append(message)

    class Worsening(TinyTask):
        # the first validation is the best one
        def loss(self, model, batch, state):
            result = super().loss(model, batch, state)
            extra = 0.0 if model.training or self.num_validations <= 1 else 1.0
            return StepResult(result.loss + extra, result.num_targets, result.state)

    result = recurra.train(Worsening(), SHORT, run=tmp_path / "run", callbacks=[Damage()])

    assert "the last weights stand in for the best" in said[0]
    assert result["best"] == result["last"]


def test_unreadable_rows_are_reported_and_left_out(tmp_path):
    recurra.train(TinyTask(), SHORT, run=tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    path.write_text("\x00\x00\n" + path.read_text())
    said = []

    class Hear(Callback):
        def on_message(self, trainer, message):
            said.append(message)

    with pytest.raises(RunError, match=r"line 1 of .*metrics\.jsonl is no row of figures"):
        RunFolder(tmp_path / "run").read_rows()
    recurra.train(TinyTask(), run=tmp_path / "run", resume=True, callbacks=[Hear()])

    assert "line 1" in said[0]
    assert len(RunFolder(tmp_path / "run").read_rows()) == 6


def test_a_full_disk_names_the_file_and_says_that_checkpoints_stay(tmp_path):
    # a real failure of write(2): from the second step on no file may grow at all
    program = """
import resource, sys, recurra
from recurra.training import Callback, TrainingConfig
from tests.support.tiny_task import TinyTask
class Full(Callback):
    def on_step(self, trainer, loss, grad_norm):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    recurra.train(TinyTask(), TrainingConfig(max_steps=6, log_every=2), run=sys.argv[1], callbacks=[Full()])
except recurra.RecurraError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "run")], capture_output=True, text=True, timeout=120, check=True
    )

    assert "RunWriteError" in done.stdout
    assert "metrics.jsonl could not be written: File too large; checkpoints written before stay valid" in done.stdout
    assert RunWriteError.exit_code == 1
    assert recurra.train(TinyTask(), run=tmp_path / "run", resume=True)["steps"] == 6


# ---------------------------------------------------------------------- folders


def test_a_project_with_a_config_of_its_own_is_never_overwritten(tmp_path):
    (tmp_path / "config.toml").write_text('[tool]\nname = "mine"\n')
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "precious.wav").write_bytes(b"sound")

    with pytest.raises(RunError, match="is no run: nothing in it is overwritten"):
        recurra.train(TinyTask(), SHORT, run=tmp_path, overwrite=True)

    assert (tmp_path / "samples" / "precious.wav").exists()


def test_a_run_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(RunError, match="is a file"):
        recurra.train(TinyTask(), SHORT, run=tmp_path / "file")


def test_an_empty_folder_and_one_that_only_holds_the_lock_can_be_trained_in(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".recurra.lock").touch()

    assert recurra.train(TinyTask(), SHORT, run=tmp_path / "run")["steps"] == 6


def test_parameters_that_are_not_trained_are_left_alone():
    class Half(TinyTask):
        def build_model(self):
            model = super().build_model()
            model.embedding.weight.requires_grad_(False)
            self.before = model.embedding.weight.clone()
            self.model = model
            return model

    task = Half()
    recurra.train(task, SHORT)

    assert torch.equal(task.model.embedding.weight, task.before)
    assert isinstance(task.model, nn.Module)
    assert json.dumps(task.metrics("train")["loss"].higher_is_better) == "false"
