"""Everything a person can get wrong: a clear message, exit code 2, nothing lost."""

import json
import os
import re

import pytest


def unwrapped(said):
    """Return a message without the box and the line breaks that it is shown with."""
    return " ".join(re.sub("[\u2500-\u257f]", " ", said).split())


@pytest.fixture
def train(fails, small, tmp_path):
    def run(*arguments, keep_small=True):
        code, said = fails("train", "text", "--run", tmp_path / "new", *arguments, *(small if keep_small else ()))
        assert not (tmp_path / "new").exists(), "nothing may be half-written"
        return code, said

    return run


def test_a_missing_file(train):
    code, said = train("--data", "nowhere.txt")

    assert code == 2
    assert "nowhere.txt" in said


def test_a_data_set_that_needs_the_data_folder(train, monkeypatch):
    monkeypatch.delenv("RECURRA_DATA", raising=False)

    code, said = train("--data", "tinyshakespeare")

    assert code == 2
    assert "RECURRA_DATA" in said


def test_an_unknown_data_set_gets_a_suggestion(train, monkeypatch, tmp_path):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))

    code, said = train("--data", "tinyshakespear")

    assert code == 2
    assert "tinyshakespeare" in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\x03" * 500, "binary"),
        (b"good line\nb\xffd line\n", "line 2"),
        (b"too short", "characters"),
        (b"a" * 5000, "at least two distinct characters"),
    ],
)
def test_files_that_cannot_be_learnt(train, tmp_path, content, expected):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)

    code, said = train("--data", path)

    assert code == 2
    assert expected in said


def test_too_short_a_file_says_how_long_it_must_be(train, tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("abc " * 100)

    code, said = train("--data", path, keep_small=False)

    assert code == 2
    assert "expected a text of at least 1208 characters for validation_fraction=0.05" in said
    assert "batch_size=16 and bptt=64, got 400" in said
    assert "hint: use more text, a smaller batch_size or bptt, or other fractions" in said
    (tmp_path / "short.txt").write_text("abcd")
    assert "at least 1208 characters" in train("--data", path, keep_small=False)[1]
    assert "at least 15000 characters" in train("--data", path, "--validation-fraction", "1e-4", keep_small=False)[1]
    path.write_text("abc " * 587)
    assert train("--data", path, "--max-steps", "-1", keep_small=False)[1].count("characters") == 0


def test_an_unknown_cell_gets_a_suggestion(train, text_file):
    code, said = train("--data", text_file, "--cell", "lsmt")

    assert code == 2
    assert "did you mean 'lstm'?" in said


def test_an_unknown_option_gets_a_suggestion(train, text_file):
    code, said = train("--data", text_file, "--hiden-size", "3")

    assert code == 2
    assert "--hidden-size" in said


def test_an_unknown_initialiser(train, text_file):
    code, said = train("--data", text_file, "--init", "ortogonal")

    assert code == 2
    assert "did you mean 'orthogonal'?" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--lr", "-1"),
        ("--dropout", "1.5"),
        ("--num-layers", "0"),
        ("--validation-fraction", "0"),
        ("--temperatures", "-1"),
        ("--min-count", "0"),
        ("--max-vocab-size", "0"),
        ("--max-length", "0"),
        ("--split-seed", "-1"),
        ("--label-size", "0"),
        ("--embedding-dropout", "1"),
        ("--activation-regularization", "-1"),
        ("--adaptive-cutoffs", "0"),
    ],
)
def test_options_out_of_range(train, text_file, option, value):
    code, said = train("--data", text_file, option, value)

    assert code == 2
    assert f"expected {option[2:].replace('-', '_')}" in said


def test_an_empty_validation_part(train, text_file):
    code, said = train("--data", text_file, "--validation-fraction", "0.0001")

    assert code == 2
    assert "characters" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--tokenizer", "wrod"], "--tokenizer"),
        (
            ["--tokenizer", "bpe", "--lowercase"],
            "expected the tokenizer char, word or whitespace with lowercase, got bpe",
        ),
        (["--tokenizer", "bpe", "--max-vocab-size", "100"], "expected vocab_size to be at least 260"),
        (["--tokenizer", "word", "--min-count", "99999"], "occur at least 99999 times in the training part, got none"),
        (
            ["--sequences", "stream", "--label-column", "file"],
            "expected sequences = lines with label_column, got stream",
        ),
        (["--label-column", "kind"], "expected text_column with label_column = kind, got none"),
        (["--text-column", "name"], "expected a table for the column 'name'"),
        (["--validation-data", "nowhere.txt"], "nowhere.txt"),
        (["--test-data", "nowhere.txt"], "nowhere.txt"),
        (["--vectors", "nowhere.txt", "--tokenizer", "word"], "nowhere.txt"),
        (["--vectors", "a.txt", "--init-from", "b"], "expected vectors or init_from, got both"),
        (["--freeze-vectors"], "expected a file of vectors with freeze_vectors, got none"),
        (["--adaptive-cutoffs", "500"], "expected adaptive_cutoffs below the size of the vocabulary"),
        (["--adaptive-cutoffs", "5", "--tie-weights"], "expected no adaptive_cutoffs with tie_weights, got both"),
    ],
)
def test_options_of_tokens_lines_and_vectors_that_do_not_fit(train, text_file, options, expected):
    code, said = train("--data", text_file, "--max-steps", "1", *options)

    assert code == 2
    assert expected in unwrapped(said)


