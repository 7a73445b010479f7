"""Lines, labels, words and subwords from the command line."""

import json
import shutil

import pytest

from recurra.cli.main import main
from recurra.tasks.text.config import SECTIONS
from recurra.training.config_file import read_config

FAST = ["--hidden-size", "8", "--num-layers", "1", "--num-threads", "1", "--num-samples", "1"]


@pytest.fixture(scope="session")
def labelled(tmp_path_factory, cache):
    """The folder of a run of labelled lines; tests read it only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    root = tmp_path_factory.mktemp("labelled")
    rows = [f"{a}{b}{a},{'xy'[b in 'gh']}\n" for a in "abcde" for b in "fghi" for _ in range(2)]
    (root / "names.csv").write_text("name,kind\n" + "".join(rows))
    columns = ["--text-column", "name", "--label-column", "kind"]
    shares = ["--validation-fraction", "0.2", "--test-fraction", "0.2", "--max-steps", "20"]
    assert (
        main(["train", "text", "--data", str(root / "names.csv"), "--run", str(root / "run"), *columns, *shares, *FAST])
        == 0
    )
    patch.undo()
    return root / "run"


def test_a_run_of_lines_writes_one_line_and_says_whether_it_is_copied(labelled, capsys):
    assert main(["generate", str(labelled), "--condition", "x", "--prime", "a", "--seed", "3"]) == 0

    said = capsys.readouterr()
    assert said.out.startswith("a")
    assert said.out.count("\n") == 1
    assert "of the written lines stand in the training part" in said.err


def test_several_lines_are_written_with_their_primes(labelled, capsys):
    assert main(["generate", str(labelled), "--condition", "y", "--num-samples", "3", "--prime", "b"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == ["--- 1 ---", "--- 2 ---", "--- 3 ---"]
    assert all(line.startswith("b") for line in lines[1::2])


def test_a_condition_that_is_missing_or_unknown(fails, labelled, tmp_path):
    (tmp_path / "lines.txt").write_text("afa\n")
    for command in (["generate", labelled], ["score", labelled, "lines.txt"]):
        code, said = fails(*command)
        assert code == 2
        assert "expected a condition, got none; it knows x, y" in said
        code, said = fails(*command, "--condition", "z")
        assert code == 2
        assert "expected the condition to be one of x, y; got 'z'" in said


def test_samples_are_in_the_run_folder_one_line_a_label(labelled):
    sample = sorted((labelled / "samples").iterdir())[-1].read_text(encoding="utf-8")

    assert "are lines of the training part]" in sample
    assert "\nx: " in sample
    assert "\ny: " in sample


def test_lines_are_evaluated_and_scored(labelled, tmp_path, capsys):
    (tmp_path / "some.csv").write_text("kind,name\ny,aga\nx,afa\n")
    (tmp_path / "lines.txt").write_text("aga\n")

    assert main(["evaluate", str(labelled), "some.csv", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(labelled)]) == 0
    assert "state anew for each line" in capsys.readouterr().out
    assert main(["score", str(labelled), "lines.txt", "--condition", "y", "--json"]) == 0
    score = json.loads(capsys.readouterr().out)

    assert (figures["num_tokens"], figures["num_chars"], figures["unit"]) == (8, 8, "character")
    assert score["num_tokens"] == 4


def test_other_labels_and_resets_are_refused(fails, labelled, tmp_path):
    (tmp_path / "some.csv").write_text("kind,name\nz,aga\nx,afa\n")

    for options, expected in (
        (["some.csv"], "expected the labels of the text to be one of x, y; got 'z'"),
        (["--reset-every", "3"], "expected no reset_every for a model of lines"),
        (["--cache-size", "3"], "expected no cache for a model of lines"),
    ):
        code, said = fails("evaluate", labelled, *options)
        assert code == 2
        assert expected in said


def test_what_was_left_open_is_settled_in_the_run_folder(labelled):
    data = read_config(labelled / "config.toml", SECTIONS)["data"]

    assert (data.sequences, data.tokenizer, data.batch_size, data.min_count) == ("lines", "char", 64, 1)
    assert (data.text_column, data.label_column) == ("name", "kind")
    recorded = json.loads((labelled / "data.json").read_text())
    assert sorted(recorded["labels"]) == ["x", "y"]
    assert recorded["parts"]["sequences"] == "lines"
    assert sum(recorded["parts"]["num_lines"].values()) == 40


def test_a_run_of_lines_is_resumed_from_the_command_line(labelled, tmp_path, capsys):
    shutil.copytree(labelled, tmp_path / "run")

    assert main(["resume", str(tmp_path / "run")]) == 0
    assert "write:  recurra generate" in capsys.readouterr().err


def test_words_are_trained_evaluated_with_a_cache_and_written(text_file, capsys):
    options = ["--tokenizer", "word", "--batch-size", "2", "--bptt", "8", "--max-steps", "5", *FAST]
    assert main(["train", "text", "--data", str(text_file), "--run", "run", *options]) == 0
    said = capsys.readouterr().err
    assert "nats per word" in said
    assert "perplexity" in said

    assert main(["evaluate", "run", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main(["evaluate", "run", "--json", "--cache-size", "50", "--cache-weight", "0.2"]) == 0
    cached = json.loads(capsys.readouterr().out)
    assert main(["generate", "run", "--prime", "The cat", "--length", "12", "--seed", "1"]) == 0
    said = capsys.readouterr()

    assert plain["unit"] == "word"
    assert plain["num_chars"] > 2 * plain["num_tokens"]
    assert cached["loss"] != plain["loss"]
    assert cached["num_tokens"] == plain["num_tokens"]
    assert said.out.startswith("The cat")
    assert "of the written pieces of 8 words stand in the training text" in said.err


def test_subwords_are_trained_and_written(text_file, capsys):
    options = ["--tokenizer", "bpe", "--max-vocab-size", "270", "--batch-size", "2", "--bptt", "8", "--max-steps", "5"]
    assert main(["train", "text", "--data", str(text_file), "--run", "run", *options, *FAST]) == 0
    capsys.readouterr()

    assert main(["generate", "run", "--prime", "The \u00fc", "--length", "12", "--temperature", "0"]) == 0

    assert capsys.readouterr().out.startswith("The \u00fc")
