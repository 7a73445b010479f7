"""Tasks that write a report, measure their test part once, and name their targets; averages of checkpoints."""

import dataclasses

import pytest
import torch

import recurra
from recurra.errors import CheckpointError, ConfigError, RunError
from recurra.training import Callback, RunFolder, TrainingConfig
from recurra.training.config_file import field_docs, read_section, write_config
from recurra.training.metrics import LossMetric
from tests.support.tiny_task import TinyTask

SHORT = TrainingConfig(max_steps=6, num_validations=6, num_samples=0, num_threads=1)


class Seen:
    """Says how good the weights are by their step: the one of step 3 are the best."""

    higher_is_better = True

    def __init__(self, task, split):
        self.task, self.split = task, split
        self.value = 0.0

    def update(self, result):
        self.value = self.task.quality(result)
        self.task.seen.append(self.split)
        self.task.last[self.split] = self

    def compute(self):
        return self.value


class ReportingTask(TinyTask):
    target_unit = "words"

    def __init__(self):
        super().__init__()
        self.seen, self.last, self.values = [], {}, iter([])

    def num_batches(self, split):
        return super().num_batches("validation" if split == "test" else split)

    def batches(self, split, seed, start=None):
        return super().batches("validation" if split == "test" else split, seed, start)

    def quality(self, result):
        return -float(result.loss)

    def metrics(self, split):
        return {"quality": Seen(self, split)}

    def report(self, folder):
        (folder / "plots" / "mine.txt").write_text(f"{self.last['test'].value}")
        return ["the report is there"]


def test_the_test_part_is_measured_once_and_reported_on(tmp_path):
    task = ReportingTask()
    task.quality = lambda result: -abs(len(task.seen) - 8)  # the best validation is in the middle

    result = recurra.train(task, SHORT, run=tmp_path / "run")

    assert "test" not in result["last"]
    assert result["best"]["test"] == {"quality": float((tmp_path / "run" / "plots" / "mine.txt").read_text())}
    assert task.seen.count("test") == len(list(task.batches("test", 1)))
    assert result["best"]["step"] not in (0, 6)


def test_targets_have_the_name_that_the_task_gives_them(tmp_path):
    result = recurra.train(ReportingTask(), SHORT, run=tmp_path / "run")

    rows = RunFolder(tmp_path / "run").read_rows()
    assert all("words_per_s" in row for row in rows if row["split"] == "train")
    assert result["words_per_s"] > 0


def test_the_mean_of_the_kept_checkpoints_can_be_loaded(tmp_path):
    config = dataclasses.replace(SHORT, keep_checkpoints=3)
    recurra.train(TinyTask(), config, run=tmp_path / "run")
    store = RunFolder(tmp_path / "run").checkpoints

    read = [store.load(name, weights_only=True).weights for name in store.names()]
    mean = store.load("average", weights_only=True)

    assert len(read) >= 3
    assert mean.step == 6
    for name, tensor in mean.weights.items():
        torch.testing.assert_close(tensor, sum(one[name] for one in read) / len(read))


def test_training_cannot_go_on_from_an_average(tmp_path):
    recurra.train(TinyTask(), SHORT, run=tmp_path / "run")

    with pytest.raises(CheckpointError, match="training cannot go on from averaged weights"):
        RunFolder(tmp_path / "run").checkpoints.load("average")
    with pytest.raises(RunError, match="holds no checkpoint to average"):
        RunFolder(tmp_path).checkpoints.load("average", weights_only=True)


@dataclasses.dataclass(frozen=True)
class MyTraining(TrainingConfig):
    """As everywhere, but slower."""

    lr: float = 0.001
    """Peak learning rate of mine."""


def test_a_task_may_have_other_defaults(tmp_path):
    (tmp_path / "config.toml").write_text(write_config("mine", {"training": MyTraining()}))

    read = read_section(tmp_path / "config.toml", "training", MyTraining)

    assert read == MyTraining()
    assert field_docs(MyTraining)["lr"] == "Peak learning rate of mine."
    assert field_docs(MyTraining)["seed"] == field_docs(TrainingConfig)["seed"]


class Constant:
    """As good at every validation."""

    higher_is_better = True

    def update(self, result):
        pass

    def compute(self):
        return 1.0


class TiedTask(TinyTask):
    def metrics(self, split):
        return {"accuracy": Constant(), "loss": LossMetric()}


def test_of_equally_good_weights_those_with_the_lower_loss_are_the_best(tmp_path):
    result = recurra.train(TiedTask(), SHORT, run=tmp_path / "run")

    rows = [row for row in RunFolder(tmp_path / "run").read_rows() if row["split"] == "validation"]
    assert result["best"]["step"] == min(rows, key=lambda row: row["loss"])["step"] != 0


class Interrupting(Callback):
    def on_step(self, trainer, loss, grad_norm):
        if trainer.progress.step == 3:
            trainer.stop.request()


def test_who_interrupts_does_not_see_the_test_part_and_who_goes_on_does(tmp_path):
    task = ReportingTask()
    task.report = lambda folder: []

    stopped = recurra.train(task, SHORT, run=tmp_path / "run", callbacks=[Interrupting()])
    finished = recurra.train(ReportingTask(), run=tmp_path / "run", resume=True)

    assert stopped["stopped"] == "interrupted"
    assert "test" not in stopped["best"]
    assert "test" not in task.seen
    assert "test" in finished["best"]


@dataclasses.dataclass(frozen=True)
class ForcedTraining(TrainingConfig):
    """With an option that the task reads itself."""

    forcing: float = 0.5
    """How much."""


def test_a_task_is_trained_as_it_was_made_to_be():
    task = TinyTask()
    task.training = ForcedTraining(max_steps=1, forcing=0.25)
    wrong = ForcedTraining(max_steps=1)

    assert recurra.train(task)["steps"] == 1
    with pytest.raises(ConfigError, match=r"expected forcing to be 0.25, as the task tiny has it, got 0.5"):
        recurra.train(task, wrong)
    with pytest.raises(ConfigError, match=r"expected forcing to be 0.25.*got 'a configuration without it'"):
        recurra.train(task, TrainingConfig(max_steps=1))
