"""What a trained model makes of a text, token by token."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import recurra
from recurra.data import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection import read_text
from tests.support.text_runs import HIGH, LOW, tiny_config, train_run

SENTENCES = ("le chat est noir", "le chien est blanc", "la table est noire", "un chat dort")
TEXT = "".join(f"{sentence}\n" for sentence in SENTENCES) * 40
TEXT_RUNS = {
    "chars": {"model": {"num_layers": 2, "learn_initial_state": True}},
    "words": {"tokenizer": "word", "min_count": 1},
    "subwords": {"tokenizer": "bpe", "max_vocab_size": 280},
    "no state is the output": {"model": {"cell": "sru", "num_layers": 2}},
    "widths of states differ": {"model": {"cell": "qrnn", "num_layers": 2, "embedding_size": 5}},
    "projected": {"model": {"num_layers": 2, "cell_options": ("projection_size=5",)}},
    "three states": {"model": {"cell": "phased-lstm"}},
    "torch's cell": {"model": {"cell": "torch.nn:LSTMCell"}},
    "zoneout": {"model": {"zoneout": 0.2}},
    "adaptive softmax": {"model": {"adaptive_cutoffs": (6,)}},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a function that opens a tiny trained run by its name."""
    root, opened = tmp_path_factory.mktemp("runs"), {}
    (root / "text.txt").write_text(TEXT)
    for name, lines in (("low", LOW), ("high", HIGH)):
        (root / f"{name}.txt").write_text("\n".join(lines))

    def config(name):
        if name in TEXT_RUNS:
            options = TEXT_RUNS[name]
            # but for one they run in the plain loop, which compiles nothing
            engine = "auto" if name == "chars" else "eager"
            return tiny_config(
                root / "text.txt", **{**options, "model": {"engine": engine, **options.get("model", {})}}
            )
        label = {"label_column": "file"} if name == "labelled lines" else {}
        return tiny_config(root / "low.txt", root / "high.txt", sequences="lines", batch_size=16, **label)

    def open_run(name):
        if name not in opened:
            folder = root / name
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("RECURRA_CACHE", str(root / "cache"))
                train_run(config(name), folder)
            opened[name] = recurra.load(folder)
        return opened[name]

    return open_run


def lstm_by_hand(run, ids):
    """Return h and c of both layers, and logits, at each token, in NumPy and float64."""
    weights = {name: value.double().numpy() for name, value in run.model.state_dict().items()}
    states = [
        [weights[f"recurrent.{name}_0"][layer] + np.zeros(8) for name in ("h", "c")]
        for layer in range(run.config.model.num_layers)
    ]
    trace, logits = [], []
    for token in ids:
        x = weights["embedding.weight"][token]
        for layer, (h, c) in enumerate(states):
            part = f"recurrent.cell_l{layer}."
            z = weights[part + "weight_ih"] @ x + weights[part + "bias_ih"]
            z = z + weights[part + "weight_hh"] @ h + weights.get(part + "bias_hh", 0)
            i, f, g, o = np.split(z, 4)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            x = np.tanh(c) / (1 + np.exp(-o))
            states[layer] = [x, c]
        trace.append([np.array(value) for layer in states for value in layer])
        logits.append(weights["decoder.weight"] @ x + weights["decoder.bias"])
    return [np.stack(values) for values in zip(*trace, strict=True)], np.array(logits)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def test_states_and_probabilities_are_those_of_the_equations(runs):
    run = runs("chars")

    reading = read_text(run, "le chat\n", num_choices=3)

    states, logits = lstm_by_hand(run, run.tokenizer.encode("le chat\n"))
    probs = softmax(logits)
    assert [(each.layer, each.name) for each in reading.states] == [(1, "h"), (1, "c"), (2, "h"), (2, "c")]
    for found, expected in zip(reading.states, states, strict=True):
        assert found.values.dtype == np.float32
        np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert run.model.recurrent.h_0.any()  # learned
    np.testing.assert_allclose(reading.output, states[2], atol=1e-6)
    assert math.isnan(reading.log_probs[0])
    np.testing.assert_allclose(reading.log_probs[1:], np.log(probs[range(7), reading.ids[1:]]), atol=1e-5)
    np.testing.assert_allclose(reading.surprisals[1:], -reading.log_probs[1:] / math.log(2))
    for row, choices in zip(probs, reading.choices, strict=True):
        assert [choice.prob for choice in choices] == pytest.approx(sorted(row, reverse=True)[:3], abs=1e-6)
        assert [row[choice.token] for choice in choices] == pytest.approx([choice.prob for choice in choices], abs=1e-6)


