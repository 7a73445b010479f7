import json
import math
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import recurra
from recurra.data import UNK_ID
from recurra.errors import ConfigError, DataError, DataTooShortError, RunError
from recurra.tasks.text import DataConfig, ModelConfig, TextConfig, TextTask, resume_task, samples
from recurra.tasks.text.summary import advice
from recurra.tasks.text.words import distinct_words, known_word_share, words
from recurra.training import TrainingConfig, train


def test_training_learns_and_beats_the_unigram(run_folder):
    result = json.loads((run_folder / "result.json").read_text())

    assert result["last"]["test"]["loss"] < result["baselines"]["test"]["unigram"]["loss"] - 1
    assert set(result["baselines"]["validation"]) == {"unigram", "5-gram"}
    assert result["num_parameters"] > 1000


def test_the_run_folder_holds_everything_that_the_design_names(run_folder):
    names = {path.name for path in run_folder.iterdir()}

    assert names >= {
        "config.toml",
        "vocab.json",
        "data.json",
        "checkpoints",
        "metrics.jsonl",
        "plots",
        "events",
        "result.json",
    }


def test_the_text_is_split_in_order(text_file, config_of):
    task = TextTask.from_config(config_of(text_file))
    size = len(text_file.read_text())

    assert task.data.splits.train == (0, size - 2 * round(size * 0.05))
    assert task.data.splits.validation[1] == task.data.splits.test[0]
    assert task.data.splits.test[1] == size


def test_symbols_beyond_the_training_part_are_unknown(tmp_path, config_of):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 500 + "z" * 100)
    task = TextTask.from_config(config_of(path))

    assert set(task.data.tokenizer.vocabulary.known) == {"a", "b"}
    batch = next(iter(task.batches("test", 0)))
    assert set(batch.inputs.unique().tolist()) == {UNK_ID}
    assert task.num_batches("test") > 0


def test_without_a_test_part_there_are_no_test_figures(text_file, tmp_path):
    config = TextConfig(
        data=DataConfig(data=(str(text_file),), batch_size=2, bptt=8, test_fraction=0.0),
        model=ModelConfig(hidden_size=4, num_layers=1),
        training=TrainingConfig(max_steps=2, num_samples=0),
    )

    result = train(TextTask.from_config(config), config.training, run=tmp_path / "run")

    assert set(result["last"]) == {"step", "validation"}
    assert set(result["baselines"]) == {"validation"}


@pytest.mark.parametrize("cell", ["gru", "elman", "elman-relu", "torch.nn:GRUCell"])
def test_any_cell_trains(text_file, tmp_path, config_of, cell):
    config = config_of(text_file, max_steps=30)
    model = replace(config.model, cell=cell, num_layers=1)
    result = train(TextTask.from_config(replace(config, model=model)), config.training, run=tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert result["last"]["validation"]["loss"] < rows[0]["loss"]


def test_samples_say_which_words_the_text_knows(text_file, config_of):
    task = TextTask.from_config(config_of(text_file))
    torch.manual_seed(0)

    texts = task.sample(task.build_model(), seed=1)

    assert len(texts) == 3
    assert texts[0].startswith("[temperature 0.5: ")
    assert all(" of its words are in the training text]\n" in text or ": no words]\n" in text for text in texts)
    assert task.sample(task.build_model().eval(), seed=1) != texts


def test_words_are_runs_of_letters():
    assert words("It's \u00c9t\u00e9, 3rd x_y!") == ["it's", "\u00e9t\u00e9", "rd", "x", "y"]
    assert known_word_share("a b c d", frozenset("ab")) == 0.5
    assert math.isnan(known_word_share("12 ...", frozenset("ab")))


def test_distinct_words_do_not_depend_on_where_a_text_is_cut():
    text = "Don't stop, O\u2019Neill: the caf\u00e9s' 3rd caf\u00e9_x, \u5b57\u5b57 end" * 3
    drawn, num_checked = random.Random(0), 0

    for _ in range(50):
        cuts = sorted(drawn.sample(range(len(text)), drawn.randint(0, 4)))
        pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        # a piece that is all letters may be the middle of a word without end, and is not waited with
        if all(re.search(r"[ ,:]", piece) for piece in pieces[:-1]):
            num_checked += 1
            assert distinct_words(pieces) == frozenset(words(text)), pieces
    assert num_checked > 10


def test_known_words_are_those_of_the_whole_training_part_however_it_is_read(text_file, config_of, monkeypatch):
    monkeypatch.setattr(samples, "_AT_ONCE", 37)
    task = TextTask.from_config(config_of(text_file))

    known = samples.Sampler(task.data, task.sampling).known_words

    assert known == {"the", "cat", "dog", "cow", "sat", "on", "mat", "log", "hill"}


def test_advice_compares_parameters_with_characters():
    assert "large for this text" in advice(1_000_000, 10_000)
    assert "small for this text" in advice(10_000, 1_000_000)
    assert "suits" in advice(100_000, 100_000)


def test_summary_tells_sizes(text_file, config_of):
    task = TextTask.from_config(config_of(text_file))

    lines = task.summary(task.build_model())

    vocab_size = len(set(text_file.read_text()[: task.data.splits.train[1]])) - 1 + 4  # the line end is special
    assert lines[0].startswith(f"data: {task.data.facts.num_chars:,} characters: {task.data.size('train'):,} training")
    assert lines[0].endswith(f"vocabulary of {vocab_size}")
    assert "lstm, 2 x 32 units" in lines[1]


# ---------------------------------------------------------------------- starting from other weights


def test_starting_from_a_run_takes_its_weights(run_folder, text_file, config_of):
    config = config_of(text_file)
    task = TextTask.from_config(replace(config, model=replace(config.model, init_from=str(run_folder))))

    model, origin = task.build_model(), recurra.load(run_folder)

    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in origin.model.state_dict().items())


