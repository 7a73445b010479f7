"""Scores of given lines, against sums written out from the model's logits."""

import itertools
import math
import random
from dataclasses import replace

import pytest
import torch

import recurra
from recurra.data import BOS_ID, EOS_ID
from recurra.errors import ArgumentError, ChoiceError
from tests.support.text_runs import HIGH, LOW, tiny_config, train_run

LINES = ["The cat sat on the mat.", "", "The dog sat on the", "mat the on sat cat The", "T"]


@pytest.fixture(scope="module")
def run(run_folder):
    return recurra.load(run_folder)


@pytest.fixture(scope="module")
def words(tmp_path_factory, cache):
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    path = tmp_path_factory.mktemp("words") / "text.txt"
    path.write_text("The cat sat on the mat, too.\nThe dog sat on the log.\n" * 40)
    train_run(tiny_config(path, tokenizer="word"), path.parent / "run")
    patch.undo()
    return recurra.load(path.parent / "run")


def by_hand(run, ids, first, label=None):
    """Return the log-probability of each id, given those before it, in float64 from the logits in one go."""
    inputs = torch.tensor([first, *ids[:-1]])[:, None]
    labels = None if label is None else torch.tensor([label])
    with torch.no_grad():
        logits = run.model(inputs, labels=labels)[0][:, 0].double()
    return [float(row.log_softmax(-1)[target]) for row, target in zip(logits, ids, strict=True)]


# ---------------------------------------------------------------------- each line by itself


def test_a_line_counts_from_the_beginning_of_a_line_to_its_end(run):
    scores = run.score(LINES)

    for line, score in zip(LINES, scores, strict=True):
        expected = by_hand(run, [*run.tokenizer.encode(line).tolist(), EOS_ID], EOS_ID)
        assert score.text == line
        assert score.token_log_probs == pytest.approx(expected, abs=1e-5)
        assert score.log_prob == pytest.approx(sum(expected), abs=1e-4)
        assert score.tokens == (*line, "\n")
        assert score.num_tokens == score.num_chars == len(line) + 1
        assert score.loss == pytest.approx(-sum(expected) / (len(line) + 1), abs=1e-5)
        assert score.bits_per_char == pytest.approx(score.loss / math.log(2))
        assert score.perplexity == pytest.approx(math.exp(score.loss))
        assert (score.num_unknown, score.unit) == (0, "character")


def test_what_the_run_has_read_is_likelier_than_its_words_in_another_order(run):
    good, bad = run.score(["The cat sat on the mat.", "mat The sat on cat the."])

    assert good.log_prob > bad.log_prob + 5


def test_lines_of_a_model_of_lines_begin_with_the_begin_token(line_folders):
    plain, labelled = (recurra.load(line_folders / name) for name in ("plain", "labelled"))

    for run, condition in ((plain, None), (labelled, "low"), (labelled, "high")):
        label = None if condition is None else run.labels.index(condition)
        for line, score in zip(LOW[:5], run.score(LOW[:5], condition=condition), strict=True):
            expected = by_hand(run, [*run.tokenizer.encode(line).tolist(), EOS_ID], BOS_ID, label)
            assert score.token_log_probs == pytest.approx(expected, abs=1e-5)


def test_lines_are_likelier_under_their_own_label(line_folders):
    labelled = recurra.load(line_folders / "labelled")

    def total(lines, condition):
        return sum(score.log_prob for score in labelled.score(lines, condition=condition))

    assert total(LOW[:20], "low") > total(LOW[:20], "high") + 20
    assert total(HIGH[:20], "high") > total(HIGH[:20], "low") + 20


def test_a_condition_must_fit_the_run(run, line_folders):
    with pytest.raises(ArgumentError, match="expected no condition for a model without labels, got 'low'"):
        run.score(["a"], condition="low")
    with pytest.raises(ChoiceError, match="expected the condition to be one of low, high; got 'middle'"):
        recurra.load(line_folders / "labelled").score(["a"], condition="middle")


def test_what_stands_beside_a_line_does_not_matter(run):
    drawn = random.Random(0)
    alphabet = run.tokenizer.vocabulary.known
    # more than one batch, in no order, some longer than what is read at once
    lengths = [drawn.choice((0, 1, 5, 40, 300, 600)) for _ in range(150)]
    lines = ["".join(drawn.choices(alphabet, k=length)) for length in lengths]

    together = run.score(lines)

    for line, score in zip(lines, together, strict=True):
        (alone,) = run.score([line])
        assert score.text == line
        assert score.token_log_probs == pytest.approx(alone.token_log_probs, abs=1e-4)


def test_many_lines_come_back_in_their_order(run):
    lines = [f"T{'h' * (number % 7)}{'e' * (number % 5)}" for number in range(5000)]

    scores = run.score(lines)

    assert [score.text for score in scores] == lines
    assert scores[4999].log_prob == pytest.approx(run.score([lines[4999]])[0].log_prob, abs=1e-4)