def test_a_column_that_is_not_there_gets_a_suggestion(train, tmp_path):
    (tmp_path / "names.csv").write_text("name,kind\n" + "Ann,a\nBob,b\n" * 20)

    code, said = train("--data", tmp_path / "names.csv", "--text-column", "nmae")

    assert code == 2
    assert "expected one column 'nmae'" in said
    assert "did you mean 'name'?" in said


def test_a_label_that_is_missing_names_its_line(train, tmp_path):
    (tmp_path / "names.csv").write_text("name,kind\nAnn,a\nBob,\n")

    code, said = train("--data", tmp_path / "names.csv", "--text-column", "name", "--label-column", "kind")

    assert code == 2
    assert "expected a label in line 3" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--cache-size", "0"], "WordCache expected size to be at least 1, got 0"),
        (["--cache-size", "9", "--cache-weight", "1"], "WordCache expected weight to be at least 0 and below 1"),
        (["--cache-size", "9", "--cache-flatness", "nan"], "WordCache expected flatness"),
        (["--reset-every", "0"], "reset_every of at least 1, got 0"),
        (["--cache-weight", "0.2"], "expected --cache-size with --cache-weight or --cache-flatness, got none"),
        (["nowhere.txt", "--split", "test"], "expected no --split with files, got test"),
        (["nowhere.txt"], "nowhere.txt"),
    ],
)
def test_evaluation_options_out_of_range(fails, trained, options, expected):
    code, said = fails("evaluate", trained, *options)

    assert code == 2
    assert expected in said


def test_widths_that_cannot_be_tied(train, text_file):
    code, said = train("--data", text_file, "--tie-weights", "--embedding-size", "7")

    assert code == 2
    assert "tie_weights expected embedding_size" in said


def test_a_configuration_file_with_unknown_keys(train, tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('task = "text"\n[model]\nhiden_size = 3\n[trainig]\nlr = 1\n')

    code, said = train("--config", path)

    assert code == 2
    assert "unknown key model.hiden_size (did you mean 'hidden_size'?)" in said
    assert "unknown section [trainig] (did you mean 'training'?)" in said


def test_a_configuration_file_that_is_missing_or_for_another_task(train, tmp_path):
    (tmp_path / "other.toml").write_text('task = "translate"\n')

    assert train("--config", "missing.toml")[0] == 2
    code, said = train("--config", tmp_path / "other.toml")
    assert code == 2
    assert "of the task 'translate', expected 'text'" in said


def test_a_folder_that_is_not_empty(fails, text_file, small, trained):
    before = sorted(path.name for path in trained.iterdir())

    code, said = fails("train", "text", "--data", text_file, "--run", trained, *small)

    assert code == 2
    assert "exists and is not empty" in said
    assert "--overwrite" in said
    assert sorted(path.name for path in trained.iterdir()) == before


def test_overwriting_something_that_is_no_run(fails, text_file, small, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.doc").write_text("years of work")

    code, said = fails("train", "text", "--data", text_file, "--run", tmp_path / "home", "--overwrite", *small)

    assert code == 2
    assert "is no run: nothing in it is overwritten" in said
    assert (tmp_path / "home" / "thesis.doc").exists()


@pytest.mark.parametrize("command", ["generate", "evaluate", "resume", "score"])
def test_a_folder_that_is_no_run(fails, tmp_path, command):
    (tmp_path / "lines.txt").write_text("a line\n")
    more = ["lines.txt"] if command == "score" else []

    code, said = fails(command, tmp_path, *more)

    assert code == 2
    assert "is no run" in said
    assert fails(command, tmp_path / "nowhere", *more)[0] == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--temperature", "-1"], "temperature"),
        (["--temperature", "nan"], "temperature"),
        (["--top-k", "0"], "top_k"),
        (["--top-k", "1000"], "top_k"),
        (["--top-p", "0"], "top_p"),
        (["--top-p", "1.01"], "top_p"),
        (["--length", "-1"], "length of at least 0"),
        (["--num-samples", "0"], "num_samples of at least 1"),
        (["--stop", ""], "stop"),
        (["--state-in", "nowhere"], "cannot be read"),
        (["--state-out", "."], "expected a file to save the state to, got the folder ."),
        (["--state-out", "no/folder/state"], "there is no folder no/folder"),
        (["--seed", "-1"], "seed to be an integer in [0, 2**63), got -1"),
        (["--seed", str(2**63)], "seed to be an integer in [0, 2**63)"),
        (["--checkpoint", "123456"], "no checkpoint '123456'"),
        (["--top-j", "3"], "--top-k"),
    ],
)
def test_generation_options_out_of_range(fails, trained, options, expected):
    code, said = fails("generate", trained, *options)

    assert code == 2
    assert expected in said


