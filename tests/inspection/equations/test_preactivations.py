from __future__ import annotations

import numpy as np

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.evaluation import run_lines
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.preactivations import name_preactivations
from recurra.inspection.equations.terms import Line, Symbol, Term

X, H_OLD = t.name(Symbol("x", 0, kind="input"), (3, 1)), t.name(Symbol("h", -1, kind="state"), (4, 1))
EPS = t.number(1e-5)


def affine(name: str) -> Term:
    from_x = t.matmul(t.name(Symbol(f"W_x{name}", kind="weight"), (4, 3)), X)
    return t.add(from_x, t.matmul(t.name(Symbol(f"W_h{name}", kind="weight"), (4, 4)), H_OLD))


def gate(name: str, function: str = "sigmoid", version: int = 0) -> Line:
    return Line(Symbol(name, 0, version), t.function(function, affine(name)), f"cell.py: {name}")


def value(name: str) -> Term:
    return t.name(Symbol(name, 0), (4, 1))


def printed(*lines: Line) -> list[str]:
    return [plain_line(line) for line in name_preactivations(lines)]


def test_a_single_argument_is_called_z() -> None:
    assert printed(gate("h", "tanh")) == ["zₜ = W_xh xₜ + W_hh hₜ₋₁", "hₜ = tanh(zₜ)"]


def test_arguments_of_several_lines_are_called_by_their_lines() -> None:
    assert printed(gate("i"), gate("g", "tanh")) == [
        "z_iₜ = W_xi xₜ + W_hi hₜ₋₁",
        "iₜ = σ(z_iₜ)",
        "z_gₜ = W_xg xₜ + W_hg hₜ₋₁",
        "gₜ = tanh(z_gₜ)",
    ]


def test_the_letter_gives_way_to_names_that_begin_with_it() -> None:
    assert printed(gate("z"), gate("r"))[0] == "a_zₜ = W_xz xₜ + W_hz hₜ₋₁"
    assert printed(gate("z_open"), gate("a"))[0] == "s_z_openₜ = W_xz_open xₜ + W_hz_open hₜ₋₁"
    assert printed(gate("z"), gate("a′"), gate("s"))[0].startswith("net_zₜ")
    assert printed(gate("z"), gate("a"), gate("s"), gate("net"), gate("net2"))[0].startswith("net3_zₜ")


def test_names_that_only_share_the_first_letter_do_not_matter() -> None:
    assert printed(gate("zoom"))[0].startswith("zₜ")


def test_further_arguments_of_a_line_have_primes_and_inner_ones_come_first() -> None:
    outer = t.add(t.function("tanh", affine("a")), affine("b"))
    line = Line(Symbol("n", 0), t.function("sigmoid", outer))

    assert printed(line) == [
        "z_n′ₜ = W_xa xₜ + W_ha hₜ₋₁",
        "z_nₜ = tanh(z_n′ₜ) + W_xb xₜ + W_hb hₜ₋₁",
        "nₜ = σ(z_nₜ)",
    ]


def test_a_part_that_is_found_first_and_stands_inside_a_later_one_comes_before_it() -> None:
    product = t.matmul(t.name(Symbol("W", kind="weight"), (4, 4)), H_OLD)
    twice = t.add(t.function("tanh", product), t.function("tanh", t.mul(t.number(2), product)))
    negated = t.mul(t.function("tanh", affine("a")), t.function("sigmoid", t.neg(affine("a"))))

    assert printed(Line(Symbol("h", 0), twice)) == [
        "z_hₜ = W hₜ₋₁",
        "z_h′ₜ = 2 · z_hₜ",
        "hₜ = tanh(z_hₜ) + tanh(z_h′ₜ)",
    ]
    assert printed(Line(Symbol("h", 0), negated)) == [
        "z_hₜ = W_xa xₜ + W_ha hₜ₋₁",
        "z_h′ₜ = −z_hₜ",
        "hₜ = tanh(z_hₜ) ⊙ σ(z_h′ₜ)",
    ]


