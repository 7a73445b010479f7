"""Training is killed with SIGKILL at random moments and resumed; the run must end bit for bit like one left alone."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from recurra.training import RunFolder
from tests.support.text_runs import assert_equal_runs

OPTIONS = [
    *(
        "--max-steps",
        "120",
        "--num-validations",
        "6",
        "--num-samples",
        "4",
        "--sample-length",
        "40",
        "--log-every",
        "7",
    ),
    *("--batch-size", "4", "--bptt", "16", "--hidden-size", "24", "--dropout", "0.3", "--input-dropout", "0.1"),
    *("--num-threads", "1", "--save-every-s", "0.3", "--learn-initial-state"),
]


def start(*arguments):
    command = [sys.executable, "-m", "recurra", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process):
    message = process.communicate(timeout=240)[1]
    assert process.returncode == 0, message
    return message


def num_rows(run):
    metrics = run / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def kill_beyond(process, run, rows, moments):
    """Kill at a random moment after metrics.jsonl has got so many rows."""
    while num_rows(run) < rows:
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    time.sleep(moments.random() * 0.02)
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def undisturbed(text_file, tmp_path_factory):
    """A run left alone."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    finish(start("train", "text", "--data", text_file, "--run", run, *OPTIONS))
    assert len(list((run / "samples").iterdir())) >= 4
    return run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_killed_at_random_moments_ends_bit_for_bit_the_same(undisturbed, text_file, tmp_path, seed):
    moments = random.Random(seed)
    run = tmp_path / "run"
    # far enough from the end for the process to be still at work when the kill comes
    last = num_rows(undisturbed) - 15

    kill_beyond(
        start("train", "text", "--data", text_file, "--run", run, *OPTIONS), run, moments.randint(1, 15), moments
    )
    for _ in range(3):
        target = num_rows(run) + moments.randint(1, 12)
        if target < last:
            kill_beyond(start("resume", run), run, target, moments)
    finish(start("resume", run))

    assert_equal_runs(undisturbed, run)


def test_interrupting_saves_evaluates_and_can_be_resumed(undisturbed, text_file, tmp_path):
    run = tmp_path / "run"
    process = start("train", "text", "--data", text_file, "--run", run, *OPTIONS)
    while not ((run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_bytes().count(b"\n") >= 5):
        assert process.poll() is None
        time.sleep(0.001)

    process.send_signal(signal.SIGINT)
    message = finish(process)

    result = json.loads((run / "result.json").read_text())
    assert result["stopped"] == "interrupted"
    assert 0 < result["steps"] < 400
    assert RunFolder(run).checkpoints.load().step == result["steps"]
    assert "recurra resume" in message
    finish(start("resume", run))
    assert_equal_runs(undisturbed, run)