def test_scores_come_before_all_lines_are_there(run):
    found = list(itertools.islice(run.scorer().score(itertools.repeat("T")), 3))

    assert [score.text for score in found] == ["T"] * 3
    carried = list(itertools.islice(run.scorer().score_carried(itertools.repeat("T")), 3))
    assert carried[0].log_prob != carried[1].log_prob


def test_an_empty_line_is_its_end_alone(run):
    (score,) = run.score([""])

    assert score.token_log_probs == pytest.approx(by_hand(run, [EOS_ID], EOS_ID), abs=1e-5)
    assert (score.num_tokens, score.num_chars) == (1, 1)
    assert run.score([]) == []


def test_the_end_may_be_left_out(run):
    whole, open_ended = (run.score(LINES, with_end=with_end) for with_end in (True, False))

    for one, other in zip(whole, open_ended, strict=True):
        assert other.token_log_probs == pytest.approx(one.token_log_probs[:-1], abs=1e-5)
        assert (other.num_tokens, other.num_chars) == (one.num_tokens - 1, one.num_chars - 1)
    empty = open_ended[1]
    assert (empty.log_prob, empty.num_tokens) == (0.0, 0)
    assert math.isnan(empty.loss)
    assert math.isnan(empty.bits_per_char)
    assert math.isnan(empty.perplexity)
    assert empty.to_json()["loss"] is None
    assert empty.to_json()["perplexity"] is None
    (alone,) = run.score([""], with_end=False)
    assert (alone.text, alone.tokens) == ("", ())


def test_a_line_break_inside_a_line_is_refused(run):
    for carry_state in (False, True):
        with pytest.raises(ArgumentError, match=r"score expected lines without line breaks, got 'The\\ncat'"):
            run.score(["fine", "The\ncat"], carry_state=carry_state)


def test_unknown_tokens_are_counted_and_shown(run, words):
    (score,) = run.score(["Tüé Q"])
    (of_words,) = words.score(["The zebra, sat on the zebra"])

    assert score.num_unknown == 3
    assert score.tokens == ("T", "\ufffd", "\ufffd", " ", "\ufffd", "\n")
    assert of_words.num_unknown == 2
    assert of_words.tokens == ("The", "<unk>", ",", "sat", "on", "the", "<unk>", "\n")


def test_bits_of_words_are_per_character_of_the_line(words):
    line = "The cat  sat, too."
    (score,) = words.score([line])

    expected = by_hand(words, [*words.tokenizer.encode(line).tolist(), EOS_ID], EOS_ID)
    assert (score.unit, score.num_tokens, score.num_chars) == ("word", 7, len(line) + 1)
    assert score.log_prob == pytest.approx(sum(expected), abs=1e-5)
    assert score.bits_per_char == pytest.approx(-sum(expected) / math.log(2) / (len(line) + 1), abs=1e-5)


def test_scores_as_plain_values_hold_the_tokens_only_when_asked(run):
    (score,) = run.score(["The cat"])

    values = score.to_json()
    assert values == {
        "text": "The cat",
        "log_prob": score.log_prob,
        "loss": score.loss,
        "bits_per_char": score.bits_per_char,
        "perplexity": score.perplexity,
        "unit": "character",
        "num_tokens": 8,
        "num_chars": 8,
        "num_unknown": 0,
    }
    with_tokens = score.to_json(per_token=True)
    assert [item["token"] for item in with_tokens.pop("tokens")] == [*"The cat", "\n"]
    assert with_tokens == values


def test_a_perplexity_beyond_all_numbers_is_infinite_and_no_number_in_json(run):
    score = replace(run.score(["T"])[0], log_prob=-5000.0)

    assert score.perplexity == math.inf
    assert score.to_json()["perplexity"] is None


# ---------------------------------------------------------------------- with the state carried


def test_with_the_state_carried_it_is_the_whole_text_as_one_stream(run):
    lines = [*LINES, "The cow sat on the hill. " * 30, "The end"]
    text = "".join(f"{line}\n" for line in lines)

    scores = run.score(lines, carry_state=True)

    expected = by_hand(run, run.tokenizer.encode(text).tolist(), EOS_ID)
    assert [value for score in scores for value in score.token_log_probs] == pytest.approx(expected, abs=1e-4)
    begin = 0
    for line, score in zip(lines, scores, strict=True):
        assert score.log_prob == pytest.approx(sum(expected[begin : begin + len(line) + 1]), abs=1e-3)
        begin += len(line) + 1
    assert scores[-1].log_prob != pytest.approx(run.score(["The end"])[0].log_prob, abs=1e-3)


def test_ends_that_do_not_count_are_read_all_the_same(run):
    whole = run.score(LINES, carry_state=True)

    open_ended = run.score(LINES, carry_state=True, with_end=False)

    for one, other in zip(whole, open_ended, strict=True):
        assert other.token_log_probs == pytest.approx(one.token_log_probs[:-1], abs=1e-5)
