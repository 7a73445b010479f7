import json
import re
import subprocess
import sys

import pytest

from recurra.cli.main import COMMANDS, main, usage
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
try:
    main(['train', 'text', '--help'])
except SystemExit:
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
    assert "of the written 20-character pieces stand in the training text" in said.err


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
    assert set(figures) == {"step", "loss", "bits_per_char", "perplexity", "num_chars"}
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
    assert max(map(len, usage().splitlines())) <= 100


def test_the_demo_runs_and_says_what_to_try_next(capsys, tmp_path):
    assert main(["demo", "--seconds", "3", "--run", "demo"]) == 0

    said = capsys.readouterr()
    assert said.out == "demo\n"
    # a machine too slow for five moments in three seconds still shows the first and the last
    assert said.err.count("samples after") == len(list((tmp_path / "demo" / "samples").iterdir())) >= 2
    assert said.err.count("continued at temperature") == 3
    assert "recurra generate demo" in said.err