def test_a_value_that_stands_inside_a_later_argument_comes_before_it() -> None:
    inner = t.function("tanh", affine("a"))
    line = Line(Symbol("n", 0), t.add(inner, t.function("sigmoid", t.mul(inner, affine("b")))))

    lines = name_preactivations([line])

    known = set()
    for one in lines:
        assert not {symbol for symbol in one.term.symbols() if symbol.name.startswith("z")} - known
        known.add(one.target)


def test_softplus_of_a_sum_is_an_activation() -> None:
    line = Line(Symbol("h", 0), t.function("softplus", t.add(value("c"), value("d"))))

    assert printed(line) == ["zₜ = cₜ + dₜ", "hₜ = softplus(zₜ)"]


def test_an_argument_that_is_needed_twice_is_named_once() -> None:
    line = Line(Symbol("n", 0), t.mul(affine("a"), t.function("sigmoid", affine("a"))))

    assert printed(line) == ["zₜ = W_xa xₜ + W_ha hₜ₋₁", "nₜ = zₜ ⊙ σ(zₜ)"]


def test_names_functions_and_products_of_names_get_no_name() -> None:
    lines = [
        Line(Symbol("p", 0), t.function("tanh", value("c"))),
        Line(Symbol("q", 0), t.function("tanh", t.mul(value("c"), value("d")))),
        Line(Symbol("r", 0), t.function("log", t.function("sigmoid", value("c")))),
        Line(Symbol("s", 0), t.function("exp", t.add(value("c"), value("d")))),
        Line(Symbol("t", 0), t.function("tanh", t.add(value("c"), t.ONE))),
        Line(Symbol("u", 0), t.function("max", affine("u"), t.ZERO)),
    ]

    assert name_preactivations(lines) == tuple(lines)


def test_sums_without_products_get_one_if_they_are_squashed() -> None:
    line = Line(Symbol("i", 0), t.function("sigmoid", t.add(value("c"), value("d"))))

    assert printed(line) == ["zₜ = cₜ + dₜ", "iₜ = σ(zₜ)"]


def test_norms_inside_of_longer_terms_get_a_name_for_their_value() -> None:
    normed = t.function("norm", affine("v"), EPS)
    inside = Line(Symbol("n", 0), t.mul(value("g"), normed))

    assert printed(inside) == ["zₜ = W_xv xₜ + W_hv hₜ₋₁", "uₜ = norm(zₜ, 1e-05)", "nₜ = gₜ ⊙ uₜ"]
    assert printed(Line(Symbol("n", 0), normed)) == ["zₜ = W_xv xₜ + W_hv hₜ₋₁", "nₜ = norm(zₜ, 1e-05)"]


def test_the_letter_of_values_gives_way_too() -> None:
    lines = [Line(Symbol(name, 0), t.mul(value("g"), t.function("softmax", value(name + "c")))) for name in ("u", "m")]

    assert printed(*lines) == [
        "v_uₜ = softmax(ucₜ)",
        "uₜ = gₜ ⊙ v_uₜ",
        "v_mₜ = softmax(mcₜ)",
        "mₜ = gₜ ⊙ v_mₜ",
    ]


def test_time_version_and_place_are_those_of_the_line() -> None:
    line = gate("h", "tanh", version=2)

    found = name_preactivations([line])

    assert found[0].target == Symbol("z", 0, 2)
    assert [one.place for one in found] == [line.place, line.place]


def test_values_stay_the_same() -> None:
    lines = [
        gate("i"),
        Line(Symbol("n", 0), t.mul(t.function("norm", affine("n"), EPS), t.name(Symbol("i", 0), (4, 1)))),
    ]
    generator = np.random.default_rng(0)
    shapes = {term.value: term.shape for line in lines for term in line.term.walk() if term.op == "name"}
    values = {symbol: generator.normal(size=shape) for symbol, shape in shapes.items() if symbol != Symbol("i", 0)}

    found = run_lines(name_preactivations(lines), values)

    for symbol, expected in run_lines(lines, values).items():
        np.testing.assert_array_equal(found[symbol], expected)
