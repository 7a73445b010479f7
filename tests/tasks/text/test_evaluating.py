"""Evaluation with a cache of recent words, written out by hand; and what figures mean."""

import json
import math
import random
from collections import Counter

import pytest
import torch

import recurra
from recurra.errors import ArgumentError
from recurra.models import WordCache
from recurra.tasks.text import TextTask, stream_data
from recurra.tasks.text.evaluating import BitsPerChar, text_metrics
from tests.support.text_runs import tiny_config, train_run


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    """A run of words whose text comes back to what was said lately."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    drawn = random.Random(0)
    topics = [drawn.sample([f"w{number}" for number in range(20)], 3) for _ in range(30)]
    text = "".join(" ".join(drawn.choices(topic, k=8)) + "\n" for topic in topics for _ in range(5))
    path = tmp_path_factory.mktemp("topics") / "text.txt"
    path.write_text(text)
    train_run(tiny_config(path, tokenizer="whitespace", training={"max_steps": 60}), path.parent / "run")
    patch.undo()
    return recurra.load(path.parent / "run")


def with_cache_by_hand(run, ids, size, weight, flatness):
    """Return the costs of the tokens behind the first one, in nats, after Grave et al. 2017."""
    with torch.no_grad():
        prediction, _ = run.model(ids[:-1, None], targets=ids[1:, None])
    nll, states, words = prediction.nll[:, 0].double(), prediction.output[:, 0].double(), ids[1:].tolist()
    costs = []
    for now, word in enumerate(words):
        before = range(max(now - size, 0), now)
        if not before:
            costs.append(float(nll[now]))
            continue
        masses = [math.exp(flatness * float(states[now] @ states[then])) for then in before]
        same = sum(mass for mass, then in zip(masses, before, strict=True) if words[then] == word)
        costs.append(-math.log((1 - weight) * math.exp(-float(nll[now])) + weight * same / sum(masses)))
    return costs


@pytest.mark.parametrize(("size", "weight", "flatness"), [(20, 0.3, 0.5), (5, 0.1, 0.0), (1000, 0.5, 2.0)])
def test_a_cache_is_mixed_in_as_written_out(run, size, weight, flatness):
    data = run.data()
    ids = torch.from_numpy(data.ids.read(*data.splits.validation))

    figures = run.evaluate("validation", cache=WordCache(size, weight, flatness))

    costs = with_cache_by_hand(run, ids, size, weight, flatness)
    assert figures["num_tokens"] == len(costs)
    assert figures["loss"] == pytest.approx(sum(costs) / len(costs), rel=1e-5)


def test_a_cache_helps_where_words_come_again_and_a_weight_of_nothing_changes_nothing(run):
    plain = run.evaluate("test")["loss"]

    assert run.evaluate("test", cache=WordCache(20, 0.3, 0.3))["loss"] < plain
    assert run.evaluate("test", cache=WordCache(20, 0.0, 0.3))["loss"] == pytest.approx(plain, rel=1e-6)


def test_a_cache_starts_anew_where_the_state_does(run):
    data = run.data()
    ids = torch.from_numpy(data.ids.read(*data.splits.validation))

    figures = run.evaluate("validation", reset_every=9, cache=WordCache(20, 0.3, 0.5))

    costs = []
    for begin in range(0, len(ids) - 1, 9):
        costs += with_cache_by_hand(run, ids[begin : begin + 10], 20, 0.3, 0.5)
    assert figures["loss"] == pytest.approx(sum(costs) / len(costs), rel=1e-5)


def test_a_part_read_in_several_pieces_counts_each_target_once(run, monkeypatch):
    data = run.data()
    ids = torch.from_numpy(data.ids.read(*data.splits.train))
    monkeypatch.setattr(stream_data, "_TOKENS_PER_STREAM", 100)
    num_streams = len(ids) // 100
    assert num_streams > 5

    figures = run.evaluate("train")

    length = -(-(len(ids) - 1) // num_streams)
    nats = 0.0
    with torch.no_grad():
        for begin in range(0, len(ids) - 1, length):
            piece = ids[begin : begin + length + 1]
            nats += float(run.model(piece[:-1, None], targets=piece[1:, None])[0].nll.double().sum())
    assert figures["num_tokens"] == len(ids) - 1
    assert figures["loss"] == pytest.approx(nats / (len(ids) - 1), rel=1e-5)


def test_the_figures_while_training_are_those_of_the_evaluation(run):
    result = json.loads((run.folder.path / "result.json").read_text())

    for split in ("validation", "test"):
        figures = run.evaluate(split)
        for name in ("loss", "bits_per_char", "perplexity"):
            assert result["best"][split][name] == pytest.approx(figures[name], rel=1e-5)
        baselines = result["baselines"][split]["unigram"]
        # both are per token and per character of the same targets
        ratio = baselines["bits_per_char"] / baselines["loss"]
        assert ratio == pytest.approx(figures["bits_per_char"] / figures["loss"], rel=1e-6)


def test_metrics_are_fresh_and_bits_are_per_character():
    assert list(text_metrics(4.0)) == ["loss", "bits_per_char", "perplexity"]
    assert BitsPerChar(4.0).of(math.log(2) * 8) == pytest.approx(2.0)
    assert math.isnan(BitsPerChar(float("nan")).of(1.0))


def test_a_cache_out_of_range_is_refused(run):
    for arguments in ((0, 0.1, 0.3), (5, 1.0, 0.3), (5, -0.1, 0.3)):
        with pytest.raises(ArgumentError, match="WordCache expected"):
            WordCache(*arguments)


def test_baselines_are_measured_on_the_targets_that_the_model_has(run):
    data = run.data()
    train, validation = (data.ids.read(*data.range(part)).tolist() for part in ("train", "validation"))
    vocab_size, counts = len(run.tokenizer), Counter(train)

    figures = TextTask(data, run.config.data, run.config.model).baselines("validation")

    # the first token of a stream has nothing before it: no model predicts it; one is added to every count
    costs = [-math.log((counts[token] + 1) / (len(train) + vocab_size)) for token in validation[1:]]
    assert figures["unigram"]["loss"] == pytest.approx(sum(costs) / len(costs), rel=1e-9)
