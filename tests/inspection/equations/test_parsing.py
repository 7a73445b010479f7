from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ArgumentError
from recurra.inspection.equations.evaluation import evaluate
from recurra.inspection.equations.parsing import parse, parse_line, parse_symbol
from recurra.inspection.equations.plain import plain, plain_line, plain_symbol
from recurra.inspection.equations.terms import Line, Symbol, Term
from tests.support.random_terms import symbols, terms, values_for


@settings(max_examples=150, deadline=None)
@given(terms(), st.integers(0, 2**32))
def test_a_printed_term_is_read_back_with_the_same_value_to_the_last_bit(term, seed):
    values = values_for(term, seed)

    again = parse(plain(term))

    np.testing.assert_array_equal(evaluate(again, values), evaluate(term, values))


@settings(max_examples=80, deadline=None)
@given(terms())
def test_a_term_read_back_is_printed_alike(term):
    text = plain(term)

    again = plain(parse(text))

    assert again == text


@settings(max_examples=80, deadline=None)
@given(symbols)
def test_a_printed_symbol_is_read_back(symbol):
    assert parse_symbol(plain_symbol(symbol)) == symbol


@pytest.mark.parametrize("is_sum", [False, True])
def test_a_line_is_read_back(is_sum):
    line = Line(Symbol("W_xphi", is_gradient=True), parse("δφₜ xₜᵀ"), is_sum=is_sum)

    again = parse_line(plain_line(line))

    assert again == line


def test_products_of_matrices_bind_tighter_than_products_of_entries():
    a, b, c = (Term("name", value=Symbol(letter)) for letter in "abc")

    term = parse("a ⊙ b c")

    assert term == Term("mul", (a, Term("matmul", (b, c))))


def test_quotients_and_products_go_from_left_to_right():
    values = {Symbol(letter): np.array([[number]]) for letter, number in zip("abc", (3.0, 4.0, 5.0), strict=True)}

    value = evaluate(parse("a / b ⊙ c"), values)

    assert value.item() == 3 / 4 * 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x +", "parse expected a term at character 4 of 'x +', got the end"),
        ("x - y", "parse expected the end at character 3 of 'x - y', got '-'"),
        ("max(x)", "parse expected ',' at character 6 of 'max(x)', got ')'"),
        ("tanh(x, y)", "parse expected ')' at character 7 of 'tanh(x, y)', got ','"),
        ("[x]", "parse expected a relation, ';' or ',' at character 3 of '[x]', got ']'"),
        ("repeat(x, 1.5)", "parse expected a whole number at character 11 of 'repeat(x, 1.5)', got '1.5'"),
        ("x^y", "parse expected a number at character 3 of 'x^y', got 'y'"),
        ("(x if y", "parse expected 'else' at character 8 of '(x if y', got the end"),
    ],
)
def test_what_is_not_in_the_grammar_is_pointed_at(text, message):
    with pytest.raises(ArgumentError) as caught:
        parse(text)

    assert caught.value.message == message


def test_a_line_begins_with_a_name():
    with pytest.raises(ArgumentError) as caught:
        parse_line("2 = x")

    assert caught.value.message == "parse expected a name at character 1 of '2 = x', got '2'"


def test_a_line_needs_a_sign():
    with pytest.raises(ArgumentError) as caught:
        parse_line("x y")

    assert caught.value.message == "parse expected '=' at character 3 of 'x y', got 'y'"


def test_a_symbol_is_all_there_is():
    with pytest.raises(ArgumentError) as caught:
        parse_symbol("xₜ²")

    assert caught.value.message == "parse expected the end at character 3 of 'xₜ²', got '²'"