def test_with_another_vocabulary_symbols_are_matched_by_name_and_reported(run_folder, tmp_path, config_of):
    path = tmp_path / "other.txt"
    path.write_text("Zebras sat on the \u00dc hill.\n" * 60, encoding="utf-8")
    config = config_of(path)
    task = TextTask.from_config(replace(config, model=replace(config.model, init_from=str(run_folder))))

    model, origin = task.build_model(), recurra.load(run_folder)
    lines = "\n".join(task.summary(model))

    ours, theirs = task.data.tokenizer.encode("h")[0], origin.tokenizer.encode("h")[0]
    assert torch.equal(model.embedding.weight[ours], origin.model.embedding.weight[theirs])
    assert "new symbols, with fresh weights:" in lines
    assert "'\u00dc'" in lines
    assert "symbols of that run that this text lacks: 'T'" in lines


def test_weights_of_another_size_are_refused(run_folder, text_file, config_of):
    config = config_of(text_file)
    model = replace(config.model, init_from=str(run_folder), hidden_size=16)

    with pytest.raises(ConfigError, match="expected shape"):
        TextTask.from_config(replace(config, model=model))


def test_the_origin_is_kept_as_an_absolute_path(run_folder, text_file, config_of, monkeypatch):
    monkeypatch.chdir(run_folder.parent)
    config = config_of(text_file)

    task = TextTask.from_config(replace(config, model=replace(config.model, init_from=run_folder.name)))

    assert task.config_sections()["model"].init_from == str(run_folder)
    assert list(task.config_sections()) == ["data", "model", "sampling"]


# ---------------------------------------------------------------------- capped validation


def test_evaluations_read_at_most_so_many_tokens(text_file, config_of):
    config = config_of(text_file)
    whole = TextTask.from_config(config)
    task = TextTask.from_config(replace(config, data=replace(config.data, max_evaluation_tokens=40)))
    start, _ = task.data.splits.validation
    model = task.build_model().eval()

    (inputs,) = [batch.inputs for batch in task.batches("validation", 0)][:1]
    num_targets = sum(int((batch.targets >= 0).sum()) for batch in task.batches("validation", 0))

    assert num_targets == 39
    assert task.num_batches("validation") == 3 < whole.num_batches("validation")
    assert task.data.tokenizer.decode(inputs[:, 0].numpy()) == text_file.read_text()[start : start + 16]
    assert task.baselines("validation")["unigram"] != whole.baselines("validation")["unigram"]
    assert task.num_batches("test") == 3 < whole.num_batches("test")
    assert "of validation and test part the first 40 characters are read" in "\n".join(task.summary(model))
    assert "are read" not in "\n".join(whole.summary(model))


# ---------------------------------------------------------------------- configurations


def test_data_may_be_named_in_many_ways():
    expected = ("a.txt",)

    assert DataConfig(data="a.txt").data == expected
    assert DataConfig(data=Path("a.txt")).data == expected
    assert DataConfig(data=["a.txt"]).data == expected
    assert DataConfig(data=(Path("a.txt"), "b.txt")).data == ("a.txt", "b.txt")


@pytest.mark.parametrize("data", [3, None, {"a.txt"}, [3], b"a.txt", [Path("a"), None]])
def test_data_that_are_no_paths_are_refused(data):
    with pytest.raises(ConfigError, match="expected data to be a path, a name, or a sequence of these, got"):
        DataConfig(data=data)


def test_no_data_and_paths_of_bytes_are_refused():
    class BytesPath:
        def __fspath__(self):
            return b"a.txt"

    with pytest.raises(ConfigError, match="at least one file or data set, got none"):
        DataConfig(data=())
    with pytest.raises(ConfigError, match="expected data to hold paths of text and not of bytes"):
        DataConfig(data=BytesPath())


def test_closed_sets_and_ranges_are_checked():
    with pytest.raises(ConfigError, match=r"expected engine to be one of.*expected input to be one of.*got 'onehot'"):
        ModelConfig(input="onehot", engine="fast")
    with pytest.raises(ConfigError, match="expected max_evaluation_tokens of at least 2, got 1"):
        DataConfig(max_evaluation_tokens=1)
    assert DataConfig(max_evaluation_tokens=None).max_evaluation_tokens is None


# ---------------------------------------------------------------------- going on


