"""``recurra generate RUN --interactive``: commands, what they show, and what is left on standard output."""

import io
import os
import subprocess
import sys

import pytest

import recurra
from recurra.cli.interactive import HELP, Session
from recurra.cli.main import main


@pytest.fixture(scope="session")
def run(trained):
    return recurra.load(trained)


@pytest.fixture
def talk(run, capsys, monkeypatch):
    """Run a session over given commands; return the draft and what was shown."""
    monkeypatch.setenv("COLUMNS", "300")

    def session(*commands, num_choices=4, **options):
        draft = run.draft(**{"prime": "The ", "seed": 1, **options})
        remaining = iter(commands)

        def read_line():
            try:
                return next(remaining)
            except StopIteration:
                raise EOFError from None

        Session(draft, num_choices, read_line).run()
        return draft, capsys.readouterr().err

    return session


def test_offers_are_numbered_and_a_number_or_enter_takes_one(talk, run):
    choices = run.draft("The ").choices(4)

    third, shown = talk("3")
    first, _ = talk("")

    offers = "   ".join(f"{number} {each.text!r} {each.prob:.1%}" for number, each in enumerate(choices, start=1))
    assert offers in shown.replace("\xa0", " ")  # an offer is never cut at its spaces
    assert third.text == "The " + choices[2].text
    assert first.text == "The " + choices[0].text


def test_a_number_that_is_not_offered_says_how_to_type_it(talk):
    draft, shown = talk("5", '"5')

    assert 'expected a number from 1 to 4; "5 types it' in shown
    assert "not known, read as unknown: '5'" in shown
    assert draft.text == "The \ufffd"


def test_anything_else_is_typed_with_escapes(talk):
    draft, _ = talk("cat sat", r"\nThe", '":t', " ")

    assert draft.text == "The cat sat\nThe\ufffdt "


def test_the_model_writes_and_steps_are_undone(talk, run):
    draft, shown = talk(":write 6", ":write", ":undo", "cat", ":undo 2", ":undo 9")

    assert draft.text == "The "
    assert shown.count("nothing to undo") == 1
    written, _ = talk(":write 6")
    assert written.text == "The " + run.generate("The ", length=6, seed=1)
    assert len(talk(":w")[0].text) == 4 + 20


def test_texts_fork_and_are_gone_back_to(talk):
    draft, shown = talk("cat", ":fork", " sat", ":go 1", " on", ":texts", ":go 7", ":go x")

    assert draft.texts == ["The cat on", "The cat sat"]
    assert draft.current == 0
    assert "text 2 begins here; :go N goes back to text N" in shown
    assert "--- 1 ---\nThe cat on\n--- 2 ---\nThe cat sat\n" in shown
    assert "[2/2] The cat sat" in shown
    assert "expected the number of a text from 1 to 2, got 7" in shown
    assert "expected a number, got 'x'; taking 1" in shown


def test_wrong_commands_change_nothing(talk):
    draft, shown = talk(":dance", ":", ":help")

    assert "no command :dance; :help lists them" in shown
    assert "no command :; :help lists them" in shown
    assert all(line in shown for line in HELP.splitlines())
    assert draft.text == "The "


def test_quitting_ends_before_the_end_of_the_input(talk):
    assert talk("cat", ":quit", "sat")[0].text == "The cat"
    assert talk("cat", ":q", "sat")[0].text == "The cat"


def test_markup_in_a_text_is_shown_as_it_is(talk):
    _, shown = talk("[red]", ":texts")

    # of these the run knows e and d only
    assert "\ufffd\ufffded\ufffd" in shown


def test_only_the_end_of_a_long_text_is_shown_again(talk):
    _, shown = talk("The cat sat. " * 40, prime="The dog. ")

    last = shown.splitlines()
    assert any(line.startswith("\u2026") for line in last)
    assert shown.count("The dog.") == 1


# ---------------------------------------------------------------------- the command


def written(monkeypatch, commands, *arguments):
    monkeypatch.setattr(sys, "stdin", io.StringIO(commands))
    return main(["generate", *map(str, arguments), "--interactive"])


def test_commands_may_come_from_a_pipe_and_the_text_goes_to_standard_output(trained, monkeypatch, capsys):
    assert written(monkeypatch, "cat sat\n:undo\ndog", trained, "--prime", r"mat.\nThe ", "--seed", "1") == 0

    said = capsys.readouterr()
    assert said.out == "mat.\nThe dog\n"
    assert ":help lists the commands" in said.err
    assert "> " not in said.err
    assert "seed" not in said.err


def test_the_seed_and_what_is_unknown_are_told(trained, monkeypatch, capsys):
    assert written(monkeypatch, ":write 5\n", trained, "--prime", "Ü") == 0

    said = capsys.readouterr()
    assert said.err.startswith("seed ")
    assert "the run does not know these and reads them as unknown: 'Ü'" in said.err
    seed = said.err.split()[1]
    assert written(monkeypatch, ":write 5\n", trained, "--prime", "Ü", "--seed", seed) == 0
    assert capsys.readouterr().out == said.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--num-samples", "2"], "expected none of --num-samples with --interactive"),
        (["--stop", "x", "--state-in", "s"], "expected none of --stop, --state-in with --interactive"),
        (["--state-out", "s"], "expected none of --state-out with --interactive"),
        (["--num-choices", "0"], "expected --num-choices of at least 1, got 0"),
        (["--top-k", "1000"], "top_k to be at most"),
        (["--seed", "-1"], "seed to be an integer in [0, 2**63), got -1"),
        (["--condition", "x"], "expected no condition for a model without labels"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(trained, monkeypatch, capsys, options, expected):
    assert written(monkeypatch, "", trained, *options) == 2

    said = capsys.readouterr()
    assert expected in said.err
    assert said.out == ""


def test_a_line_that_is_over_says_what_can_be_done(tmp_path, monkeypatch, capsys):
    (tmp_path / "names.tsv").write_text("".join(f"{a}{b}{c}\t{a}\n" for a in "abc" for b in "de" for c in "fgh" * 2))
    options = ["--text-column", "1", "--label-column", "2", "--max-steps", "2", "--hidden-size", "8"]
    options += ["--validation-fraction", "0.2", "--test-fraction", "0.2", "--num-samples", "1"]
    assert main(["train", "text", "--data", "names.tsv", "--run", "run", *options]) == 0
    said = capsys.readouterr().err
    assert "3 labels" in said
    assert "--condition a" in said

    assert written(monkeypatch, "df\\n\nd\n:undo\n", "run", "--prime", "b", "--condition", "b") == 0

    said = capsys.readouterr()
    assert "the line is over: :undo, :fork or :quit" in said.err
    assert "the line is over; undo, or fork before its end" in said.err
    assert said.out == "b\n"


def test_a_terminal_gets_a_prompt_and_ctrl_d_ends(trained, tmp_path):
    pty = pytest.importorskip("pty", reason="needs a terminal")
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "recurra", "generate", str(trained), "--interactive", "--prime", "The ", "--seed", "1"],
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(child)

    os.write(parent, b"cat\n\x04")
    out, err = process.communicate(timeout=120)

    os.close(parent)
    assert process.returncode == 0, err
    assert out == "The cat\n"
    assert err.count("> ") == 2
