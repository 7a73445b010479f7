"""Pre-trained word vectors in a run: what they cover, frozen and tuned, and going on without their file."""

import random
import re
import shutil

import numpy as np
import pytest
import torch

import recurra
from recurra.data import SPECIAL_SYMBOLS
from recurra.errors import ConfigError, DataNotFoundError, VocabularyError
from recurra.tasks.text import ModelConfig, TextTask, resume_task
from recurra.training import train
from tests.support.text_runs import Stop, assert_equal_runs, tiny_config, train_in_two, train_run

WIDTH = 6
WORDS = ("the", "cat", "dog", "sat", "on", "mat")
"""Those that there are vectors for; "hen" and "." have none, and "The" has that of "the"."""


def vectors_of(words, seed=0):
    drawn = np.random.default_rng(seed)
    return {word: drawn.normal(0, 3.0, WIDTH).astype(np.float32) for word in (*words, "unused")}


VECTORS = vectors_of(WORDS)


@pytest.fixture
def files(tmp_path):
    drawn = random.Random(0)
    animals = ("cat", "dog", "hen")
    text = "".join(f"The {drawn.choice(animals)} sat on the {drawn.choice(('mat', 'cat'))}.\n" for _ in range(90))
    (tmp_path / "text.txt").write_text(text)
    rows = (f"{word} {' '.join(map(repr, vector.tolist()))}\n" for word, vector in VECTORS.items())
    (tmp_path / "vectors.txt").write_text("".join(rows))
    return tmp_path


def config_of(files, **model):
    given = {"vectors": str(files / "vectors.txt"), **model}
    training = {"max_steps": 30, "num_validations": 3, "lr": 0.05}
    return tiny_config(files / "text.txt", tokenizer="word", model=given, training=training)


def row_of(model, task, word):
    return model.embedding.weight[task.data.tokenizer.vocabulary.index(word)].detach().numpy()


def test_words_begin_with_their_vectors_and_others_at_their_scale(files):
    task = TextTask.from_config(config_of(files))
    torch.manual_seed(0)

    model = task.build_model()

    assert task.config_sections()["model"].embedding_size == model.embedding.weight.shape[1] == WIDTH
    for word in WORDS:
        assert np.array_equal(row_of(model, task, word), VECTORS[word])
    assert np.array_equal(row_of(model, task, "The"), VECTORS["the"])
    unknown = model.embedding.weight.detach()[: len(SPECIAL_SYMBOLS)]
    known_scale = np.stack([VECTORS[word] for word in WORDS]).std()
    assert 0.3 < float(unknown.std()) / known_scale < 3
    assert np.abs(row_of(model, task, "hen")).max() > 0


@pytest.mark.parametrize(("freeze", "word"), [(False, "tuned"), (True, "frozen")])
def test_the_summary_says_how_much_the_vectors_cover(files, freeze, word):
    task = TextTask.from_config(config_of(files, freeze_vectors=freeze))
    units = re.findall(r"\w+|[.]|\n", (files / "text.txt").read_text())
    train = units[: len(units) - 2 * round(len(units) * 0.05)]
    share = sum(unit.lower() in WORDS for unit in train) / len(train)

    said = task.summary(task.build_model())

    (line,) = [line for line in said if line.startswith("vectors: ")]
    assert line == (
        f"vectors: 7 of 9 words (78%) have one in {files / 'vectors.txt'}, {share:.0%} of the training part; {word}"
    )


def test_frozen_vectors_stay_through_training_and_resuming_without_their_file(files):
    config = config_of(files, freeze_vectors=True)

    train_run(config, files / "whole")
    train_in_two(config, files / "parts", 17, between=(files / "vectors.txt").unlink)

    assert_equal_runs(files / "whole", files / "parts")
    task, run = resume_task(files / "parts"), recurra.load(files / "parts", checkpoint="last")
    for word in WORDS:
        assert np.array_equal(row_of(run.model, task, word), VECTORS[word])
    first = recurra.load(files / "parts", checkpoint=20).model
    assert torch.equal(first.embedding.weight, run.model.embedding.weight)
    assert not torch.equal(first.decoder.weight, run.model.decoder.weight)
    assert run.config.model.freeze_vectors
    assert run.generate("The cat", length=3, seed=1)


def test_tuned_vectors_move_also_when_the_run_goes_on_without_their_file(files):
    config = config_of(files)

    train_run(config, files / "whole")
    train_in_two(config, files / "parts", 17, between=(files / "vectors.txt").unlink)

    assert_equal_runs(files / "whole", files / "parts")
    task, run = resume_task(files / "parts"), recurra.load(files / "parts", checkpoint="last")
    moved = np.stack([row_of(run.model, task, word) - VECTORS[word] for word in WORDS])
    assert (np.abs(moved).max(axis=1) > 1e-3).all()


def test_a_run_without_any_checkpoint_still_needs_the_file(files):
    config = config_of(files)
    train(TextTask.from_config(config), config.training, run=files / "run", callbacks=[Stop(1)])
    shutil.rmtree(files / "run" / "checkpoints")
    (files / "vectors.txt").unlink()

    task = resume_task(files / "run")

    with pytest.raises(DataNotFoundError, match=r"vectors\.txt"):
        task.build_model()


def test_the_file_is_kept_as_an_absolute_path(files, monkeypatch):
    monkeypatch.chdir(files)

    task = TextTask.from_config(config_of(files, vectors="vectors.txt"))

    assert task.config_sections()["model"].vectors == str(files / "vectors.txt")


def test_vectors_of_another_width_are_refused(files):
    with pytest.raises(ConfigError, match=r"expected vectors of width 7, as the embedding is, got width 6") as caught:
        TextTask.from_config(config_of(files, embedding_size=7))
    assert caught.value.hint == "give embedding_size 6, or leave it out"
    with pytest.raises(ConfigError, match="expected vectors of width 8, as the embedding is, got width 6") as caught:
        TextTask.from_config(config_of(files, tie_weights=True))
    assert caught.value.hint == "give embedding_size 6, or leave it out, and hidden_size 6 with tie_weights"
    task = TextTask.from_config(config_of(files, tie_weights=True, hidden_size=6))
    model = task.build_model()
    assert model.decoder.weight is model.embedding.weight


def test_vectors_of_other_words_are_refused(files):
    (files / "vectors.txt").write_text("zebra 1 2 3\nlion 4 5 6\n")

    with pytest.raises(VocabularyError, match="to hold some of the 13 symbols"):
        TextTask.from_config(config_of(files))


def test_a_missing_file_is_reported(files):
    with pytest.raises(DataNotFoundError, match="nowhere"):
        TextTask.from_config(config_of(files, vectors=str(files / "nowhere")))


def test_options_that_contradict_vectors_are_refused():
    with pytest.raises(ConfigError, match="expected a file of vectors with freeze_vectors, got none"):
        ModelConfig(freeze_vectors=True)
    with pytest.raises(ConfigError, match="expected input = embedding with vectors, got one-hot"):
        ModelConfig(vectors="vectors.txt", input="one-hot")
    with pytest.raises(ConfigError, match="expected vectors or init_from, got both"):
        ModelConfig(vectors="vectors.txt", init_from="run")
