"""Runs with an adaptive softmax: trained, resumed, written with and measured like others."""

import math
import random
from dataclasses import replace

import pytest
import torch

import recurra
from recurra.data import EOS_ID
from recurra.errors import ConfigError
from recurra.tasks.text import ModelConfig, TextTask
from tests.support.text_runs import assert_equal_runs, tiny_config, train_in_two, train_run

CUTOFFS = (10, 20)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    drawn = random.Random(0)
    words = [f"w{number}" for number in range(30)]
    weights = [1 / (rank + 1) for rank in range(30)]
    text = "".join(" ".join(drawn.choices(words, weights, k=6)) + "\n" for _ in range(150))
    path = tmp_path_factory.mktemp("adaptive") / "text.txt"
    path.write_text(text)
    return path


def config_of(path, **model):
    given = {"adaptive_cutoffs": CUTOFFS, "hidden_size": 16, **model}
    return tiny_config(
        path, tokenizer="whitespace", model=given, training={"max_steps": 40, "num_samples": 2, "num_validations": 3}
    )


@pytest.fixture(scope="module")
def folder(path, cache):
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    train_run(config_of(path), path.parent / "run")
    patch.undo()
    return path.parent / "run"


def test_frequent_words_and_special_symbols_are_in_the_head(path):
    task = TextTask.from_config(config_of(path))

    model, counts = task.build_model(), task.data.tokenizer.vocabulary.counts

    assert model.decoder.shortlist_size == CUTOFFS[0]
    assert list(counts[4:]) == sorted(counts[4:], reverse=True)
    assert len(task.data.tokenizer) > CUTOFFS[-1]


def test_a_run_learns_and_its_figures_are_those_of_its_probabilities(folder):
    run = recurra.load(folder)
    data = run.data()
    ids = torch.from_numpy(data.ids.read(*data.splits.test))

    figures = run.evaluate("test")

    with torch.no_grad():
        log_probs = run.model(ids[:-1, None])[0][:, 0].double()
    assert torch.allclose(log_probs.exp().sum(-1), torch.ones(len(ids) - 1, dtype=torch.double), atol=1e-5)
    expected = -float(log_probs.gather(1, ids[1:, None]).mean())
    assert figures["loss"] == pytest.approx(expected, abs=1e-5)
    assert figures["loss"] < math.log(len(run.tokenizer))


def test_it_writes_scores_and_drafts(folder):
    run = recurra.load(folder)
    text = run.generate("w0 w1", length=12, seed=1)
    (score,) = run.score(["w0 w1 w29"])

    assert run.generate("w0 w1", length=12, seed=1) == text
    targets = [*run.tokenizer.encode("w0 w1 w29").tolist(), EOS_ID]
    with torch.no_grad():
        log_probs = run.model(torch.tensor([EOS_ID, *targets[:-1]])[:, None])[0][:, 0]
    expected = sum(float(row[target]) for row, target in zip(log_probs, targets, strict=True))
    assert score.log_prob == pytest.approx(expected, abs=1e-4)
    assert sum(choice.prob for choice in run.draft("w0").choices(99)) == pytest.approx(1)


def test_a_resumed_run_ends_bit_for_bit_the_same(folder, path, tmp_path):
    train_in_two(config_of(path), tmp_path / "parts", stop_at=23)

    assert_equal_runs(folder, tmp_path / "parts")


def test_weights_of_a_run_are_taken_only_for_the_same_words(folder, path, tmp_path):
    same = TextTask.from_config(config_of(path, init_from=str(folder))).build_model()
    assert torch.equal(same.decoder.head.weight, recurra.load(folder).model.decoder.head.weight)

    (tmp_path / "other.txt").write_text(path.read_text().replace("w0 ", "w29 "))
    other = config_of(tmp_path / "other.txt", init_from=str(folder))
    with pytest.raises(ConfigError, match="expected the same symbols in the same order on both sides"):
        TextTask.from_config(other)
    with pytest.raises(ConfigError, match=r"expected shape \[29, 16\], got \[34, 16\]"):
        TextTask.from_config(replace(other, data=replace(other.data, data=(str(path),), max_vocab_size=25)))


def test_cutoffs_that_do_not_fit_are_refused(path):
    with pytest.raises(ConfigError, match="expected adaptive_cutoffs below the size of the vocabulary, 34, got 34"):
        TextTask.from_config(config_of(path, adaptive_cutoffs=(10, 34)))
    with pytest.raises(ConfigError, match="expected an output of the layers of at least 16 numbers"):
        TextTask.from_config(config_of(path, hidden_size=8))
    with pytest.raises(ConfigError, match="expected adaptive_cutoffs that rise from at least 1, got 5 5"):
        ModelConfig(adaptive_cutoffs=(5, 5))
    with pytest.raises(ConfigError, match="expected no adaptive_cutoffs with tie_weights, got both"):
        ModelConfig(adaptive_cutoffs=(5,), tie_weights=True)