def test_a_child_goes_on_when_the_run_it_started_from_is_gone(run_folder, tmp_path, text_file, config_of, monkeypatch):
    shutil.copytree(run_folder, tmp_path / "origin")
    monkeypatch.chdir(tmp_path)
    config = config_of(text_file, max_steps=3)
    child = replace(config, model=replace(config.model, init_from="origin"))
    train(TextTask.from_config(child), config.training, run=tmp_path / "child")
    expected = recurra.load(tmp_path / "child", checkpoint="last").model.state_dict()
    shutil.rmtree(tmp_path / "origin")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    task = resume_task(tmp_path / "child")
    train(task, run=tmp_path / "child", resume=True)

    found = recurra.load(tmp_path / "child", checkpoint=3).model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_child_that_has_no_checkpoint_yet_still_needs_its_origin(run_folder, tmp_path, text_file, config_of):
    config = config_of(text_file, max_steps=3)
    child = replace(config, model=replace(config.model, init_from=str(run_folder)))
    train(TextTask.from_config(child), config.training, run=tmp_path / "child")
    shutil.rmtree(tmp_path / "child" / "checkpoints")

    task = resume_task(tmp_path / "child")

    assert task.config_sections()["model"].init_from == str(run_folder)


def test_the_text_is_found_where_it_lay_when_the_run_began(tmp_path, config_of, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder, text in ((home, "abcd " * 300), (elsewhere, "abce " * 300)):
        folder.mkdir()
        (folder / "text.txt").write_text(text)
    monkeypatch.chdir(home)
    config = config_of("text.txt", max_steps=2)
    train(TextTask.from_config(config), config.training, run=tmp_path / "run")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))

    # a file of the same name lies here, but it is another one
    monkeypatch.chdir(elsewhere)
    assert resume_task(tmp_path / "run").data.facts.num_chars == 1500

    # the recorded one is gone, and the configuration leads to the same text
    shutil.move(home / "text.txt", elsewhere / "text.txt")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "another-cache"))
    assert resume_task(tmp_path / "run").data.facts.num_chars == 1500

    (elsewhere / "text.txt").unlink()
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "third-cache"))
    with pytest.raises(DataError, match="there is no file"):
        resume_task(tmp_path / "run")

    (home / "text.txt").write_text("abcf " * 300)
    with pytest.raises(DataError, match="has changed since the run began"):
        resume_task(tmp_path / "run")


@pytest.mark.parametrize(
    "content", ["", "{}", '{"fingerprint": "abc", "sources": []}', '{"fingerprint": 3, "sources": 4}']
)
def test_a_damaged_description_of_the_data_is_reported(run_folder, tmp_path, content):
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "data.json").write_text(content)

    with pytest.raises(RunError, match=r"data\.json is missing or damaged"):
        resume_task(tmp_path / "run")


def test_a_run_goes_on_when_its_source_is_gone(tmp_path, config_of):
    path = tmp_path / "text.txt"
    path.write_text("abcd " * 300)
    config = config_of(path, max_steps=2)
    train(TextTask.from_config(config), config.training, run=tmp_path / "run")
    path.unlink()

    task = resume_task(tmp_path / "run")

    assert task.data.facts.num_chars == 1500


def test_a_text_that_changed_is_found_out(tmp_path, config_of, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text("abcd " * 300)
    config = config_of(path, max_steps=2)
    train(TextTask.from_config(config), config.training, run=tmp_path / "run")
    path.write_text("abce " * 300)
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))

    with pytest.raises(DataError, match="has changed since the run began"):
        resume_task(tmp_path / "run")


# ---------------------------------------------------------------------- bad data


def test_too_short_a_text_says_how_long_it_must_be(tmp_path, config_of):
    path = tmp_path / "short.txt"
    path.write_text("ab" * 40)

    with pytest.raises(DataTooShortError, match=r"at least 88 characters for .*batch_size=4 and bptt=16, got 80"):
        TextTask.from_config(config_of(path))


def test_a_text_of_one_symbol_is_refused(tmp_path, config_of):
    path = tmp_path / "aaa.txt"
    path.write_text("a" * 4000)

    with pytest.raises(DataError, match="at least two distinct characters"):
        TextTask.from_config(config_of(path))


def test_an_empty_validation_part_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abcd " * 10)
    config = TextConfig(data=DataConfig(data=(str(path),), validation_fraction=0.001, batch_size=1, bptt=2))

    with pytest.raises(DataTooShortError, match="at least"):
        TextTask.from_config(config)


@pytest.mark.parametrize("num_chars", [300, 2000, 70_000])
@pytest.mark.parametrize("bptt", [1, 7, 64])
def test_the_number_of_batches_is_that_of_the_batches(tmp_path, num_chars, bptt):
    path = tmp_path / "text.txt"
    path.write_text(("ab c" * num_chars)[:num_chars])
    config = DataConfig(data=(str(path),), batch_size=1, bptt=bptt, validation_fraction=0.5, test_fraction=0.0)
    task = TextTask.from_config(TextConfig(data=config, model=ModelConfig(hidden_size=2)))

    assert task.num_batches("validation") == sum(1 for _ in task.batches("validation", seed=0)) > 0
    assert task.num_batches("test") == 0
