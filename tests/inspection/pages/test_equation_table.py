"""Equations in a page of HTML."""

from __future__ import annotations

from recurra.inspection.equations import terms
from recurra.inspection.equations.terms import Line, Symbol
from recurra.inspection.pages.equation_table import breakable, equation_table, place_of
from recurra.inspection.pages.signs import signs

H, X = Symbol("h", 0), Symbol("x", 0)


def line(term, place="", **options):
    return Line(H, term, place, **options)


def column(symbol):
    return terms.name(symbol, (2, 1))


def test_a_place_is_told_without_its_folders():
    place = place_of(line(column(X), "/home/a person/cells/mine.py:12:   return x  # a: b"))

    assert place.name == "mine.py:12"
    assert place.text == "return x  # a: b"
    assert place_of(line(column(X))) is None


def test_an_equation_has_its_place_and_its_latex_escaped():
    page = equation_table([line(column(X), 'mine.py:1: h = x if a < b else "c"')])

    assert '<td class="place" title="h = x if a &lt; b else &quot;c&quot;">mine.py:1</td>' in page
    assert 'title="h_{t} = x_{t}"' in page
    assert "<pre>\\begin{align*}\n  h_{t} &amp;= x_{t}\n\\end{align*}</pre>" in page


def test_a_sum_over_steps_is_told_by_its_sign():
    assert "<mo>+=</mo>" in equation_table([line(column(X), is_sum=True)])
    assert "<mo>+=</mo>" not in equation_table([line(column(X))])


def test_many_short_equations_stand_in_columns_and_a_long_one_above_them():
    short = [line(column(X))] * 7
    long = line(terms.mul(*(column(Symbol(f"value{k}", 0)) for k in range(9))))

    assert equation_table(short).count('class="equations columns"') == 1
    assert equation_table(short[:6]).count('class="equations columns"') == 0
    mixed = equation_table([short[0], long, *short[1:]])
    assert mixed.index('class="equations wide"') < mixed.index("value") < mixed.index('class="equations columns"')
    assert mixed.count("<tr ") == 8


def test_a_wide_term_may_be_broken_before_its_signs():
    assert breakable("a + b", 1).count("<wbr>") == 1
    assert breakable("a + b", 20).count("<wbr>") == 0


def test_signs_are_told_once_and_only_those_that_are_there():
    half = terms.mul(terms.number(0.5), column(X))
    gated = terms.mul(column(X), terms.function("sigmoid", column(X)))

    assert signs([line(half)]) == ()
    assert [latex for latex, _ in signs([line(gated), line(gated)])] == [r"u \odot v", r"\sigma(v)"]