def states_behind(run, ids):
    """Return the logits behind some tokens that are read at once, and each state by layer and place."""
    with torch.no_grad():
        logits, state = run.model(torch.from_numpy(ids)[:, None])
    if run.model.recurrent.is_stacked:
        parts = state if isinstance(state, tuple) else (state,)
        return logits[-1, 0], {
            (layer + 1, place): part[layer, 0] for place, part in enumerate(parts) for layer in range(len(part))
        }
    cells = [cell if isinstance(cell, tuple) else (cell,) for cell in state]
    return logits[-1, 0], {
        (layer, place): part[0] for layer, cell in enumerate(cells, 1) for place, part in enumerate(cell)
    }


@pytest.mark.parametrize("name", TEXT_RUNS)
def test_states_of_any_model_are_those_behind_each_beginning_of_the_text(runs, name):
    run = runs(name)

    reading = read_text(run, "le chat noir\n")

    num_states = len(reading.states) // reading.num_layers
    for end in range(1, reading.num_tokens + 1):
        logits, expected = states_behind(run, reading.ids[:end])
        assert len(expected) == len(reading.states)
        for number, each in enumerate(reading.states):
            np.testing.assert_allclose(each.values[end - 1], expected[each.layer, number % num_states], atol=2e-6)
        probs = logits.softmax(-1).numpy()
        assert [probs[choice.token] for choice in reading.choices[end - 1]] == pytest.approx(
            sorted(probs, reverse=True)[:5], abs=1e-5
        )


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("no state is the output", ["c"]),
        ("three states", ["h", "c", "psi"]),
        ("torch's cell", ["h", "c"]),
        ("zoneout", ["h", "c"]),
    ],
)
def test_states_have_the_names_that_the_cell_gives_them(runs, name, states):
    reading = read_text(runs(name), "le")

    assert [each.name for each in reading.states] == states * reading.num_layers


@pytest.mark.parametrize("name", ["no state is the output", "projected", "chars"])
def test_the_output_is_what_the_softmax_sees(runs, name):
    run = runs(name)

    reading = read_text(run, "le chat")

    weights = {key: value.double().numpy() for key, value in run.model.decoder.state_dict().items()}
    probs = softmax(reading.output @ weights["weight"].T + weights["bias"])
    assert reading.output.dtype == np.float32
    for row, choices in zip(probs, reading.choices, strict=True):
        assert [choice.prob for choice in choices] == pytest.approx([row[choice.token] for choice in choices], abs=1e-6)


# ---------------------------------------------------------------------- as generate and score


def test_a_text_behind_a_line_break_costs_what_the_scorer_says(runs):
    run = runs("chars")

    reading = read_text(run, "\nle chat noir\n")

    assert reading.ids[0] == EOS_ID
    assert reading.log_probs[1:] == pytest.approx(run.score(["le chat noir"])[0].token_log_probs, abs=1e-5)


def test_choices_are_those_of_generate_but_for_what_it_never_writes(runs):
    run = runs("chars")
    size = len(run.tokenizer)

    reading = read_text(run, "le ch", num_choices=size + 7)

    found = {choice.token: choice.prob for choice in reading.choices[-1]}
    never = sum(found.pop(token) for token in (PAD_ID, UNK_ID, BOS_ID))
    assert never > 0
    offered = {choice.token: choice.prob for choice in run.draft("le ch").choices(size)}
    assert {token: prob / (1 - never) for token, prob in found.items()} == pytest.approx(offered, abs=1e-6)


def test_a_model_of_lines_reads_the_beginning_of_a_line_first(runs):
    run = runs("lines")

    reading = read_text(run, "ab\n")

    assert reading.tokens == ("<bos>", "a", "b", "\n")
    assert reading.ids[0] == BOS_ID
    assert reading.condition is None
    assert reading.log_probs[1:] == pytest.approx(run.score(["ab"])[0].token_log_probs, abs=1e-5)


