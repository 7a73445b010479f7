"""Writing together: choices, steps, and texts that fork."""

import math

import pytest
import torch

import recurra
from recurra.data import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from recurra.errors import ArgumentError, ChoiceError


@pytest.fixture(scope="module")
def run(run_folder):
    return recurra.load(run_folder)


@pytest.fixture(scope="module")
def lines(line_folders):
    return recurra.load(line_folders / "plain")


def probabilities(run, text, before=(), temperature=1.0):
    """Return what the model gives each token behind a text, in float64, without those that are never written."""
    with torch.no_grad():
        logits = run.model(torch.tensor([*before, *run.tokenizer.encode(text).tolist()])[:, None])[0][-1, 0].double()
    logits[[PAD_ID, UNK_ID, BOS_ID]] = -math.inf
    return (logits / temperature).softmax(-1)


def token_of(run, symbol):
    return int(run.tokenizer.encode(symbol)[0])


# ---------------------------------------------------------------------- choices


@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_choices_are_the_likeliest_first_and_all_of_them_sum_to_one(run, temperature):
    draft = run.draft("The c", temperature=temperature)

    choices = draft.choices(1000)

    expected = probabilities(run, "The c", temperature=temperature)
    assert len(choices) == len(run.tokenizer) - 3
    assert sum(choice.prob for choice in choices) == pytest.approx(1, abs=1e-9)
    assert [choice.prob for choice in choices] == sorted((choice.prob for choice in choices), reverse=True)
    for choice in choices:
        assert choice.prob == pytest.approx(float(expected[choice.token]), abs=1e-6)
        assert choice.text == run.tokenizer.decode([choice.token])
    assert draft.choices(3) == choices[:3]
    assert "\n" in {choice.text for choice in choices}


def test_choices_are_those_of_the_policy(run):
    assert len(run.draft("The ", top_k=4).choices(10)) == 4
    assert [choice.prob for choice in run.draft("The ", temperature=0).choices(10)] == [1.0]
    with pytest.raises(ArgumentError, match=r"top_k to be at most vocab_size=\d+, got 1000"):
        run.draft(top_k=1000)


# ---------------------------------------------------------------------- steps


def test_taking_and_typing_go_on_as_if_all_had_been_typed_at_once(run):
    draft = run.draft("The")
    draft.take(token_of(run, " "))
    unknown = draft.type("cat s")

    assert unknown == []
    assert draft.text == "The cat s"
    whole = run.draft("The cat s")
    for one, other in zip(draft.choices(30), whole.choices(30), strict=True):
        assert one.token == other.token
        assert one.prob == pytest.approx(other.prob, abs=1e-6)


def test_typing_tells_what_is_unknown_and_nothing_typed_changes_nothing(run):
    draft = run.draft("The ")

    assert draft.type("Zé") == ["Z", "é"]
    assert draft.text == "The \ufffd\ufffd"
    draft.type("")
    assert draft.undo()
    assert draft.text == "The "


def test_the_model_writes_as_generate_does(run):
    draft = run.draft("The ", temperature=1.2, seed=5)
    greedy = run.draft("The ", temperature=0)

    draft.write(30)
    greedy.write(30)

    assert draft.text == "The " + run.generate("The ", temperature=1.2, seed=5, length=30)
    assert greedy.text == "The " + run.generate("The ", temperature=0, length=30)
    assert draft.seed == 5


def test_every_step_can_be_undone_and_what_was_written_is_one_step(run):
    draft = run.draft()
    states = [(draft.text, draft.choices(5))]
    for step in (lambda: draft.type("The "), lambda: draft.take(token_of(run, "c")), lambda: draft.write(7)):
        step()
        states.append((draft.text, draft.choices(5)))

    for expected in reversed(states[:-1]):
        assert draft.undo()
        assert (draft.text, draft.choices(5)) == expected
    assert not draft.undo()
    assert draft.text == ""


