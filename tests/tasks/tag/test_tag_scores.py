import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from recurra.tasks.tag.scores import TagScores, has_entities

BIO = ("B-x", "B-y", "I-x", "I-y", "O")


def scores(names, truth, predicted, lengths=None, num_known=None):
    truth, predicted = np.array(truth, np.int64), np.array(predicted, np.int64)
    return TagScores(names, num_known or len(names), truth, predicted, np.array(lengths or [len(truth)]))


def spans(tags):
    """Return the entities of a BIO sequence as conlleval reads it: (kind, begin, end)."""
    found, kind, begin = set(), None, 0
    for place, tag in enumerate([*tags, "O"]):
        goes_on = tag[:2] == "I-" and tag[2:] == kind
        if kind is not None and not goes_on:
            found.add((kind, begin, place))
            kind = None
        if tag != "O" and not goes_on:
            kind, begin = tag[2:], place
    return found


def test_entities_are_told_from_other_tags():
    assert has_entities(BIO)
    assert has_entities(("B-x", "I-x"))
    assert not has_entities(("O",))
    assert not has_entities(("NOUN", "O"))
    assert not has_entities(("B-", "O"))


def test_accuracy_is_the_only_figure_where_tags_mark_no_entities():
    assert scores("DNV", [0, 1, 2, 1], [0, 1, 1, 1]).figures == {"accuracy": 0.75}


drawn = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20)


@given(drawn, st.integers(0, 20))
def test_entity_figures_count_spans_as_conlleval_does(pairs, cut):
    truth, predicted = (list(column) for column in zip(*pairs, strict=True))
    cut = min(cut, len(truth))
    lengths = [cut, len(truth) - cut]

    figures = scores(BIO, truth, predicted, lengths).figures

    right = given_count = wanted = 0
    for begin, end in ((0, cut), (cut, len(truth))):
        ours, theirs = (spans([BIO[tag] for tag in column[begin:end]]) for column in (predicted, truth))
        right, given_count, wanted = right + len(ours & theirs), given_count + len(ours), wanted + len(theirs)
    precision = right / given_count if given_count else 0
    recall = right / wanted if wanted else 0
    assert figures["precision"] == pytest.approx(precision)
    assert figures["recall"] == pytest.approx(recall)
    assert figures["f1"] == pytest.approx(2 * precision * recall / (precision + recall) if right else 0)
    assert figures["accuracy"] == pytest.approx(np.mean([one == other for one, other in pairs]))


def test_sentences_without_entities_are_no_error():
    figures = scores(BIO, [4, 4], [4, 4]).figures

    assert figures == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "accuracy": 1.0}


@given(drawn)
def test_the_table_of_tags_agrees_with_scikit_learn(pairs):
    truth, predicted = (list(column) for column in zip(*pairs, strict=True))

    (table,) = scores("abcde", truth, predicted).tables()

    occurring = sorted({*truth, *predicted})
    expected = precision_recall_fscore_support(truth, predicted, labels=occurring, zero_division=0)
    assert [row[0] for row in table.rows] == ["abcde"[tag] for tag in occurring]
    np.testing.assert_allclose(np.array([row[1:] for row in table.rows], float).T, np.array(expected, float))


def test_the_table_of_entities_has_a_row_for_each_kind():
    entities, tags = scores(BIO, [0, 2, 4, 1], [0, 2, 4, 0]).tables()

    assert entities.rows == (("x", 0.5, 1.0, pytest.approx(2 / 3), 1), ("y", 0.0, 0.0, 0.0, 1))
    assert (entities.title, tags.title) == ("entities", "tags")


def test_a_tag_that_the_model_does_not_know_is_always_wrong():
    found = scores(("D", "N", "V"), [0, 1, 2], [0, 1, 1], num_known=2)

    assert found.accuracy == pytest.approx(2 / 3)
    assert found.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert found.tables()[0].rows[2] == ("V", 0.0, 0.0, 0.0, 1)


def test_the_accuracy_of_nothing_is_not_a_number():
    assert math.isnan(scores("ab", [], []).accuracy)


@pytest.mark.filterwarnings("error")
def test_unknown_tags_that_are_not_bio_are_no_entities():
    names = (*BIO, "NOUN", "B-z")

    found = scores(names, [0, 5, 6, 4], [0, 1, 4, 4], num_known=5)

    # entities of the truth: x and z; predicted ones: x and y
    assert found.figures == {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.5}
    assert [row[0] for row in found.tables()[0].rows] == ["x", "y", "z"]
