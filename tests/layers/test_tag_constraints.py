import itertools

import pytest

from recurra.errors import ArgumentError
from recurra.layers import bio_constraints
from tests.oracles.linear_chain import is_allowed


def is_bio(names):
    """Whether a span is opened before it goes on, and goes on with its kind."""
    open_kind = None
    for name in names:
        if name[0] == "I" and name[2:] != open_kind:
            return False
        open_kind = None if name == "O" else name[2:]
    return True


@pytest.mark.parametrize("tag_names", [["O", "B-a", "I-a", "B-b", "I-b"], ["I-b", "B-a", "O", "B-b"], ["O"], ["B-a"]])
def test_bio_allows_what_opens_its_spans_and_nothing_else(tag_names):
    constraints = bio_constraints(tag_names)

    for length in range(4):
        for tags in itertools.product(range(len(tag_names)), repeat=length):
            assert is_allowed(tags, *constraints) == is_bio([tag_names[tag] for tag in tags]), tags


def test_a_kind_may_bear_the_name_of_the_tag_outside_and_hyphens():
    constraints = bio_constraints(["O", "B-O", "I-O", "B-a-b", "I-a-b"])

    # a tag outside of all spans opens none, whatever kinds are called
    assert constraints.transitions[0].tolist() == [True, True, False, True, False]
    assert constraints.transitions[3].tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("name", ["I", "B", "I-", "B-", "NOUN", "E-a", "o", "", "-a"])
def test_a_tag_of_another_form_is_refused(name):
    with pytest.raises(ArgumentError) as caught:
        bio_constraints(["O", name])

    assert str(caught.value) == f"bio_constraints expected tag_names to be O, B-kind or I-kind, got {name!r}"


def test_a_kind_that_never_begins_is_refused():
    with pytest.raises(ArgumentError) as caught:
        bio_constraints(["O", "I-place", "B-person"])

    assert caught.value.message == (
        "bio_constraints expected a B-place among tag_names for I-place to stand behind, got none"
    )
    assert "IOB1" in caught.value.hint