def test_an_undone_text_goes_on_elsewhere(run):
    draft = run.draft("The ")
    draft.type("dog")
    assert draft.undo()
    assert not draft.undo()  # what it began with stays
    draft.type("cat")

    assert draft.text == "The cat"
    assert draft.choices(3)[0].prob == pytest.approx(run.draft("The cat").choices(1)[0].prob, abs=1e-6)


def test_an_empty_draft_begins_like_a_new_line(run):
    choice = run.draft().choices(1)[0]

    assert choice.prob == pytest.approx(float(probabilities(run, "", [EOS_ID]).max()), abs=1e-6)


def test_a_long_beginning_is_read_piece_by_piece(run):
    text = "The cat sat on the mat.\n" * 100

    choice = run.draft(text).choices(1)[0]

    assert choice.prob == pytest.approx(float(probabilities(run, text).max()), abs=1e-5)


@pytest.mark.parametrize("token", [PAD_ID, UNK_ID, BOS_ID])
def test_what_is_never_written_cannot_be_taken(run, token):
    draft = run.draft("The ")

    with pytest.raises(ArgumentError, match="a draft expected a token of the vocabulary, got"):
        draft.take(token)
    assert draft.text == "The "


# ---------------------------------------------------------------------- several texts


def test_a_fork_leaves_the_text_it_came_from_alone(run):
    draft = run.draft("The ")
    draft.type("cat")

    assert draft.fork() == draft.current == 1
    draft.type(" sat")
    draft.switch(0)
    draft.type(" on")

    assert draft.texts == ["The cat on", "The cat sat"]
    assert draft.text == "The cat on"
    draft.undo()
    draft.undo()
    assert draft.texts == ["The ", "The cat sat"]
    draft.switch(1)
    # the steps before the fork belong to both
    draft.undo()
    draft.undo()
    assert draft.text == "The "
    assert draft.choices(9) == run.draft("The ").choices(9)


@pytest.mark.parametrize("number", [-1, 1, 7])
def test_only_texts_that_are_there_can_be_gone_to(run, number):
    draft = run.draft("The ")

    with pytest.raises(ArgumentError, match=f"expected the number of a text from 1 to 1, got {number + 1}"):
        draft.switch(number)
    assert draft.current == 0


def test_seeds_are_checked_and_drawn_where_there_is_none(run):
    with pytest.raises(ArgumentError, match=r"seed to be an integer in \[0, 2\*\*63\), got -1"):
        run.draft(seed=-1)
    assert run.draft().seed != run.draft().seed


# ---------------------------------------------------------------------- lines


def test_a_line_is_over_with_its_end(lines):
    draft = lines.draft("ab")
    assert draft.choices(1)[0].prob == pytest.approx(float(probabilities(lines, "ab", [BOS_ID]).max()), abs=1e-6)
    assert not draft.is_over

    draft.take(EOS_ID)

    assert draft.is_over
    assert draft.text == "ab\n"
    for go_on in (lambda: draft.take(token_of(lines, "a")), lambda: draft.type("a")):
        with pytest.raises(ArgumentError, match="the line is over; undo, or fork before its end"):
            go_on()
    draft.write(5)
    assert draft.text == "ab\n"
    draft.undo()
    assert not draft.is_over
    assert draft.text == "ab"


def test_writing_stops_at_the_end_of_a_line(lines):
    draft = lines.draft(seed=3)

    draft.write(200)

    assert draft.is_over
    assert draft.text == lines.generate(seed=3, length=200) + "\n"


def test_a_stream_is_never_over(run):
    draft = run.draft("The cat sat on the mat.\n")

    draft.write(3)

    assert not draft.is_over
    assert len(draft.text) == len("The cat sat on the mat.\n") + 3


def test_a_draft_has_a_condition_where_the_run_has_labels(line_folders):
    labelled = recurra.load(line_folders / "labelled")

    low, high = (labelled.draft(condition=name).choices(1)[0].text for name in ("low", "high"))

    assert (low in "abc", high in "xyz") == (True, True)
    with pytest.raises(ChoiceError, match="expected the condition to be one of low, high; got 'lo'"):
        labelled.draft(condition="lo")
