"""A tiny run is cut off at every single file operation in turn, resumed, and must end like one left alone.

A cut is an exception that no handler of ours catches, after which all further file operations fail too: what a kill
leaves on the disk at that moment.
"""

import builtins
import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from recurra.errors import RunError
from recurra.training import RunFolder, Trainer, TrainingConfig
from recurra.training.records import MetricsFile, SampleFiles
from recurra.training.start import new_run, resolved
from tests.support.tiny_task import TinyTask

CONFIG = TrainingConfig(
    max_steps=9, log_every=2, num_validations=3, num_samples=2, warmup_steps=1, num_threads=1, lr=0.05
)
# averaging begins after step 3
AVERAGED = dataclasses.replace(
    CONFIG,
    average_weights="non-monotone",
    average_patience=0,
    optimizer="sgd",
    momentum=0.0,
    lr=3.0,
    schedule="constant",
)
CLOCK = ("seconds", "tokens_per_s", "training_s", "validate_s", "sample_s")


class Killed(BaseException):
    pass


class Saw:
    """Counts file operations and fails from the n-th one on."""

    def __init__(self, monkeypatch, at):
        self.count, self.at = 0, at
        for owner, name in (
            (os, "rename"),
            (os, "replace"),
            (os, "fsync"),
            (os, "rmdir"),
            (shutil, "rmtree"),
            (Path, "unlink"),
            (Path, "mkdir"),
        ):
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))
        plain = builtins.open
        monkeypatch.setattr(builtins, "open", lambda path, mode="r", *a, **k: self.open(plain, path, mode, *a, **k))

    def tick(self):
        self.count += 1
        if self.count >= self.at:
            raise Killed

    def wrap(self, function):
        def counted(*arguments, **options):
            self.tick()
            return function(*arguments, **options)

        return counted

    def open(self, plain, path, mode, *arguments, **options):
        if set(mode) & set("wax"):
            self.tick()
        return plain(path, mode, *arguments, **options)


def keepers(folder):
    return [MetricsFile(folder), SampleFiles(folder)]


def run_new(path, config=CONFIG, task=None):
    task = task or TinyTask()
    with new_run(task, resolved(config), path) as folder:
        return Trainer(task, resolved(config), folder, keepers(folder)).fit()


def run_on(path, config=CONFIG):
    folder = RunFolder.open(path)
    return Trainer(TinyTask(), resolved(config), folder, keepers(folder)).fit(resume=True)


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in CLOCK}
    return value


def as_lists(value):
    if isinstance(value, dict):
        return {key: as_lists(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, torch.Tensor) else value


def content(path):
    folder = RunFolder(path)
    read = {which: folder.checkpoints.load(which) for which in ("last", "best")}
    return {
        "rows": [timeless(row) for row in folder.read_rows()],
        "result": timeless(json.loads(folder.result.read_text())),
        "samples": {sample.name: sample.read_text() for sample in folder.samples.iterdir()},
        "names": folder.checkpoints.names(),
        "weights": {which: as_lists(checkpoint.weights) for which, checkpoint in read.items()},
        "averages": {which: as_lists(checkpoint.training.get("average")) for which, checkpoint in read.items()},
        "pointers": {which: folder.checkpoints.pointed(which) for which in read},
        "left over": [p.name for p in path.rglob("*") if ".part" in p.name],
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    run_new(path)
    return content(path)


def is_cut(at, run, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        Saw(patch, at)
        try:
            run(*arguments)
        except Killed:
            return True
    return False


def test_a_run_cut_off_at_any_file_operation_resumes_to_the_same_end(undisturbed, tmp_path):
    at = 1
    while is_cut(at, run_new, path := tmp_path / f"cut-{at}"):
        if (path / "config.toml").exists():
            run_on(path)
        else:
            # cut off while the folder was made: it is no run yet, and can be made one
            with pytest.raises(RunError):
                RunFolder.open(path)
            with new_run(TinyTask(), resolved(CONFIG), path, overwrite=True) as folder:
                Trainer(TinyTask(), resolved(CONFIG), folder, keepers(folder)).fit()

        assert content(path) == undisturbed, f"cut off at operation {at}"
        at += 1
    assert at > 100


def test_a_resumed_run_cut_off_at_any_file_operation_resumes_again(undisturbed, tmp_path):
    start = tmp_path / "start"
    assert is_cut(45, run_new, start)
    at = 1
    while is_cut(at, run_on, shutil.copytree(start, path := tmp_path / f"again-{at}")):
        run_on(path)

        assert content(path) == undisturbed, f"cut off at operation {at}"
        at += 1
    assert at > 30


def test_averaged_weights_survive_a_cut_at_any_tenth_file_operation(tmp_path):
    run_new(tmp_path / "whole", AVERAGED)
    undisturbed = content(tmp_path / "whole")
    num_averaged = undisturbed["averages"]["last"]["num_averaged"]
    at = 41
    while is_cut(at, run_new, path := tmp_path / f"cut-{at}", AVERAGED):
        run_on(path, AVERAGED)

        assert content(path) == undisturbed, f"cut off at operation {at}"
        at += 10
    assert num_averaged == 9 - 3 + 1
    assert at > 100


def test_a_time_budget_is_resumed_with_the_steps_before_the_decision_as_they_were(tmp_path, monkeypatch):
    config = TrainingConfig(time_budget_s=50.0, num_threads=1, num_samples=3, num_validations=2, log_every=4)
    monkeypatch.setattr(
        "recurra.training.budget.TimeBudget.is_measured", property(lambda self: len(self._durations) >= 6)
    )
    monkeypatch.setattr("recurra.training.budget.TimeBudget.num_steps_left", lambda self, *rest: 14)
    run_new(tmp_path / "whole", config)

    for stop_at in (3, 6, 9):

        class Plug(MetricsFile):
            def on_step(self, trainer, loss, grad_norm, stop_at=stop_at):
                if trainer.progress.step == stop_at:
                    raise Killed

        path = tmp_path / f"parts-{stop_at}"
        with pytest.raises(Killed), new_run(TinyTask(), config, path) as folder:
            Trainer(TinyTask(), config, folder, [Plug(folder), SampleFiles(folder)]).fit()
        run_on(path, config)

        assert content(path) == content(tmp_path / "whole"), f"stopped after step {stop_at}"
        if stop_at >= 6:
            assert RunFolder(path).load_total_steps() == (20, 6)


def test_when_the_newest_and_best_checkpoint_is_torn_the_best_before_it_is_still_there(undisturbed, tmp_path):
    path = tmp_path / "run"
    run_new(path)
    store = RunFolder(path).checkpoints
    before = store.load("last")
    (store.folder / store.names()[-1] / "weights.safetensors").write_bytes(b"torn")

    run_on(path)

    assert content(path) == undisturbed
    assert torch.equal(RunFolder(path).checkpoints.load("last").weights["decoder.bias"], before.weights["decoder.bias"])
