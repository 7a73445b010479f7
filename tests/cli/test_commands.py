import json
import os
import re
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from recurra.cli.demo import next_steps
from recurra.cli.generate import unescape
from recurra.cli.main import COMMANDS, main, usage
from recurra.cli.report import figures_table, text_report
from recurra.tasks.text.config import SECTIONS, TextConfig
from recurra.training.config_file import read_config


def test_help_names_every_command_and_imports_nothing_slow():
    program = "import sys; from recurra.cli.main import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert "'torch'" not in done.stdout
    assert "'numpy'" not in done.stdout


def test_the_help_of_a_command_does_not_wait_for_torch():
    program = """
import sys
from recurra.cli.main import main
main(['train', 'text', '--help'])
print('torch' in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "--hidden-size" in done.stdout
    assert done.stdout.strip().endswith("False")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_text(command, capsys):
    try:
        code = main([command, "--help"])
    except SystemExit as stop:
        code = stop.code

    assert code == 0
    assert "usage: recurra" in capsys.readouterr().out


def test_wrong_commands_are_refused_with_a_suggestion(fails):
    code, said = fails("genrate", "runs/x")

    assert code == 2
    assert "did you mean 'generate'?" in said
    assert fails("train", "txet")[0] == 2
    assert fails("train")[0] == 2
    assert fails()[0] == 2


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"recurra \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_debug_shows_where_an_error_came_from(tmp_path):
    import recurra

    with pytest.raises(recurra.RecurraError):
        main(["--debug", "generate", str(tmp_path)])


def test_the_printed_configuration_is_the_default_one(capsys, tmp_path):
    assert main(["config", "text"]) == 0

    path = tmp_path / "my.toml"
    path.write_text(capsys.readouterr().out)
    assert TextConfig(**read_config(path, SECTIONS)) == TextConfig()


def test_options_win_over_the_configuration_file(text_file, tmp_path, small):
    (tmp_path / "my.toml").write_text(
        f'task = "text"\n[data]\ndata = ["{text_file}"]\n[training]\nmax_steps = 99\nlr = 0.5\n'
    )
    arguments = ["train", "text", "--config", "my.toml", "--max-steps", "1", "--run", "run", *small]

    assert main(arguments) == 0

    config = TextConfig(**read_config(tmp_path / "run" / "config.toml", SECTIONS))
    assert (config.training.max_steps, config.training.lr) == (1, 0.5)
    assert config.data.data == (str(text_file),)


def test_a_run_goes_into_the_next_free_folder_and_its_path_to_standard_output(text_file, small, capsys):
    for number in (1, 2):
        assert main(["train", "text", "--data", str(text_file), "--max-steps", "1", *small]) == 0
        assert capsys.readouterr().out == f"runs/text-00{number}\n"


def test_generated_text_goes_to_standard_output_and_nothing_else_does(trained, capsys):
    assert main(["generate", str(trained), "--prime", "The ", "--length", "30", "--seed", "1"]) == 0

    said = capsys.readouterr()
    assert said.out.startswith("The ")
    assert len(said.out) == 4 + 30 + 1
    assert "of the written pieces of 20 characters stand in the training text" in said.err


def test_a_fixed_seed_repeats_and_the_printed_seed_does_too(trained, capsys):
    main(["generate", str(trained), "--length", "40"])
    first = capsys.readouterr()
    seed = re.search(r"seed (\d+)", first.err)[1]

    main(["generate", str(trained), "--length", "40", "--seed", seed])

    assert capsys.readouterr().out == first.out


def test_several_samples_are_told_apart(trained, capsys):
    assert main(["generate", str(trained), "--num-samples", "3", "--length", "10"]) == 0

    assert re.findall(r"--- (\d) ---", capsys.readouterr().out) == ["1", "2", "3"]


def test_a_state_file_goes_on_where_the_text_ended(trained, capsys):
    common = ["generate", str(trained), "--temperature", "0.9", "--no-copied"]
    main([*common, "--prime", "The ", "--length", "40", "--seed", "4"])
    whole = capsys.readouterr().out.rstrip("\n")
    main([*common, "--prime", "The ", "--length", "15", "--seed", "4", "--state-out", "state"])
    first = capsys.readouterr().out[:-1]

    main([*common, "--length", "25", "--state-in", "state"])

    assert (first + capsys.readouterr().out[:-1]).rstrip("\n") == whole


def test_escapes_in_prime_and_stop_are_understood(trained, capsys):
    assert (
        main(
            [
                "generate",
                str(trained),
                "--prime",
                r"mat.\nThe",
                "--length",
                "100",
                "--temperature",
                "0",
                "--stop",
                r"\n",
            ]
        )
        == 0
    )

    out = capsys.readouterr().out
    assert out.startswith("mat.\nThe")
    assert out.count("\n") == 2


def test_evaluation_prints_for_people_and_for_programs(trained, capsys, text_file):
    assert main(["evaluate", str(trained)]) == 0
    for_people = capsys.readouterr().out
    assert main(["evaluate", str(trained), "--json", "--split", "validation"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(trained), str(text_file), "--reset-every", "7"]) == 0

    assert f"loss           {figures['loss']:.4f} nats per character" in for_people
    assert set(figures) == {"step", "unit", "loss", "bits_per_char", "perplexity", "num_tokens", "num_chars"}
    assert figures["unit"] == "character"
    assert "state reset every 7 characters" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error(trained):
    writer = subprocess.Popen(
        [sys.executable, "-m", "recurra", "generate", str(trained), "--length", "20000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    writer.stdout.read(10)
    writer.stdout.close()

    message = writer.stderr.read()

    assert writer.wait(timeout=120) == 0
    assert "Traceback" not in message
    writer.stderr.close()


def test_the_usage_text_fits_a_terminal():
    assert max(map(len, usage().splitlines())) <= 80


def test_the_demo_runs_and_says_what_to_try_next(capsys, tmp_path):
    assert main(["demo", "--seconds", "3", "--run", "demo"]) == 0

    said = capsys.readouterr()
    assert said.out == "demo\n"
    # a machine too slow for five moments in three seconds still shows the first and the last
    assert said.err.count("samples after") == len(list((tmp_path / "demo" / "samples").iterdir())) >= 2
    assert said.err.count("continued at temperature") == 3
    assert "recurra generate demo" in said.err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config", "text"], ["train", "text", "--help"]])
def test_a_reader_that_never_reads_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run([sys.executable, "-m", "recurra", *arguments], stdout=writing, stderr=subprocess.PIPE)

    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_lacks_characters_shows_question_marks(trained):
    done = subprocess.run(
        [sys.executable, "-m", "recurra", "generate", str(trained), "--prime", "\u00fc", "--length", "3"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
    )

    assert done.returncode == 0
    assert done.stdout.startswith(b"?")


def test_help_texts_honour_no_color():
    pty = pytest.importorskip("pty", reason="needs a terminal")

    def shown(**environment):
        parent, child = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
        command = [sys.executable, "-m", "recurra", "evaluate", "--help"]
        process = subprocess.Popen(command, env={**kept, "TERM": "xterm", **environment}, stdout=child, stderr=child)
        os.close(child)
        pieces = []
        while True:
            try:
                piece = os.read(parent, 65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not piece:
                break
            pieces.append(piece)
        os.close(parent)
        assert process.wait() == 0
        return b"".join(pieces)

    assert b"\033[" in shown()
    assert b"\033[" not in shown(NO_COLOR="1")


def test_help_groups_are_called_after_their_sections(capsys):
    main(["train", "text", "--help"])
    said = capsys.readouterr().out
    main(["generate", "--help"])

    assert "options.data" not in said
    for section in SECTIONS:
        assert f" {section} options " in said
    assert "[OPTIONS] RUN" in capsys.readouterr().out
    assert "--debug" in said


def test_a_cell_is_found_in_the_working_directory(text_file, tmp_path, small):
    (tmp_path / "my_cells.py").write_text(
        "import torch\n"
        "class Slow(torch.nn.GRUCell):\n"
        "    def forward(self, x, h=None):\n"
        "        return super().forward(x, h) / 2\n"
    )
    arguments = ["train", "text", "--data", text_file, "--cell", "my_cells:Slow", "--max-steps", "1", "--run", "run"]

    # -P leaves the working directory out of the module path, as an installed script does
    done = subprocess.run(
        [sys.executable, "-P", "-m", "recurra", *map(str, arguments), *small], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "my_cells:Slow" in done.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (r"a\nb\tc\rd", "a\nb\tc\rd"),
        (r"\\n", r"\n"),
        (r"\u00e9\xe9\u5b57", "\u00e9\u00e9\u5b57"),
        (r"C:\users\x", r"C:\users\x"),
        (r"\u12 \xg1 \q \ud83d", r"\u12 \xg1 \q \ud83d"),
        ("end\\", "end\\"),
        ("\u00e9\u5b57 stay", "\u00e9\u5b57 stay"),
    ],
)
def test_only_the_escapes_that_are_promised_are_resolved(typed, meant):
    assert unescape(typed) == meant


@pytest.mark.parametrize("option", ["--max-steps=1", "--max_steps=1", "--num-epochs=0.001"])
def test_a_length_on_the_command_line_takes_the_place_of_another_in_the_file(text_file, tmp_path, small, option):
    (tmp_path / "my.toml").write_text(
        f'task = "text"\n[data]\ndata = ["{text_file}"]\n[training]\ntime_budget_s = 99\n'
    )

    assert main(["train", "text", "--config", "my.toml", option, "--run", "run", *small]) == 0

    training = read_config(tmp_path / "run" / "config.toml", SECTIONS)["training"]
    assert training.time_budget_s is None
    assert json.loads((tmp_path / "run" / "result.json").read_text())["steps"] == 1


def test_starting_from_a_run_is_reported_and_can_be_resumed_without_it(trained, tmp_path, small, capsys, monkeypatch):
    (tmp_path / "other.txt").write_text("Zebras sat on the hill.\n" * 80)
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(trained, tmp_path / "origin")
    options = ["--data", "other.txt", "--init-from", "origin", "--max-steps", "4", "--num-validations", "1"]

    assert main(["train", "text", *options, "--run", "run", *small]) == 0
    said = capsys.readouterr().err
    shutil.rmtree(tmp_path / "origin")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["resume", str(tmp_path / "run")]) == 0

    assert f"weights from {tmp_path / 'origin'}:" in said
    assert "new symbols, with fresh weights: 'Z'" in said
    config = TextConfig(**read_config(tmp_path / "run" / "config.toml", SECTIONS))
    assert config.model.init_from == str(tmp_path / "origin")
    assert config.data.data == ("other.txt",)


def test_compressed_and_marked_files_and_paths_with_spaces_are_read_in_order(tmp_path, small, capsys):
    import gzip

    folder = tmp_path / "my books"
    folder.mkdir()
    (folder / "one.txt.gz").write_bytes(gzip.compress(b"The cat sat.\r\n" * 40))
    (folder / "two.txt").write_bytes(b"\xef\xbb\xbf" + b"The dog sat.\n" * 40)
    files = [str(folder / "one.txt.gz"), str(folder / "two.txt")]
    run = tmp_path / "my runs" / "run 1"

    assert main(["train", "text", "--data", *files, "--run", str(run), "--max-steps", "1", *small]) == 0

    said = capsys.readouterr()
    assert "1,040 characters" in said.err
    assert f"recurra generate '{run}'" in said.err
    assert said.out == f"{run}\n"
    symbols = json.loads((run / "vocab.json").read_text(encoding="utf-8"))
    assert "\ufeff" not in str(symbols)
    assert any(f"'{run}'" in line for line in next_steps(run))


def test_symbols_that_the_text_lacks_are_reported_for_samples_and_for_stop(text_file, trained, tmp_path, small, capsys):
    options = ["--max-steps", "1", "--num-validations", "1", "--sample-prime", "The \u00fc", "--sample-length", "5"]
    arguments = ["train", "text", "--data", str(text_file), "--run", "run", *small, *options, "--num-samples", "1"]

    assert main(arguments) == 0
    trained_said = capsys.readouterr().err
    assert main(["generate", str(trained), "--stop", "\u00fc", "--length", "5", "--temperature", "0"]) == 0

    assert "sample_prime: the run does not know these and reads them as unknown: '\u00fc'" in trained_said
    sample = next((tmp_path / "run" / "samples").iterdir()).read_text(encoding="utf-8")
    assert "The \ufffd" in sample
    assert "--stop has symbols that the run has never seen" in capsys.readouterr().err


def test_a_state_of_other_weights_is_gone_on_with_and_reported(trained, capsys):
    main(["generate", str(trained), "--checkpoint", "last", "--length", "5", "--state-out", "state", "--seed", "1"])
    capsys.readouterr()
    steps = [name for name in os.listdir(trained / "checkpoints") if name.startswith("step_")]
    other = min(int(name.split("_")[1]) for name in steps)

    assert main(["generate", str(trained), "--state-in", "state", "--checkpoint", "last", "--length", "5"]) == 0
    same = capsys.readouterr().err
    assert main(["generate", str(trained), "--state-in", "state", "--checkpoint", str(other), "--length", "5"]) == 0

    assert "other weights" not in same
    assert len(steps) > 1
    assert "this state was written by other weights" in capsys.readouterr().err


def test_an_interrupt_saves_the_state_after_the_last_character_shown(trained, tmp_path):
    command = [
        sys.executable,
        "-m",
        "recurra",
        "generate",
        str(trained),
        "--seed",
        "3",
        "--temperature",
        "1",
        "--no-copied",
    ]
    process = subprocess.Popen(
        [*command, "--length", "1000000", "--state-out", "state"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what a buffer had read ahead would be missing below
        cwd=tmp_path,
    )
    first = process.stdout.read(50)

    process.send_signal(signal.SIGINT)
    rest, message = process.communicate(timeout=60)

    shown, message = (first + rest).decode().removesuffix("\n"), message.decode()
    assert process.returncode == 130
    assert "state saved to state" in message
    assert message.endswith("interrupted\n")
    onwards = subprocess.run(
        [*command[:-5], "--temperature", "1", "--no-copied", "--state-in", "state", "--length", "40"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    ).stdout
    whole = subprocess.run([*command, "--length", str(len(shown) + 40)], capture_output=True, text=True).stdout
    assert shown + onwards == whole


RESULT = {
    "steps": 123456,
    "stopped": "interrupted",
    "training_s": 5.0,
    "tokens_per_s": 123.0,
    "last": {"step": 123456, **{s: {"loss": 1.23456, "bits_per_char": 1.78111} for s in ("validation", "test")}},
    "best": {"step": 100000, **{s: {"loss": 1.21212, "bits_per_char": 1.74872} for s in ("validation", "test")}},
    "baselines": {s: {"5-gram": {"loss": 2.34567, "bits_per_char": 3.38409}} for s in ("validation", "test")},
}


def task_of(unit, labels=()):
    return SimpleNamespace(unit=unit, data=SimpleNamespace(facts=SimpleNamespace(label_names=labels)))


@pytest.mark.parametrize("width", [40, 69, 70, 120])
def test_the_closing_table_cuts_no_number(width, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", str(width))

    text_report(tmp_path / "my run", RESULT, task_of("character"))

    said = capsys.readouterr().err
    for number in ("1.2346", "1.2121", "2.3457"):
        assert said.count(number) == 2
    assert ("3.384" in said) == (width >= 70)
    assert "\u2026" not in said
    table_lines = said.split("interrupted after")[0].splitlines()
    assert max(map(len, table_lines)) <= width
    assert "my run'" in said
    assert figures_table(RESULT, "character", with_bits=False).row_count == 3


def test_the_closing_table_of_words_has_perplexities_and_a_condition_where_there_are_labels(capsys, tmp_path):
    figures = {"loss": 1.5, "bits_per_char": 9.876, "perplexity": 4.481689}
    moment = {"step": 5, "validation": figures}
    result = {**RESULT, "last": moment, "best": moment, "baselines": {"validation": {"unigram": figures}}}

    text_report(tmp_path, result, task_of("word", ("New York", "Rome")))

    said = capsys.readouterr().err
    assert "nats per word" in said
    assert "perplexity" in said
    assert said.count("4.48") == 2
    assert "9.876" not in said
    assert "--condition 'New York'" in said


def test_the_demo_replaces_a_run_only_when_asked(fails, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "config.toml").write_text('task = "text"\n')

    code, said = fails("demo", "--run", "demo", "--seconds", "1")

    assert code == 2
    assert "exists and is not empty" in said
