"""Files to validate and to test on, given one by one or brought by a data set."""

import json
import math
import random
from pathlib import Path

import pytest

import recurra
from recurra.data import UNK_ID
from recurra.errors import DataError, DataTooShortError
from recurra.tasks.text import TextTask, resume_task
from tests.support.text_runs import assert_equal_runs, tiny_config, train_in_two, train_run

TOKENS = ("a", "b", "c", "N", "<unk>")


def tokens(count, seed, rare=""):
    drawn = random.Random(seed)
    lines = (" ".join(drawn.choices(TOKENS, k=9)) for _ in range(count))
    return " \n ".join(lines) + rare  # the last line has no end


@pytest.fixture
def files(tmp_path):
    texts = {"train": tokens(60, 1), "valid": tokens(8, 2, " zebra"), "test": tokens(5, 3)}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return {name: str(tmp_path / f"{name}.txt") for name in texts}


def config_of(files, **options):
    given = {"validation_data": (files["valid"],), "test_data": (files["test"],), **options}
    return tiny_config(files["train"], tokenizer="whitespace", **given)


def units(text):
    return [unit for line in text.split("\n") for unit in [*line.split(), "\n"]]


def shown(task, part):
    """Return the tokens of a part by name."""
    start, stop = task.data.range(part)
    symbols = task.data.tokenizer.vocabulary.symbols
    return [symbols[token] for token in task.data.ids.read(start, stop)]


def test_each_part_is_its_file_and_lines_of_two_files_never_join(files):
    task = TextTask.from_config(config_of(files))

    for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        text = Path(files[name]).read_text(encoding="utf-8")
        expected = ["<eos>" if unit == "\n" else unit if unit in TOKENS else "<unk>" for unit in units(text)]
        # what another file follows got a line end
        assert shown(task, part) == (expected if part != "test" else expected[:-1])
    assert task.data.facts.num_files == (1, 1, 1)
    assert task.unit == "token"


def test_tokens_stay_as_they_are_and_only_training_files_make_the_vocabulary(files):
    vocabulary = TextTask.from_config(config_of(files)).data.tokenizer.vocabulary

    assert set(vocabulary.known) == {"a", "b", "c", "N"}
    train = units(Path(files["train"]).read_text(encoding="utf-8"))
    assert vocabulary.counts[UNK_ID] == train.count("<unk>")


def test_validation_files_alone_leave_no_test_part(files, tmp_path):
    result = train_run(config_of(files, test_data=()), tmp_path / "run")

    assert "test" not in result["last"]
    assert set(result["baselines"]) == {"validation"}
    assert recurra.load(tmp_path / "run").evaluate("validation")["loss"] == pytest.approx(
        result["last"]["validation"]["loss"], abs=1e-6
    )


def test_of_test_files_alone_validation_is_a_share_of_the_rest(files):
    task = TextTask.from_config(config_of(files, validation_data=(), validation_fraction=0.2))
    count = len(units(Path(files["train"]).read_text(encoding="utf-8")))

    assert task.data.splits.validation == (count - round(count * 0.2), count)
    assert task.data.splits.test[0] == count
    assert shown(task, "test") == shown(TextTask.from_config(config_of(files)), "test")


def test_several_files_may_make_a_part(files):
    task = TextTask.from_config(config_of(files, test_data=(files["test"], files["valid"])))

    assert task.data.facts.num_files == (1, 1, 2)
    alone = TextTask.from_config(config_of(files))
    assert shown(task, "test") == [*shown(alone, "test"), "<eos>", *shown(alone, "validation")[:-1]]


def test_a_run_over_three_files_is_resumed_bit_for_bit_and_records_them(files, tmp_path):
    config = config_of(files, training={"max_steps": 30, "num_validations": 3})

    train_run(config, tmp_path / "whole")
    train_in_two(config, tmp_path / "parts", stop_at=17)

    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")
    recorded = json.loads((tmp_path / "whole" / "data.json").read_text())
    assert recorded["num_files"] == [1, 1, 1]
    assert [source["path"] for source in recorded["sources"]] == list(files.values())


