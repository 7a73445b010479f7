"""Numbers with the formulas that others tell."""

from __future__ import annotations

from recurra.inspection.anatomy.formulas import SIZES
from recurra.inspection.anatomy.quantities import Quantity, find_quantity


def at_sizes(function):
    return [function(d, n) for d, n in SIZES]


def test_a_formula_is_held_against_the_number_itself():
    others = at_sizes(lambda d, n: 9 * n + 4)

    assert find_quantity(40, (3, 4), others, SIZES, 2) == Quantity(40, "9n + 4")
    assert find_quantity(9, (1, 1), others, SIZES, 2) == Quantity(9, "", is_rounded=True)


def test_only_a_fraction_is_rounded_and_its_exact_form_is_the_number():
    others = at_sizes(lambda d, n: n // 2)

    assert find_quantity(2, (3, 5), others, SIZES, 2) == Quantity(2, "n/2", is_rounded=True)
    assert find_quantity(2, (3, 5), others, SIZES, 2).exact == "2"
    assert find_quantity(2, (3, 4), others, SIZES, 2).exact == "n/2"


def test_without_others_there_is_a_number_only():
    assert find_quantity(7, (1, 1), [], (), 2) == Quantity(7)
    assert Quantity(7).exact == "7"