def test_a_checkpoint_of_a_newer_format(fails, trained, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    for path in (copy / "checkpoints").glob("step_*/checkpoint.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))

    for command in ("generate", "resume", "evaluate"):
        code, said = fails(command, copy)
        assert code == 2
        assert "format 2; this version reads up to 1" in said


def test_damaged_weights_are_reported_not_used(fails, trained, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    for path in (copy / "checkpoints").glob("step_*/weights.safetensors"):
        os.truncate(path, 100)

    code, said = fails("generate", copy)

    assert code == 1
    assert "checksum does not match" in said


def test_a_prime_with_unknown_symbols_is_shown_and_replaced(trained, capsys):
    from recurra.cli.main import main

    assert main(["generate", str(trained), "--prime", "The \u00fcber", "--length", "5", "--temperature", "0"]) == 0

    said = capsys.readouterr()
    assert "'\u00fc'" in said.err
    assert said.out.startswith("The \ufffd")


def test_a_disk_that_is_full_keeps_the_checkpoint_before(text_file, tmp_path, cache):
    import subprocess
    import sys

    # a real failure of write(2): from the first step on no file may grow beyond 40 kB
    program = """
import resource, sys
from recurra.cli import main, report
from recurra.training import Callback
class Full(Callback):
    def on_step(self, trainer, loss, grad_norm):
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
callbacks = report.training_callbacks
report.training_callbacks = lambda: [*callbacks(), Full()]
sys.exit(main.main(sys.argv[1:]))
"""
    arguments = [
        "train",
        "text",
        "--data",
        text_file,
        "--run",
        tmp_path / "run",
        "--max-steps",
        "9",
        "--batch-size",
        "2",
    ]
    arguments += ["--bptt", "16", "--hidden-size", "64", "--num-samples", "0"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "RECURRA_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 1
    assert "the checkpoint could not be written" in done.stderr
    assert "step_00000000" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "checkpoints" / "last").read_text().startswith("step_00000000")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("torch.nn:Linear", "expected Linear to be a cell that is called with (x, state)"),
        ("torch.nn:LSTM", "expected LSTM to be a cell that returns its new state"),
        ("torch.nn:Module", "expected Module to be a cell that is built from (input_size, hidden_size)"),
        ("torch.nn:Nothing", "expected class in torch.nn to be one of"),
        ("no.such.module:Cell", "a module that can be imported"),
    ],
)
def test_classes_that_are_no_cells(train, text_file, cell, expected):
    code, said = train("--data", text_file, "--cell", cell)

    assert code == 2
    assert expected in said


def test_a_folder_that_cannot_be_written_to_is_found_out_before_anything_is_written(fails, trained, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)

    code, said = fails("generate", trained, "--state-out", tmp_path / "closed" / "state")

    assert code == 2
    assert "cannot be written to" in said


def test_evaluating_a_part_that_the_run_does_not_have(fails, text_file, small, tmp_path):
    run = tmp_path / "run"
    options = ["--max-steps", "1", "--num-validations", "1", "--test-fraction", "0"]
    assert fails("train", "text", "--data", text_file, "--run", run, *options, *small)[0] == 0

    code, said = fails("evaluate", run, "--split", "test")

    assert code == 2
    assert "the run has no test part" in said


def test_what_is_no_error_of_ours_is_reported_without_a_traceback(fails, trained, monkeypatch):
    from recurra.cli import evaluate
    from recurra.cli.main import main

    def broken(*_):
        raise KeyError("loss")

    monkeypatch.setattr(evaluate, "parse", broken)

    code, said = fails("evaluate", trained)

    assert code == 1
    assert said == "error: KeyError: 'loss'\nhint: --debug shows where it came from\n"
    with pytest.raises(KeyError):
        main(["--debug", "evaluate", str(trained)])


def test_the_demo_names_its_own_option(fails):
    for seconds in ("0", "-3", "nan", "inf"):
        code, said = fails("demo", "--seconds", seconds)

        assert code == 2
        assert f"recurra demo expected --seconds above 0, got {seconds}" in said


def test_copying_is_not_checked_where_the_text_is_gone(small, tmp_path, monkeypatch, capsys):
    from recurra.cli.main import main

    text = tmp_path / "text.txt"
    text.write_text("The cow sat on the hill.\n" * 40)
    assert main(["train", "text", "--data", "text.txt", "--run", "run", "--max-steps", "1", *small]) == 0
    text.unlink()
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))
    capsys.readouterr()

    assert main(["generate", "run", "--length", "30", "--seed", "1"]) == 0
    assert "copying not checked: " in capsys.readouterr().err
    assert main(["generate", "run", "--length", "5", "--seed", "1"]) == 0
    assert "copying" not in capsys.readouterr().err


def test_a_file_where_the_folder_of_runs_would_be(fails, text_file, small, tmp_path):
    (tmp_path / "runs").write_text("")

    code, said = fails("train", "text", "--data", text_file, *small)

    assert code == 2
    assert "text-001 cannot be made: Not a directory" in said