def test_a_model_with_labels_reads_for_one(runs):
    run = runs("labelled lines")

    low, high = (read_text(run, "ab\n", condition=name) for name in ("low", "high"))

    assert (low.condition, high.condition) == ("low", "high")
    assert not np.allclose(low.output, high.output, atol=1e-4)
    for reading in (low, high):
        expected = run.score(["ab"], condition=reading.condition)[0].token_log_probs
        assert reading.log_probs[1:] == pytest.approx(expected, abs=1e-5)


def test_conditions_are_checked(runs):
    with pytest.raises(ArgumentError, match="labels expected a condition, got none; it knows low, high"):
        read_text(runs("labelled lines"), "ab")
    with pytest.raises(ChoiceError, match="expected the condition to be one of low, high; got 'lo'"):
        read_text(runs("labelled lines"), "ab", condition="lo")
    with pytest.raises(ArgumentError, match="expected no condition for a model without labels, got 'low'"):
        read_text(runs("lines"), "ab", condition="low")


# ---------------------------------------------------------------------- tokens


def test_what_is_unknown_is_shown_as_what_it_became(runs):
    chars, words = read_text(runs("chars"), "é le\n"), read_text(runs("words"), "le chat vert est noir\n")

    assert chars.tokens == ("<unk>", " ", "l", "e", "\n")
    assert (chars.unknown, chars.unit) == (("é",), "character")
    assert words.tokens == ("le", "chat", "<unk>", "est", "noir", "\n")
    assert (words.unknown, words.unit) == (("vert",), "word")
    assert words.ids[2] == UNK_ID


def test_subwords_are_shown_with_their_spaces_and_halves_of_characters_as_bytes(runs):
    reading = read_text(runs("subwords"), "le chat é\n")

    assert "".join(reading.tokens[:-3]) == "le chat "
    assert " chat" in reading.tokens
    assert reading.tokens[-3:] == ("\\xc3", "\\xa9", "\n")
    assert reading.unknown == ()


def test_special_tokens_that_may_come_next_have_names(runs):
    reading = read_text(runs("chars"), "l", num_choices=1000)

    texts = {choice.token: choice.text for choice in reading.choices[0]}
    assert len(texts) == len(runs("chars").tokenizer)
    assert [texts[token] for token in (PAD_ID, UNK_ID, BOS_ID, EOS_ID)] == ["<pad>", "<unk>", "<bos>", "\n"]


def test_one_token_is_a_text(runs):
    reading = read_text(runs("chars"), "l")

    assert reading.num_tokens == 1
    assert reading.output.shape == (1, 8)
    assert np.isnan(reading.surprisals).tolist() == [True]


# ---------------------------------------------------------------------- errors


def test_a_text_without_tokens_is_refused(runs):
    with pytest.raises(ArgumentError, match="read_text expected a text of at least one character, got ''"):
        read_text(runs("chars"), "")
    with pytest.raises(ArgumentError, match="read_text expected a text of at least one word, got ' '"):
        read_text(runs("words"), " ")
    with pytest.raises(ArgumentError, match="at least one character, got ''"):
        read_text(runs("lines"), "")


def test_a_text_that_is_too_long_is_refused_and_the_option_named(runs):
    run = runs("chars")

    with pytest.raises(ArgumentError, match="a text of at most max_tokens=500 tokens, got 501") as caught:
        read_text(run, "l" * 501)
    assert "--max-tokens 501" in caught.value.hint
    assert read_text(run, "le", max_tokens=2).num_tokens == 2
    with pytest.raises(ArgumentError, match="max_tokens=2 tokens, got 3"):
        read_text(runs("lines"), "ab", max_tokens=2)


def test_a_model_of_lines_reads_one_line(runs):
    with pytest.raises(ArgumentError, match=r"one line for a model of lines, got a line break inside 'a\\nb'"):
        read_text(runs("lines"), "a\nb")


@pytest.mark.parametrize("name", ["num_choices", "max_tokens"])
@pytest.mark.parametrize("value", [0, 2.5, "3", None, True])
def test_counts_are_integers_of_at_least_one(runs, name, value):
    with pytest.raises(ArgumentError) as caught:
        read_text(runs("chars"), "le", **{name: value})

    assert str(caught.value) == f"read_text expected {name} to be an integer of at least 1, got {value!r}"


def test_every_part_of_the_model_stays_in_its_mode(runs):
    model = runs("chars").model
    model.train()
    model.decoder.eval()

    read_text(runs("chars"), "le")

    assert (model.training, model.recurrent.training, model.decoder.training) == (True, True, False)
    model.eval()
