import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.data import Splits
from recurra.errors import ArgumentError, DataTooShortError


@given(
    num_units=st.integers(0, 10**12),
    validation=st.floats(1e-6, 0.99),
    test=st.one_of(st.just(0.0), st.floats(1e-6, 0.99)),
)
def test_parts_are_adjacent_and_of_the_size_asked_for(num_units, validation, test):
    assume(validation + test < 0.999)
    assume(min(num_units * share for share in (validation, test or 1, 1 - validation - test)) >= 3)

    splits = Splits.from_fractions(num_units, validation, test)

    assert splits.train[0] == 0
    assert splits.train[1] == splits.validation[0]
    assert splits.validation[1] == splits.test[0]
    assert splits.test[1] == num_units
    assert splits.validation[1] - splits.validation[0] == pytest.approx(num_units * validation, abs=0.51)
    assert splits.test[1] - splits.test[0] == pytest.approx(num_units * test, abs=0.51)


def test_the_test_part_may_be_empty():
    assert Splits.from_fractions(100, 0.1, 0.0) == Splits((0, 90), (90, 100), (100, 100))


@pytest.mark.parametrize("validation", [0.0, -0.1, 1.0, 1.5, float("nan")])
def test_validation_has_a_range(validation):
    with pytest.raises(ArgumentError, match=f"expected validation to be above 0 and below 1, got {validation}"):
        Splits.from_fractions(1000, validation, 0.1)


@pytest.mark.parametrize("test", [-0.1, 1.0, float("nan")])
def test_test_has_a_range(test):
    with pytest.raises(ArgumentError, match=f"expected test to be at least 0 and below 1, got {test}"):
        Splits.from_fractions(1000, 0.1, test)


def test_something_is_left_to_train_on():
    with pytest.raises(ArgumentError, match=r"expected validation \+ test to be below 1, got 0.5 \+ 0.5"):
        Splits.from_fractions(1000, 0.5, 0.5)


@pytest.mark.parametrize(("validation", "test"), [(0.05, 0.05), (0.05, 0.0), (0.01, 0.3), (0.6, 0.399), (0.3, 0.3)])
def test_a_text_that_is_too_short_learns_what_is_enough(validation, test):
    with pytest.raises(DataTooShortError, match="got 3") as caught:
        Splits.from_fractions(3, validation, test)

    needed = int(str(caught.value).split("at least ")[1].split()[0])
    splits = Splits.from_fractions(needed, validation, test)
    assert splits.validation[1] - splits.validation[0] >= 2
    assert splits.train[1] >= 2
    with pytest.raises(DataTooShortError):
        Splits.from_fractions(needed - 1, validation, test)


@pytest.mark.parametrize("num_units", [0, 1])
def test_no_text_is_too_short(num_units):
    with pytest.raises(DataTooShortError, match=f"expected at least 30 characters .*, got {num_units}"):
        Splits.from_fractions(num_units)
    with pytest.raises(DataTooShortError, match=f"expected at least 30 words .*, got {num_units}"):
        Splits.from_fractions(num_units, unit="word")


@given(
    validation=st.floats(0.001, 0.6),
    test=st.one_of(st.just(0.0), st.floats(0.001, 0.3)),
    num_train=st.integers(2, 10**6),
)
def test_from_the_length_needed_on_every_text_has_enough_to_train_on(validation, test, num_train):
    needed = Splits.num_units_needed(validation, test, num_train)

    for num_units in range(needed, needed + 50):
        assert Splits.from_fractions(num_units, validation, test).train[1] >= num_train
    try:
        shorter = Splits.from_fractions(needed - 1, validation, test)
    except DataTooShortError:
        return
    assert shorter.train[1] < num_train


@pytest.mark.parametrize("test", [0.0, 0.05, 0.3, 0.45])
def test_lengths_that_are_enough_by_a_lucky_rounding_are_not_asked_for(test):
    def has_enough(num_units):
        return num_units - round(num_units * 0.45) - round(num_units * test) >= 64

    needed = Splits.num_units_needed(0.45, test, 64)

    assert not has_enough(needed - 1)
    assert all(map(has_enough, range(needed, 4000)))
