"""``recurra predict`` and ``recurra evaluate`` of tasks other than text: what they pass on, print and refuse."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from recurra.cli.main import main
from recurra.tasks.shared.evaluation import Evaluation


class Prediction:
    def __init__(self, text):
        self.text = text

    def to_line(self):
        return f"{len(self.text)}\t{self.text}"

    def to_json(self):
        return {"text": self.text, "length": len(self.text)}


class Run:
    """A run whose prediction for a line is its length."""

    step = 7

    def __init__(self):
        self.asked = []

    def iter_predictions(self, source):
        self.asked.append(source)
        lines = Path(source).read_bytes().splitlines() if isinstance(source, str) else source
        for line in lines:
            yield Prediction(line.decode().rstrip("\n"))

    def evaluate(self, split="validation", *, files=()):
        self.asked.append((split, files))
        return Evaluation("what", 3, "examples", {"accuracy": 0.5})


class BeamRun(Run):
    """A run that notes the options of its translations."""

    def iter_predictions(self, source, **options):
        self.asked.append(options)
        yield from super().iter_predictions(source)

    def evaluate(self, split="validation", *, files=(), **options):
        self.asked.append(options)
        return super().evaluate(split, files=files)


@pytest.fixture
def folder(tmp_path):
    """Make the folder of a run of a task."""

    def make(task):
        path = tmp_path / task
        path.mkdir()
        (path / "config.toml").write_text(f'task = "{task}"\n')
        return str(path)

    return make


@pytest.fixture
def loaded(monkeypatch):
    """Make loading give a run; returns what was asked for."""

    def give(run):
        checkpoints = []
        monkeypatch.setattr("recurra.tasks.load", lambda path, checkpoint: (checkpoints.append(checkpoint), run)[1])
        return checkpoints

    return give


@pytest.fixture
def lines(tmp_path):
    (tmp_path / "lines.txt").write_text("one\nfive\u00fc\n", encoding="utf-8")
    return str(tmp_path / "lines.txt")


def test_one_line_a_prediction_and_how_many_to_standard_error(folder, loaded, lines, capsys):
    checkpoints = loaded(Run())

    assert main(["predict", folder("classify"), lines, "--checkpoint", "average"]) == 0

    said = capsys.readouterr()
    assert said.out == "3\tone\n5\tfive\u00fc\n"
    assert said.err == "2 examples\n"
    assert checkpoints == ["average"]


def test_json_has_one_object_a_line(folder, loaded, lines, capsys):
    loaded(Run())

    assert main(["predict", folder("tag"), lines, "--json"]) == 0

    out = capsys.readouterr().out
    assert [json.loads(line) for line in out.splitlines()] == [
        {"text": "one", "length": 3},
        {"text": "five\u00fc", "length": 5},
    ]
    assert "\u00fc" in out


def test_standard_input_is_read(folder, loaded, monkeypatch, capsys):
    run = Run()
    loaded(run)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"four\n")))

    assert main(["predict", folder("classify"), "-"]) == 0

    said = capsys.readouterr()
    assert said.out == "4\tfour\n"
    assert said.err == "1 example\n"
    assert len(run.asked) == 1


class Arriving:
    """Standard input that hands out what was written so far, and notes what was said before it was asked for more."""

    def __init__(self, pieces, capsys):
        self.pieces, self.capsys, self.heard = [*pieces, b""], capsys, []

    def read1(self, size):
        self.heard.append(self.capsys.readouterr())
        return self.pieces.pop(0)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_each_line_that_comes_is_answered_before_the_next_is_waited_for(
    folder, loaded, monkeypatch, capsys, is_terminal
):
    loaded(Run())
    stream = Arriving([b"one\nth", b"ree\r\n\nfive", b"\xc3", b"\xbc"], capsys)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: is_terminal, buffer=stream))

    assert main(["predict", folder("classify"), "-"]) == 0

    assert stream.heard[0].err == ("one sentence a line; Ctrl-D ends\n" if is_terminal else "")
    assert [said.out for said in stream.heard[1:]] == ["3\tone\n", "5\tthree\n0\t\n", "", ""]
    assert capsys.readouterr().out == "5\tfive\u00fc\n"


def test_the_line_of_a_wrong_byte_is_counted_through_the_whole_stream(folder, loaded, monkeypatch, capsys, fails):
    loaded(Run())
    stream = Arriving([b"one\n", b"two\n", b"\xff\n"], capsys)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False, buffer=stream))

    code, said = fails("predict", folder("tag"), "-")

    assert code == 2
    assert "standard input, got byte 0xff in line 3" in said


def test_columns_are_for_classify_and_reach_its_run(folder, loaded, lines, fails):
    run = BeamRun()
    loaded(run)
    path = folder("classify")

    assert main(["predict", path, lines, "--text-column", "review"]) == 0
    assert main(["evaluate", path, lines, "--text-column", "1", "--label-column", "2"]) == 0
    _, without_files = fails("evaluate", path, "--label-column", "2")
    _, of_another = fails("predict", folder("tag"), lines, "--text-column", "review")

    assert run.asked[0] == {"text_column": "review"}
    assert run.asked[2] == {"text_column": "1", "label_column": "2"}
    assert "expected no --label-column without files, got 2" in without_files
    assert "expected no --text-column for a run of the task tag, only for classify" in of_another


def test_options_of_translations_are_passed_on_and_those_not_given_are_left_to_the_run(folder, loaded, lines):
    run = BeamRun()
    loaded(run)
    path = folder("translate")
    options = ["--num-beams", "5", "--length-penalty", "0", "--max-length", "9"]

    assert main(["predict", path, lines, *options, "--n-best", "2", "--attention", "pictures"]) == 0
    assert main(["evaluate", path, *options]) == 0
    assert main(["predict", path, lines]) == 0
    assert main(["evaluate", path]) == 0

    common = {"num_beams": 5, "length_penalty": 0.0, "max_length": 9}
    assert run.asked == [
        {**common, "n_best": 2, "attention": Path("pictures")},
        lines,
        common,
        ("validation", ()),
        {},
        lines,
        {},
        ("validation", ()),
    ]


def test_at_a_terminal_pictures_are_drawn_in_one_go(folder, loaded, monkeypatch):
    run = BeamRun()
    loaded(run)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True, buffer=io.BytesIO(b"one\ntwo\n")))

    assert main(["predict", folder("translate"), "-", "--attention", "pictures"]) == 0

    # pictures are numbered from one on within a call: a call a line would draw over them
    assert run.asked[0] == {"attention": Path("pictures")}
    assert len(run.asked) == 2


def test_options_that_do_not_fit_the_task_are_refused_together(folder, loaded, lines, fails):
    loaded(Run())

    code, said = fails("predict", folder("tag"), lines, "--num-beams", "5", "--attention", "pictures")

    assert code == 2
    assert "expected no --num-beams for a run of the task tag, only for translate; expected no --attention" in said


def test_a_run_of_text_is_pointed_to_what_uses_it(folder, lines, fails):
    code, said = fails("predict", folder("text"), lines)

    assert code == 2
    assert "expected a run that predicts classes, tags or translations" in said
    assert "a run of the task text" in said
    assert "`recurra generate RUN` writes with it" in said


@pytest.mark.parametrize(
    "arguments", [["generate", "RUN"], ["score", "RUN", "FILE"], ["explain", "RUN", "--input", "a text"]]
)
def test_commands_of_text_refuse_other_runs(folder, lines, fails, arguments):
    run = folder("classify")
    names = {"RUN": run, "FILE": lines}

    code, said = fails(*(names.get(argument, argument) for argument in arguments))

    assert code == 2
    assert f"recurra {arguments[0]} expected a run of the task text, got {run}, a run of the task classify" in said
    assert "`recurra predict RUN FILE` and `recurra evaluate RUN` use it" in said


def test_a_run_of_a_task_that_this_version_does_not_know(folder, lines, fails):
    code, said = fails("predict", folder("classfy"), lines)

    assert code == 2
    assert "did you mean 'classify'?" in said


def test_evaluation_on_a_part_and_on_files(folder, loaded, lines, capsys):
    run = Run()
    checkpoints = loaded(run)
    path = folder("classify")

    assert main(["evaluate", path, "--split", "test"]) == 0
    assert main(["evaluate", path, lines, "imdb", "--checkpoint", "last"]) == 0
    assert main(["evaluate", path]) == 0

    assert run.asked == [("test", ()), ("validation", (lines, "imdb")), ("validation", ())]
    assert checkpoints == ["best", "last", "best"]
    assert capsys.readouterr().out == "what: 3 examples, weights of step 7\naccuracy  0.5000\n" * 3


def test_an_evaluation_as_json_names_the_step(folder, loaded, capsys):
    loaded(Run())

    assert main(["evaluate", folder("classify"), "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {
        "step": 7,
        "what": "what",
        "size": 3,
        "unit": "examples",
        "figures": {"accuracy": 0.5},
        "tables": [],
        "notes": [],
    }


def test_options_of_text_are_refused_for_other_tasks_together(folder, fails):
    options = ["--reset-every", "5", "--cache-size", "3", "--num-beams", "3", "--split", "test", "file.csv"]

    code, said = fails("evaluate", folder("classify"), *options)

    assert code == 2
    assert "expected no --reset-every for a run of the task classify, only for text" in said
    assert "expected no --cache-size for a run of the task classify, only for text" in said
    assert "expected no --num-beams for a run of the task classify, only for translate" in said
    assert "expected no --split with files, got test" in said
