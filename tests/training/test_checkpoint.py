import json
import subprocess
import sys
import textwrap

import pytest
import torch

from recurra.errors import CheckpointError, CheckpointFormatError, RunError
from recurra.training.checkpoint import CheckpointStore


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoints")


BEST = {}


def save(store, step, loss=None, best=False):
    weights = {"w": torch.full((2, 2), float(step)), "half": torch.ones(3, dtype=torch.bfloat16)}
    if best:
        BEST[store.folder] = step
    training = {"step": step, "carried": (torch.ones(1, step % 5 + 1),)}
    return store.save(step, weights, training, loss=loss, best_step=BEST.get(store.folder, -1))


def test_a_checkpoint_reads_back_whole(store):
    path = save(store, 500, loss=1.42284, best=True)

    read = store.load()

    assert path.name == "step_00000500_loss1.4228"
    assert read.step == 500
    assert read.loss == 1.42284
    assert torch.equal(read.weights["w"], torch.full((2, 2), 500.0))
    assert read.weights["half"].dtype == torch.bfloat16
    assert read.training["carried"][0].shape == (1, 1)


def test_best_and_the_newest_two_are_kept(store):
    for step in range(5):
        save(store, step, loss=1.0 + step, best=step == 1)

    assert store.names() == ["step_00000001_loss2.0000", "step_00000003_loss4.0000", "step_00000004_loss5.0000"]
    assert store.load("best").step == 1
    assert store.load("last").step == 4
    assert store.load("3").step == 3


def test_weights_are_readable_by_plain_safetensors(store):
    from safetensors.torch import load_file

    path = save(store, 3)

    assert load_file(path / "weights.safetensors")["w"][0, 0] == 3


@pytest.mark.parametrize("file", ["weights.safetensors", "training.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["altered", "torn", "missing"])
def test_damage_is_found_and_the_checkpoint_before_is_used(store, file, damage):
    save(store, 1)
    path = save(store, 2) / file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    else:
        # a digit that is still JSON: only the checksum can tell
        place = content.rindex(b"2") if file == "checkpoint.json" else len(content) - 3
        path.write_bytes(content[:place] + b"3" + content[place + 1 :])
    said = []

    with pytest.raises(CheckpointError, match="step_00000002"):
        store.load()
    read = store.load(warn=said.append)

    assert read.step == 1
    assert "going back to step_00000001" in said[0]


def test_when_all_are_damaged_the_error_says_so(store):
    (save(store, 1) / "weights.safetensors").write_bytes(b"")

    with pytest.raises(CheckpointError, match="checksum does not match"):
        store.load(warn=lambda message: None)


def test_a_newer_format_is_refused_and_nothing_older_is_taken_instead(store):
    save(store, 1)
    path = save(store, 2) / "checkpoint.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 99}))

    with pytest.raises(CheckpointFormatError, match="format 99; this version reads up to 1") as caught:
        store.load(warn=lambda message: None)

    assert caught.value.exit_code == 2


def test_an_unknown_checkpoint_is_named_with_those_there_are(store):
    save(store, 7)

    with pytest.raises(RunError, match=r"no checkpoint '9'\nhint: there are step_00000007"):
        store.load("9")


def test_what_a_kill_left_half_written_is_ignored_and_removed(store):
    save(store, 1)
    (store.folder / ".part_step_00000002").mkdir()

    assert store.load().step == 1
    save(store, 3)

    assert not list(store.folder.glob(".part_*"))


def test_the_same_step_can_be_saved_again(store):
    save(store, 1)
    save(store, 1, best=True)

    assert store.load("best").step == 1


def test_forgetting_repoints_before_it_removes(store):
    save(store, 1, best=True)
    save(store, 2, best=True)

    store.forget_after(1, best_step=1)

    assert store.names() == ["step_00000001"]
    assert store.load("best").step == store.load("last").step == 1


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    # a real failure of write(2): no file may grow beyond 64 KiB in the child
    program = textwrap.dedent("""
        import resource, sys, torch
        from pathlib import Path
        from recurra.errors import CheckpointWriteError
        from recurra.training.checkpoint import CheckpointStore
        store = CheckpointStore(Path(sys.argv[1]))
        store.save(1, {"w": torch.ones(10)}, {}, best_step=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            store.save(2, {"w": torch.ones(100_000)}, {}, best_step=2)
        except CheckpointWriteError as error:
            print(error)
    """)

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )

    assert "could not be written" in done.stdout
    assert "step_00000001 stays valid" in done.stdout
    assert "hint: make room on the disk" in done.stdout
    store = CheckpointStore(tmp_path)
    assert store.load("last").step == store.load("best").step == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last", "step_00000001"]
