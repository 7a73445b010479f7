"""Backward equations of steps written by hand, against torch's autograd of the same steps written with torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.derivative import differentiate
from recurra.inspection.equations.evaluation import run_lines
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.preactivations import name_preactivations
from recurra.inspection.equations.terms import Kind, Line, Symbol, Term

D, H = 3, 4
Torch = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def state(name: str, time: int = 0, rows: int = H) -> Term:
    kind: Kind = "input" if name == "x" else "state"
    return t.name(Symbol(name, time, kind=kind), (rows, 1))


def weight(name: str, *shape: int) -> Term:
    return t.name(Symbol(name, kind="weight"), (shape[0], shape[1] if len(shape) > 1 else 1))


X, H_T, H_OLD, C_T, C_OLD = state("x", rows=D), state("h"), state("h", -1), state("c"), state("c", -1)


def affine(gate: str, inner: Term = H_OLD) -> Term:
    from_x = t.add(t.matmul(weight(f"W_x{gate}", H, D), X), weight(f"b_x{gate}", H))
    return t.add(from_x, t.matmul(weight(f"W_h{gate}", H, H), inner), weight(f"b_h{gate}", H))


def line(target: Term, term: Term) -> Line:
    return Line(target.value, term)


def gate(name: str, function: str = "sigmoid") -> tuple[Line, Term]:
    found = t.name(Symbol(name, 0), (H, 1))
    return line(found, t.function(function, affine(name))), found


def elman() -> tuple[Line, ...]:
    return (line(H_T, t.function("tanh", affine("h"))),)


def lstm() -> tuple[Line, ...]:
    (i_line, i), (f_line, f), (g_line, g), (o_line, o) = gate("i"), gate("f"), gate("g", "tanh"), gate("o")
    new_c = line(C_T, t.add(t.mul(f, C_OLD), t.mul(i, g)))
    return i_line, f_line, g_line, o_line, new_c, line(H_T, t.mul(o, t.function("tanh", C_T)))


def gru() -> tuple[Line, ...]:
    (r_line, r), (z_line, z) = gate("r"), gate("z")
    n = t.name(Symbol("n", 0), (H, 1))
    from_x = t.add(t.matmul(weight("W_xn", H, D), X), weight("b_xn", H))
    from_h = t.mul(r, t.add(t.matmul(weight("W_hn", H, H), H_OLD), weight("b_hn", H)))
    n_line = line(n, t.function("tanh", t.add(from_x, from_h)))
    return r_line, z_line, n_line, line(H_T, t.add(t.mul(t.sub(t.ONE, z), n), t.mul(z, H_OLD)))


def layer_norm() -> tuple[Line, ...]:
    stacked = t.stack((t.matmul(weight("W_1", H, D), X), t.matmul(weight("W_2", H, H), H_OLD)))
    normed = t.mul(weight("gain", 2 * H), t.function("norm", stacked, t.number(1e-5)))
    v = t.name(Symbol("v", 0), (2 * H, 1))
    inner = t.mul(weight("s", 1), t.cut(v, 0, 0, H))
    return line(v, normed), line(H_T, t.function("tanh", t.add(inner, t.cut(v, 0, H, 2 * H))))


def torch_affine(v: dict[str, Tensor], gate: str) -> Tensor:
    return v[f"W_x{gate}"] @ v["x"] + v[f"b_x{gate}"] + v[f"W_h{gate}"] @ v["h"] + v[f"b_h{gate}"]


def torch_elman(v: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"h": torch.tanh(torch_affine(v, "h"))}


def torch_lstm(v: dict[str, Tensor]) -> dict[str, Tensor]:
    i, f, o = (torch.sigmoid(torch_affine(v, gate)) for gate in "ifo")
    c = f * v["c"] + i * torch.tanh(torch_affine(v, "g"))
    return {"h": o * torch.tanh(c), "c": c}


def torch_gru(v: dict[str, Tensor]) -> dict[str, Tensor]:
    r, z = (torch.sigmoid(torch_affine(v, gate)) for gate in "rz")
    n = torch.tanh(v["W_xn"] @ v["x"] + v["b_xn"] + r * (v["W_hn"] @ v["h"] + v["b_hn"]))
    return {"h": (1 - z) * n + z * v["h"]}


def torch_layer_normed(v: dict[str, Tensor]) -> dict[str, Tensor]:
    stacked = torch.cat((v["W_1"] @ v["x"], v["W_2"] @ v["h"])).reshape(-1)
    normed = torch.nn.functional.layer_norm(stacked, (2 * H,), v["gain"].reshape(-1), eps=1e-5).reshape(-1, 1)
    return {"h": torch.tanh(v["s"] * normed[:H] + normed[H:])}


STEPS: dict[str, tuple[tuple[Line, ...], Torch]] = {
    "elman": (elman(), torch_elman),
    "lstm": (lstm(), torch_lstm),
    "gru": (gru(), torch_gru),
    "layer norm": (layer_norm(), torch_layer_normed),
}


def wanted_of(lines: Sequence[Line]) -> list[Symbol]:
    """Return weights, x and entering states, in the order in which they appear."""
    targets = {one.target for one in lines}
    found = dict.fromkeys(symbol for one in lines for symbol in one.term.symbols() if symbol not in targets)
    return sorted(found, key=lambda symbol: symbol.time is not None)


def shapes_of(lines: Sequence[Line]) -> dict[Symbol, tuple[int, int]]:
    return {term.value: term.shape for one in lines for term in one.term.walk() if term.op == "name"}


@pytest.mark.parametrize("is_named", [False, True], ids=["as they are", "with preactivations"])
@pytest.mark.parametrize("which", STEPS)
def test_gradients_of_a_step_equal_those_of_torch(which: str, is_named: bool) -> None:
    lines, function = STEPS[which]
    generator = np.random.default_rng(3)
    values = {symbol: generator.normal(size=shapes_of(lines)[symbol]) for symbol in wanted_of(lines)}
    tensors = {symbol.name: torch.tensor(value, requires_grad=True) for symbol, value in values.items()}
    results = function(tensors)
    incoming = {name: generator.normal(size=(H, 1)) for name in results}
    given = [torch.tensor(value) for value in incoming.values()]
    expected = torch.autograd.grad(list(results.values()), list(tensors.values()), given)

    forward = name_preactivations(lines) if is_named else lines
    backward = differentiate(forward, [Symbol(name, 0) for name in results], values)

    known = run_lines(forward, values)
    arriving = {Symbol(name, 0, is_gradient=True): value for name, value in incoming.items()}
    found = run_lines(backward, {**known, **arriving})
    for name, result in results.items():
        np.testing.assert_allclose(known[Symbol(name, 0)], result.detach().numpy(), rtol=1e-12)
    for symbol, theirs in zip(values, expected, strict=True):
        np.testing.assert_allclose(found[symbol.gradient], theirs.numpy(), rtol=1e-9, atol=1e-13)


def printed(lines: Sequence[Line], outputs: Sequence[str], wanted: Sequence[Symbol] | None = None) -> str:
    found = name_preactivations(lines)
    results = [Symbol(name, 0) for name in outputs]
    backward = differentiate(found, results, wanted_of(lines) if wanted is None else wanted)
    return "\n".join(map(plain_line, backward))


def test_the_backward_equations_of_an_elman_cell() -> None:
    assert printed(elman(), ["h"]) == (
        "δzₜ = δhₜ ⊙ (1 − hₜ²)\n"
        "δW_xh += δzₜ xₜᵀ\n"
        "δb_xh += δzₜ\n"
        "δW_hh += δzₜ hₜ₋₁ᵀ\n"
        "δb_hh += δzₜ\n"
        "δxₜ = W_xhᵀ δzₜ\n"
        "δhₜ₋₁ = W_hhᵀ δzₜ"
    )


def test_the_backward_equations_of_an_lstm() -> None:
    assert printed(lstm(), ["h", "c"]) == (
        "δcₜ += δhₜ ⊙ oₜ ⊙ (1 − tanh(cₜ)²)\n"
        "δiₜ = δcₜ ⊙ gₜ\n"
        "δz_iₜ = δiₜ ⊙ iₜ ⊙ (1 − iₜ)\n"
        "δfₜ = δcₜ ⊙ cₜ₋₁\n"
        "δz_fₜ = δfₜ ⊙ fₜ ⊙ (1 − fₜ)\n"
        "δgₜ = δcₜ ⊙ iₜ\n"
        "δz_gₜ = δgₜ ⊙ (1 − gₜ²)\n"
        "δoₜ = δhₜ ⊙ tanh(cₜ)\n"
        "δz_oₜ = δoₜ ⊙ oₜ ⊙ (1 − oₜ)\n"
        "δW_xi += δz_iₜ xₜᵀ\nδb_xi += δz_iₜ\nδW_hi += δz_iₜ hₜ₋₁ᵀ\nδb_hi += δz_iₜ\n"
        "δW_xf += δz_fₜ xₜᵀ\nδb_xf += δz_fₜ\nδW_hf += δz_fₜ hₜ₋₁ᵀ\nδb_hf += δz_fₜ\n"
        "δW_xg += δz_gₜ xₜᵀ\nδb_xg += δz_gₜ\nδW_hg += δz_gₜ hₜ₋₁ᵀ\nδb_hg += δz_gₜ\n"
        "δW_xo += δz_oₜ xₜᵀ\nδb_xo += δz_oₜ\nδW_ho += δz_oₜ hₜ₋₁ᵀ\nδb_ho += δz_oₜ\n"
        "δxₜ = W_xiᵀ δz_iₜ + W_xfᵀ δz_fₜ + W_xgᵀ δz_gₜ + W_xoᵀ δz_oₜ\n"
        "δhₜ₋₁ = W_hiᵀ δz_iₜ + W_hfᵀ δz_fₜ + W_hgᵀ δz_gₜ + W_hoᵀ δz_oₜ\n"
        "δcₜ₋₁ = δcₜ ⊙ fₜ"
    )


def test_the_backward_equations_of_a_gru() -> None:
    entering = [X.value, H_OLD.value]
    assert printed(gru(), ["h"], [Symbol("W_hn"), Symbol("b_hn"), *entering]) == (
        "δzₜ = δhₜ ⊙ (hₜ₋₁ − nₜ)\n"
        "δa_zₜ = δzₜ ⊙ zₜ ⊙ (1 − zₜ)\n"
        "δnₜ = δhₜ ⊙ (1 − zₜ)\n"
        "δa_nₜ = δnₜ ⊙ (1 − nₜ²)\n"
        "δrₜ = δa_nₜ ⊙ (W_hn hₜ₋₁ + b_hn)\n"
        "δa_rₜ = δrₜ ⊙ rₜ ⊙ (1 − rₜ)\n"
        "δW_hn += (δa_nₜ ⊙ rₜ) hₜ₋₁ᵀ\n"
        "δb_hn += δa_nₜ ⊙ rₜ\n"
        "δxₜ = W_xrᵀ δa_rₜ + W_xzᵀ δa_zₜ + W_xnᵀ δa_nₜ\n"
        "δhₜ₋₁ = δhₜ ⊙ zₜ + W_hrᵀ δa_rₜ + W_hzᵀ δa_zₜ + W_hnᵀ (δa_nₜ ⊙ rₜ)"
    )


def test_the_backward_equations_of_a_layer_norm() -> None:
    assert printed(layer_norm(), ["h"], [Symbol("gain"), Symbol("s"), H_OLD.value]) == (
        "δz_hₜ = δhₜ ⊙ (1 − hₜ²)\n"
        "δvₜ = [δz_hₜ ⊙ s; δz_hₜ]\n"
        "δuₜ = δvₜ ⊙ gain\n"
        "δz_vₜ = (δuₜ − mean(δuₜ) − mean(δuₜ ⊙ uₜ) ⊙ uₜ) / deviation(z_vₜ, 1e-05)\n"
        "δgain += δvₜ ⊙ uₜ\n"
        "δs += Σ(δz_hₜ ⊙ vₜ[1:4])\n"
        "δhₜ₋₁ = W_2ᵀ δz_vₜ[5:8]"
    )


def named(name: str, time: int | None = 0, shape: tuple[int, int] = (H, 1)) -> Term:
    return t.name(Symbol(name, time), shape)


def backward_of(lines: Sequence[Line], outputs: Sequence[Term], wanted: Sequence[Term]) -> list[str]:
    found = differentiate(lines, [term.value for term in outputs], [term.value for term in wanted])
    return [plain_line(one) for one in found]


def test_a_long_gradient_that_several_parts_receive_gets_a_name() -> None:
    y, a, b, c = map(named, "yabc")
    term = t.function("tanh", t.mul(t.function("sin", t.mul(a, b)), c))

    found = backward_of([line(y, term)], [y], [a, b])

    assert found == [
        "e_yₜ = δyₜ ⊙ cₜ ⊙ cos(aₜ ⊙ bₜ) ⊙ (1 − yₜ²)",
        "δaₜ = e_yₜ ⊙ bₜ",
        "δbₜ = e_yₜ ⊙ aₜ",
    ]


def test_a_gradient_that_only_one_part_receives_stays_in_its_line() -> None:
    y, a, b = map(named, "yab")
    product = t.mul(b, t.indicator(t.compare(">", a, t.ZERO)))

    found = backward_of([line(y, t.function("tanh", t.function("sin", product)))], [y], [a, b])

    assert found == ["δaₜ = 𝟎[4×1]", "δbₜ = δyₜ ⊙ cos(bₜ ⊙ [aₜ > 0]) ⊙ [aₜ > 0] ⊙ (1 − yₜ²)"]


def test_its_letter_is_one_that_no_name_begins_with() -> None:
    y, a, b, e = named("y"), named("a"), named("q_b"), named("e")
    term = t.function("tanh", t.mul(t.function("sin", t.mul(a, b)), e))

    found = backward_of([line(y, term)], [y], [a, b])

    assert [one.split(" = ")[0] for one in found] == ["u_yₜ", "δaₜ", "δq_bₜ"]


def test_two_of_them_in_one_line_have_different_names() -> None:
    y, a, b = map(named, "yab")
    inner = t.function("sin", t.mul(a, b))
    outer = t.function("cos", t.mul(b, a, a))
    term = t.function("tanh", t.add(t.mul(inner, t.function("exp", a)), t.mul(outer, t.function("exp", b))))

    found = backward_of([line(y, term)], [y], [a, b])

    targets = [one.split(" = ")[0] for one in found]
    assert len(set(targets)) == len(targets)
    assert {"e_yₜ", "e_y′ₜ"} <= set(targets)


def test_one_number_for_all_entries_is_named_before_it_is_stretched() -> None:
    y, a = named("y", shape=(1, 1)), named("a")
    squares = t.function("sum", t.add(t.power(a, 2), t.function("sin", a)), shape=(1, 1))

    found = backward_of([line(y, t.div(t.ONE, squares))], [y], [a])

    assert found == ["e_yₜ = δyₜ ⊙ yₜ / Σ(aₜ² + sin(aₜ))", "δaₜ = −e_yₜ ⊙ (2 · aₜ + cos(aₜ))"]


def test_a_value_that_a_line_names_is_not_written_out_again() -> None:
    y, v, a, b = map(named, "yvab")
    lines = [line(v, t.function("tanh", a)), line(y, t.mul(t.function("tanh", a), b))]

    assert backward_of(lines, [y], [a]) == ["δvₜ = δyₜ ⊙ bₜ", "δaₜ = δvₜ ⊙ (1 − vₜ²)"]


def test_what_leaves_the_step_is_only_added_to() -> None:
    y, v, a = map(named, "yva")
    lines = [line(v, t.function("exp", a)), line(y, t.mul(v, v))]

    assert backward_of(lines, [y, v], [a]) == ["δvₜ += 2 · δyₜ ⊙ vₜ", "δaₜ = δvₜ ⊙ vₜ"]


def test_values_on_which_nothing_wanted_depends_have_no_line() -> None:
    y, v, a, b = map(named, "yvab")
    lines = [line(v, t.function("exp", b)), line(y, t.mul(v, a))]

    assert backward_of(lines, [y], [a]) == ["δaₜ = δyₜ ⊙ vₜ"]


def test_inputs_without_influence_have_a_line_of_zeros_and_weights_have_none() -> None:
    y, a, b, w = named("y"), named("a"), named("b"), named("w", None)
    unknown = Symbol("k", -1)
    lines = [line(y, t.mul(a, t.function("stop", b), t.function("floor", w)))]

    found = differentiate(lines, [y.value], [b.value, w.value, unknown, Symbol("x", 0)], {Symbol("x", 0): (2, 1)})

    assert [plain_line(one) for one in found] == ["δbₜ = 𝟎[4×1]", "δkₜ₋₁ = 0", "δxₜ = 𝟎[2×1]"]


def test_each_backward_line_keeps_the_place_of_its_forward_line() -> None:
    place = "cell.py:3: h = tanh(a)"
    y, a = named("y"), named("a")
    v = Line(Symbol("v", 0), t.function("tanh", a), place)

    found = differentiate([v, line(y, t.mul(named("v"), named("v")))], [y.value], [a.value])

    assert found[0].place == place


def test_versions_of_one_name_have_gradients_of_their_own() -> None:
    first = t.name(Symbol("h", 0, 1), (H, 1))
    lines = [line(first, t.function("tanh", H_OLD)), line(H_T, t.mul(first, H_OLD))]

    assert backward_of(lines, [H_T], [H_OLD]) == [
        "δh⁽¹⁾ₜ = δhₜ ⊙ hₜ₋₁",
        "δhₜ₋₁ = δhₜ ⊙ h⁽¹⁾ₜ + δh⁽¹⁾ₜ ⊙ (1 − h⁽¹⁾ₜ²)",
    ]
