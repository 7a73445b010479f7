"""Different names look different, in every cell and however they are spelled."""

from __future__ import annotations

import itertools
import unicodedata
from collections import defaultdict
from xml.dom import minidom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.cells import cell_names, find_cell
from recurra.inspection.equations.latex import latex_symbol
from recurra.inspection.equations.look_alikes import look_alikes
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.explanation import explain_cell

NASTY = (
    *("h", "h_", "_h", "h__", "__h", "h1", "h_1", "h__1", "_h1", "h1_", "h_t", "h_t_1", "h′", "h_′", "h′′", "h1′"),
    *("alpha", "α", "alpha_", "alpha1", "α1", "α_1", "lambda", "lambda_", "λ", "xi", "x_i", "x_i_j", "x__i_j", "xij"),
    *("W", "W_", "W_x", "W_xphi", "W_xφ", "W_x_phi", "δ", "δh", "δ_h", "delta", "delta_h", "delta1", "_", "__", "t"),
    *("period", "period1", "period_1", "cell.0.w", "cell_0_w", "p.a b%", "p.ab%", "p.a_b", "a b", "ab", "a-b", "a−b"),
    *(
        "{a}",
        "$a$",
        "#a",
        "&a",
        "a^2",
        "a²",
        "a2",
        "~a",
        "\\a",
        "\\alpha",
        "a\n",
        "aU+000A",
        "`a`",
        "'a'",
        "<a>",
        "größe",
    ),
)


def alike(symbols: set[Symbol]) -> list[set[Symbol]]:
    """Return the symbols that come out alike."""
    spelled_out = look_alikes(symbols)
    by_look: dict[str, set[Symbol]] = defaultdict(set)
    for symbol in symbols:
        by_look["".join(latex_symbol(symbol, spelled_out).split())].add(symbol)
    return [group for group in by_look.values() if len(group) > 1]


def all_of(name: str) -> list[Symbol]:
    parts = itertools.product([None, 0, -1], [0, 2], [False, True])
    return [Symbol(name, time, version, is_gradient) for time, version, is_gradient in parts]


@pytest.mark.parametrize("name", cell_names())
def test_the_symbols_of_a_cell_look_different_without_spelling_any_out(name: str) -> None:
    explanation = explain_cell(find_cell(name)(3, 4))
    lines = (*explanation.step.lines, *explanation.forward, *explanation.backward)
    symbols = {symbol for line in lines for symbol in (line.target, *line.term.symbols())}

    assert look_alikes([*symbols, *explanation.step.shapes]) == frozenset()
    assert alike({*symbols, *explanation.step.shapes}) == []


def test_nasty_names_look_different() -> None:
    assert alike({symbol for name in NASTY for symbol in all_of(name)}) == []


@settings(max_examples=200, deadline=None)
@given(st.sets(st.text("hαxi1_δ.′ t\\{a", min_size=1, max_size=6).filter(lambda name: name.rstrip("′")), max_size=12))
def test_names_of_any_letters_look_different(names: set[str]) -> None:
    assert alike({symbol for name in names for symbol in all_of(name)}) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("h1", "h_1"), {"h1"}),
        (("alpha", "α"), {"alpha"}),
        (("h_", "h", "_h", "W", "W_"), set()),
        (("h1", "g_1", "alpha"), set()),
    ],
)
def test_one_of_each_group_keeps_its_look(names: tuple[str, ...], expected: set[str]) -> None:
    assert look_alikes(Symbol(name, 0) for name in names) == expected


def test_a_weight_with_t_for_an_index_is_told_from_a_value_at_t() -> None:
    assert look_alikes([Symbol("z", 0), Symbol("z_t")]) == {"z_t"}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_become_sound_mathml(name: str) -> None:
    from latex2mathml.converter import convert

    document = minidom.parseString(convert(latex_symbol(Symbol(name, 0), {name})))

    shown = "".join(node.data for node in _texts(document))
    assert _letters(shown) == _letters(name.replace("^", "∧").replace("\n", "U+000A") + "t")


def _letters(text: str) -> list[str]:
    """Return the letters in no order, as primes stand above the time; those that differ only in style are alike."""
    return sorted(unicodedata.normalize("NFKC", text))


def _texts(node: minidom.Node) -> list[minidom.Text]:
    if isinstance(node, minidom.Text):
        return [node]
    return [text for child in node.childNodes for text in _texts(child)]
