"""The commands for classify, tag and translate: from a small file to a run, predictions, figures."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import recurra
from recurra.cli.main import main
from recurra.cli.task_classes import config_class, section_classes
from recurra.cli.train import ABOUT
from recurra.tasks import TASKS
from recurra.training.config_file import read_config

OTHERS = [task for task in TASKS if task != "text"]
every_task = pytest.mark.parametrize("task", TASKS)
every_other_task = pytest.mark.parametrize("task", OTHERS)
SMALL = [
    "--hidden-size",
    "8",
    "--batch-size",
    "8",
    "--num-threads",
    "1",
    "--num-samples",
    "2",
    "--num-validations",
    "1",
]
NAMES = {"Greek": ("Adamou", "Kouros", "Nikou", "Pavlou", "Samios"), "Irish": ("Byrne", "Kelly", "Nolan", "Rafferty")}
WORDS = (("the", "DET"), ("old", "ADJ"), ("dog", "NOUN"), ("sat", "VERB"), ("here", "ADV"))
NUMBERS = ("one\tun", "two\tdeux", "three\ttrois", "four\tquatre", "five\tcinq", "six\tsix")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A small file of each task's own format, and one of plain sentences."""
    folder = tmp_path_factory.mktemp("examples")
    rows = [(f"{name}{ending}", label) for label, names in NAMES.items() for name in names for ending in ("", "a", "i")]
    (folder / "classify").with_suffix(".csv").write_text(
        "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    )
    sentences = [WORDS[start % 5 :] + WORDS[: length % 4] for length in range(8) for start in range(5)]
    (folder / "tag").with_suffix(".conll").write_text(
        "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    )
    pairs = [first.split("\t") + second.split("\t") for first in NUMBERS for second in NUMBERS]
    (folder / "translate").with_suffix(".tsv").write_text("".join(f"{a} {c}\t{b} {d}\n" for a, b, c, d in pairs))
    (folder / "plain.txt").write_text("Kellyou\nsix one\n")
    return {task: str(next(folder.glob(f"{task}.*"))) for task in OTHERS} | {"plain": str(folder / "plain.txt")}


@pytest.fixture(scope="session")
def runs(data, tmp_path_factory):
    """Train a task at most once; returns a function from task to the folder of its run, which tests read only."""
    made = {}

    def train(task):
        if task not in made:
            run = str(tmp_path_factory.mktemp("runs") / task)
            assert main(["train", task, "--data", data[task], "--run", run, "--max-steps", "3", *SMALL]) == 0
            made[task] = run
        return made[task]

    return train


def test_every_task_is_listed_with_what_it_trains(capsys):
    assert main(["train", "--help"]) == 0

    said = capsys.readouterr().out
    assert set(ABOUT) == set(TASKS)
    for task in TASKS:
        assert re.search(rf"^  {task} +train a ", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= 80


@every_task
def test_the_help_of_a_task_has_its_sections_and_does_not_wait_for_torch(task):
    program = f"""
import sys
from pathlib import Path
from recurra.cli.main import main
main(['train', '{task}', '--help'])
print([name for name in ('torch', 'sklearn', 'datasets', 'pandas') if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ABOUT[task].split(":")[0] in " ".join(done.stdout.split())
    for section in section_classes(task):
        assert f" {section} options " in done.stdout
    assert "--hidden-size" in done.stdout
    assert done.stdout.strip().endswith("[]")


@every_task
def test_the_printed_configuration_of_a_task_is_its_default_one(task, capsys, tmp_path):
    assert main(["config", task]) == 0

    path = tmp_path / "my.toml"
    path.write_text(capsys.readouterr().out)
    assert config_class(task)(**read_config(path, section_classes(task))) == config_class(task)()


@every_other_task
def test_a_configuration_file_of_another_task_is_refused(task, fails, tmp_path):
    (tmp_path / "my.toml").write_text('task = "text"\n')

    code, said = fails("train", task, "--config", "my.toml")

    assert code == 2
    assert f"my.toml is a configuration of the task 'text', expected '{task}'" in said


@pytest.mark.parametrize("command", ["train", "config"])
def test_a_task_that_there_is_not_gets_a_suggestion(command, fails):
    code, said = fails(command, "clasify")

    assert code == 2
    assert f"expected TASK of `recurra {command}` to be one of text, classify, tag, translate" in said
    assert "did you mean 'classify'?" in said


@every_other_task
def test_training_ends_with_a_table_of_figures_and_what_to_do_next(task, data, capsys):
    arguments = ["train", task, "--data", data[task], "--max-steps", "2", *SMALL]

    assert main(arguments) == 0

    said = capsys.readouterr()
    assert said.out == f"runs/{task}-001\n"
    result = json.loads(Path(f"runs/{task}-001/result.json").read_text())
    for split in ("validation", "test"):
        assert re.search(rf"^{split}\b", said.err, re.MULTILINE)
        for name, figures in result["baselines"][split].items():
            assert name in said.err
            for value in figures.values():
                assert f"{value:.2f}"[:-1] in said.err
    assert "test" not in result["last"] or result["last"] == result["best"]
    assert f"recurra predict runs/{task}-001 FILE" in said.err
    assert f"recurra evaluate runs/{task}-001 FILE" in said.err


@every_other_task
def test_predictions_for_plain_sentences_are_those_of_the_library(task, runs, data, capsys):
    run = runs(task)
    capsys.readouterr()

    assert main(["predict", run, data["plain"]]) == 0
    said = capsys.readouterr()
    assert main(["predict", run, data["plain"], "--json"]) == 0

    predictions = recurra.load(run).predict(["Kellyou", "six one"])
    assert said.out.splitlines() == [prediction.to_line() for prediction in predictions]
    assert said.err.endswith("2 examples\n")
    as_json = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sorted(each) for each in as_json] == [sorted(prediction.to_json()) for prediction in predictions]


@every_other_task
def test_evaluation_prints_the_figures_of_the_library(task, runs, data, capsys):
    run = runs(task)
    evaluation = recurra.load(run).evaluate("test")
    capsys.readouterr()

    assert main(["evaluate", run, "--split", "test"]) == 0
    for_people = capsys.readouterr().out
    assert main(["evaluate", run, "--split", "test", "--json"]) == 0
    as_json = json.loads(capsys.readouterr().out)
    assert main(["evaluate", run, data[task]]) == 0

    for name, value in evaluation.figures.items():
        assert re.search(rf"^{name.replace('_', ' ')} +{value:,.4f}$", for_people, re.MULTILINE)
        assert as_json["figures"][name] == pytest.approx(value)
    assert f"{evaluation.size:,} {evaluation.unit}" in for_people
    assert data[task] in capsys.readouterr().out


@every_other_task
def test_a_run_that_was_stopped_goes_on(task, runs, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(runs(task), copy)
    before = json.loads((copy / "result.json").read_text())

    assert main(["resume", str(copy)]) == 0

    after = json.loads((copy / "result.json").read_text())
    assert (after["steps"], after["best"]) == (before["steps"], before["best"])
    assert capsys.readouterr().out == f"{copy}\n"