def test_a_validation_file_that_changed_is_found_out(files, tmp_path, monkeypatch):
    train_run(config_of(files), tmp_path / "run")
    (tmp_path / "valid.txt").write_text(tokens(8, 4), encoding="utf-8")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))

    with pytest.raises(DataError, match="has changed since the run began"):
        resume_task(tmp_path / "run")


def test_files_moved_together_with_the_configuration_are_found(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {name: f"{name}.txt" for name in files}
    train_run(config_of(names), tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    for name in names.values():
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))

    task = resume_task(tmp_path / "run")

    assert task.data.facts.num_files == (1, 1, 1)
    assert task.data.size("test") > 1


def test_too_short_a_training_file_is_refused(files, tmp_path):
    (tmp_path / "train.txt").write_text("a b c\n" * 9)

    with pytest.raises(DataTooShortError, match="expected a training part of at least 40 tokens for batch_size=4"):
        TextTask.from_config(config_of(files))


@pytest.mark.parametrize("which", ["valid", "test"])
def test_a_validation_or_test_file_with_nothing_to_predict_is_refused(files, tmp_path, which):
    (tmp_path / f"{which}.txt").write_text("a")
    part = {"valid": "validation", "test": "test"}[which]
    # the last of all files gets no line end
    options = {"test_data": ()} if which == "valid" else {}

    with pytest.raises(DataTooShortError, match=f"expected a {part} part of at least 2 tokens, got 1"):
        TextTask.from_config(config_of(files, **options))


def test_a_data_set_that_is_tokenised_already_brings_its_files_and_its_tokenizer(files, tmp_path, monkeypatch):
    (tmp_path / "ptb").mkdir()
    for name, path in files.items():
        text = Path(path).read_text(encoding="utf-8")
        (tmp_path / "ptb" / f"ptb.{name}.txt").write_text(text, encoding="utf-8")
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))

    task = TextTask.from_config(tiny_config("ptb"))

    assert (task.data_config.tokenizer, task.data_config.sequences) == ("whitespace", "stream")
    assert task.data_config.min_count == 1
    alone = TextTask.from_config(config_of(files))
    assert all(shown(task, part) == shown(alone, part) for part in ("train", "validation", "test"))


def test_characters_spelled_out_count_as_one_each(tmp_path):
    text = "".join(f"{' '.join('the_cat_sat')} \n" for _ in range(20))
    (tmp_path / "chars.txt").write_text(text)

    result = train_run(tiny_config(tmp_path / "chars.txt", tokenizer="whitespace"), tmp_path / "run")

    figures = result["last"]["validation"]
    assert figures["bits_per_char"] == pytest.approx(figures["loss"] / math.log(2))
    evaluated = recurra.load(tmp_path / "run").evaluate()
    assert evaluated["num_chars"] == evaluated["num_tokens"]


def test_a_data_set_with_parts_of_its_own_is_no_part(files, tmp_path, monkeypatch):
    (tmp_path / "ptb").mkdir()
    for name, path in files.items():
        (tmp_path / "ptb" / f"ptb.{name}.txt").write_text(Path(path).read_text())
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))

    with pytest.raises(DataError, match="expected files that are one part, got ptb, which has parts of its own"):
        TextTask.from_config(config_of(files, validation_data=("ptb",)))


def test_files_given_one_by_one_win_over_those_of_a_data_set(files, tmp_path, monkeypatch):
    (tmp_path / "ptb").mkdir()
    for name in ("train", "valid", "test"):
        (tmp_path / "ptb" / f"ptb.{name}.txt").write_text(tokens(60, 5), encoding="utf-8")
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))

    task = TextTask.from_config(tiny_config("ptb", test_data=(files["test"],)))

    assert shown(task, "test") == shown(TextTask.from_config(config_of(files)), "test")
