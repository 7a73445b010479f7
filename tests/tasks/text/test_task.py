import json
import math

import pytest
import torch

import recurra
from recurra.errors import ConfigError, DataError, DataTooShortError
from recurra.tasks.text import DataConfig, ModelConfig, TextConfig, TextTask, resume_task
from recurra.tasks.text.summary import advice
from recurra.tasks.text.words import known_word_share, words
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

    assert set(task.data.vocabulary.known) == {"a", "b"}
    batch = next(iter(task.batches("test", 0)))
    assert set(batch.inputs.unique().tolist()) == {0}
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
    from dataclasses import replace

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
    assert task.known_words == {"the", "cat", "dog", "cow", "sat", "on", "mat", "log", "hill"}
    assert task.sample(task.build_model().eval(), seed=1) != texts


def test_words_are_runs_of_letters():
    assert words("It's \u00c9t\u00e9, 3rd x_y!") == ["it's", "\u00e9t\u00e9", "rd", "x", "y"]
    assert known_word_share("a b c d", frozenset("ab")) == 0.5
    assert math.isnan(known_word_share("12 ...", frozenset("ab")))


def test_advice_compares_parameters_with_characters():
    assert "large for this text" in advice(1_000_000, 10_000)
    assert "small for this text" in advice(10_000, 1_000_000)
    assert "suits" in advice(100_000, 100_000)


def test_summary_tells_sizes(text_file, config_of):
    task = TextTask.from_config(config_of(text_file))

    lines = task.summary(task.build_model())

    assert "distinct in the training part" in lines[0]
    assert "lstm, 2 x 32 units" in lines[1]
    assert f"{task.data.num_chars:,} characters" in lines[0]


# ---------------------------------------------------------------------- starting from other weights


def test_starting_from_a_run_takes_its_weights(run_folder, text_file, config_of):
    from dataclasses import replace

    config = config_of(text_file)
    task = TextTask.from_config(replace(config, model=replace(config.model, init_from=str(run_folder))))

    model, origin = task.build_model(), recurra.load(run_folder)

    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in origin.model.state_dict().items())


def test_with_another_vocabulary_symbols_are_matched_by_name_and_reported(run_folder, tmp_path, config_of):
    from dataclasses import replace

    path = tmp_path / "other.txt"
    path.write_text("Zebras sat on the \u00dc hill.\n" * 60, encoding="utf-8")
    config = config_of(path)
    task = TextTask.from_config(replace(config, model=replace(config.model, init_from=str(run_folder))))

    model, origin = task.build_model(), recurra.load(run_folder)
    lines = "\n".join(task.summary(model))

    ours, theirs = task.data.vocabulary.encode("h")[0], origin.vocabulary.encode("h")[0]
    assert torch.equal(model.embedding.weight[ours], origin.model.embedding.weight[theirs])
    assert "new symbols, with fresh weights:" in lines
    assert "'\u00dc'" in lines
    assert "symbols of that run that this text lacks: 'T'" in lines


def test_weights_of_another_size_are_refused(run_folder, text_file, config_of):
    from dataclasses import replace

    config = config_of(text_file)
    model = replace(config.model, init_from=str(run_folder), hidden_size=16)

    with pytest.raises(ConfigError, match="expected shape"):
        TextTask.from_config(replace(config, model=model))


# ---------------------------------------------------------------------- going on


def test_a_run_goes_on_when_its_source_is_gone(tmp_path, config_of):
    path = tmp_path / "text.txt"
    path.write_text("abcd " * 300)
    config = config_of(path, max_steps=2)
    train(TextTask.from_config(config), config.training, run=tmp_path / "run")
    path.unlink()

    task, training, folder = resume_task(tmp_path / "run")

    assert task.data.num_chars == 1500
    assert training.max_steps == 2
    assert folder.path == tmp_path / "run"


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

    with pytest.raises(DataTooShortError, match=r"at least 80 characters for batch_size=4 and bptt=16"):
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
