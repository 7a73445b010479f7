"""What is said to run before, inside and after the loop."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from recurra.cells import cell_names, find_cell
from recurra.errors import UnsupportedCellError
from recurra.inspection.anatomy.counting import count_elementwise, count_products
from recurra.inspection.anatomy.known_step import know_step
from recurra.inspection.anatomy.places import Draft, Place, draft_places, write_places
from recurra.inspection.anatomy.tracing import trace
from recurra.inspection.equations.inlining import inline_products
from recurra.inspection.equations.plain import plain_line, plain_symbol
from recurra.inspection.equations.record_step import record_step

AT_ONCE = "backward, after the loop, for all steps at once"
FROM_THE_LAST = "backward, inside the loop, step by step from the last"


def shown(cell, d):
    """Return a cell's equations as they are printed."""
    step = record_step(cell, torch.zeros(2, d))
    return replace(step, lines=inline_products(step.lines, frozenset([*step.leaving, step.output])))


def works_of(cell, d, step):
    drafts = draft_places(trace(cell, d), know_step(cell, d, step))
    return {
        place.title.partition(",")[0] if not place.is_backward else place.title: place.works
        for place in write_places(drafts, (d, 8), [], ())
    }


def places_of(name, d=5, n=8, **options):
    cell = find_cell(name)(d, n, init="torch", **options)
    return works_of(cell, d, shown(cell, d))


def test_a_gru_runs_as_by_hand():
    found = places_of("gru")

    assert found["before the loop"] == (
        "[W_xr; W_xz; W_xn] xₜ + [b_xr; b_xz; b_xn]: one product (T·B, 5) × (5, 24)",
        "element by element (24 operations a row): the biases",
    )
    # biases 3, two sums and two squashings, r hn + xn and tanh, 1 - z and what follows 4, of 8 units each
    assert found["inside the loop"] == (
        "[W_hr; W_hz; W_hn] hₜ₋₁ + [b_hr; b_hz; b_hn]: one product (B, 8) × (8, 24)",
        f"element by element ({(3 + 4 + 3 + 4) * 8} operations a row): rₜ, zₜ, nₜ, hₜ",
    )
    assert found["after the loop"] == ()
    assert found["backward, inside the loop, step by step from the last"][0] == (
        "back through [W_hr; W_hz; W_hn] to hₜ₋₁: one product (B, 24) × (24, 8)"
    )
    assert found["backward, after the loop, for all steps at once"] == (
        "back through [W_xr; W_xz; W_xn] to xₜ: one product (T·B, 24) × (24, 5)",
        "gradient of [W_xr; W_xz; W_xn]: one product (24, T·B) × (T·B, 5)",
        "gradient of [W_hr; W_hz; W_hn]: one product (24, T·B) × (T·B, 8)",
        "gradient of [b_xr; b_xz; b_xn], [b_hr; b_hz; b_hn]: summed over all steps and rows",
    )


def test_products_of_the_state_with_something_are_told():
    found = places_of("gru-reset-before")

    assert "W_hn (rₜ ⊙ hₜ₋₁): one product (B, 8) × (8, 8)" in found["inside the loop"]
    assert (
        "back through W_hn to (rₜ ⊙ hₜ₋₁): one product (B, 8) × (8, 8)"
        in found["backward, inside the loop, step by step from the last"]
    )


def test_what_depends_on_no_state_runs_before_the_loop_and_what_no_state_needs_after_it():
    assert "element by element (40 operations a row): zₜ" in places_of("mut1")["before the loop"]
    after = places_of("lru")["after the loop"]
    assert [work.partition(": one")[0] for work in after[:2]] == ["W_hy[:, 1:8] reₜ", "W_hy[:, 9:16] imₜ"]


def test_what_is_made_of_weights_is_made_once():
    found = places_of("antisymmetric")

    assert found["once"] == ("what is made of W_hn",)
    assert found["inside the loop"][0] == "(W_hn − W_hnᵀ) hₜ₋₁: one product (B, 8) × (8, 8)"
    assert places_of("clockwork")["inside the loop"][0].startswith("(made of W_hh_1, W_hh_2, W_hh_3, W_hh_4) hₜ₋₁: ")


def test_weights_of_one_sum_stand_together_and_long_lists_are_cut():
    assert (
        "gradient of W_hh_1, W_hh_2, W_hh_3, W_hh_4: one product (8, T·B) × (T·B, 8)" in places_of("clockwork")[AT_ONCE]
    )
    assert "gradient of [W_hn1; …; W_ht3]: 3 products (16, T·B) × (T·B, 8)" in places_of("rhn")[AT_ONCE]


def test_a_name_that_is_given_anew_has_the_number_that_it_has_in_the_equations():
    works = places_of("rhn")["inside the loop"]

    assert "[W_hn2; W_ht2] h⁽¹⁾ₜ + [b_n2; b_t2]: one product (B, 8) × (8, 16)" in works


def test_earlier_inputs_go_by_the_name_of_the_window():
    assert (
        "[W_xz; W_xf; W_xo] wₜ + [b_z; b_f; b_o]: one product (T·B, 15) × (15, 24)"
        in (places_of("qrnn", window=3)["before the loop"])
    )


class OneMatrixBothWays(torch.nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.W = torch.nn.Parameter(torch.randn(hidden_size, input_size))
        self.U = torch.nn.Parameter(torch.randn(hidden_size, hidden_size))

    def forward(self, x, h):
        z = torch.sigmoid(x @ self.W.t())
        return torch.tanh(h @ self.U + (z * h) @ self.U.t())

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)


def test_a_transposed_weight_has_its_sign_forward_and_back():
    cell = OneMatrixBothWays(5, 8)
    step = shown(cell, 5)

    found = works_of(cell, 5, step)

    assert "hₜ = tanh(Uᵀ hₜ₋₁ + U (zₜ ⊙ hₜ₋₁))" in map(plain_line, step.lines)
    assert [work.partition(":")[0] for work in found["inside the loop"][:2]] == ["Uᵀ hₜ₋₁", "U (zₜ ⊙ hₜ₋₁)"]
    assert [work.partition(":")[0] for work in found[FROM_THE_LAST][:2]] == [
        "back through U to (zₜ ⊙ hₜ₋₁)",
        "back through Uᵀ to hₜ₋₁",
    ]


@pytest.mark.parametrize("name", ["elman", "mut1", "mut3", "lem", "scrn", "multiplicative-lstm", "projected-lstm"])
def test_products_stand_in_the_equations_as_they_are_named(name):
    cell = find_cell(name)(5, 8, init="torch")
    step = shown(cell, 5)
    equations = "\n".join(map(plain_line, step.lines))

    works = [work for place, works in works_of(cell, 5, step).items() if "backward" not in place for work in works]

    products = [work.partition(":")[0].partition(" + ")[0] for work in works if "one product" in work]
    assert products
    for product in products:
        matrices, _, factor = re.fullmatch(r"(\[.*?\]|\S+)( )(.*)", product).groups()
        assert all(f"{matrix} {factor}" in equations for matrix in matrices.strip("[]").split("; "))


def names_in(work):
    """Return the names in a line of a place; words, signs and sizes left out."""
    said = re.sub(r": one product .*|: \d+ products .*|: summed over .*", "", work)
    said = re.sub(
        r"^(gradient of|back through|what is made of|element by element( \(\d+ operations a row\):?)?)", "", said
    )
    said = re.sub(r"the biases|the derivatives of those above|\(made of | to |random numbers.*", " ", said)
    return set(re.findall(r"[^\W\d_][\w.]*′*(?:⁽[^⁾]+⁾)?[ₜ₋₊₀-₉]*", said)) - {"tanh", "σ", "relu", "exp"}


@pytest.mark.parametrize("name", cell_names())
def test_every_name_in_a_place_is_one_of_the_equations(name):
    cell = find_cell(name)(5, 8, init="torch")
    step = shown(cell, 5)
    lines = {symbol for line in step.lines for symbol in (line.target, *line.term.symbols())}
    known = {plain_symbol(symbol) for symbol in (*lines, *step.inputs, *step.entering, *step.leaving, *step.weights)}

    found = set().union(*(names_in(work) for works in works_of(cell, 5, step).values() for work in works))

    gates = {symbol for symbol in lines if symbol.name in set(cell.gates) - set(cell.candidates) and symbol.time == 0}
    # \w has superscripts in it
    assert {one.rstrip("ᵀ") for one in found} <= known
    assert set(map(plain_symbol, gates)) <= found


def test_sizes_are_formulas_where_places_at_other_sizes_are_alike():
    def draft(d, n):
        return [Draft("here", (("W: (", d, ", ", 4 * n, ")"), ("alone",)))]

    sizes = [(2, 3), (3, 5), (4, 4), (7, 9)]
    others = [draft(d, n) for d, n in sizes]

    assert write_places(draft(1, 1), (1, 1), others, sizes, degree=1) == (Place("here", ("W: (d, 4n)", "alone")),)
    others[1] = [Draft("here", (("W: (", 3, ")"), ("alone",)))]
    assert write_places(draft(1, 2), (1, 2), others, sizes, degree=1) == (Place("here", ("W: (1, 8)", "alone")),)


@pytest.mark.parametrize("name", ["elman", "lstm", "mut2", "projected-lstm", "layer-norm-gru", "lru", "rhn"])
def test_the_products_of_all_places_are_those_that_torch_counts(name):
    d, n = 5, 8
    cell = find_cell(name)(d, n, init="torch")
    drafts = draft_places(trace(cell, d))
    forward = sum(_operations(words) for draft in drafts if not draft.is_backward for words in draft.works)
    backward = sum(_operations(words) for draft in drafts if draft.is_backward for words in draft.works)

    assert forward == count_products(cell, d)
    # what torch multiplies in a step whose inputs and states all want gradients, for one row more
    assert backward == _backward_of_torch(cell, d, 4) - _backward_of_torch(cell, d, 3)


def _operations(words):
    """Operations for one row and step of a line that tells a product."""
    text = "".join(map(str, words))
    if "product" not in text:
        return 0
    numbers = [word for word in words if not isinstance(word, str)]
    if text.startswith("gradient"):
        count = int(text.partition(" product")[0].rsplit(" ", 1)[-1].replace("one", "1"))
        return 2 * count * numbers[0] * numbers[1]
    _, inner, columns = numbers
    return 2 * inner * columns


def _backward_of_torch(cell, d, rows):
    x = torch.zeros(rows, d, requires_grad=True)
    state = cell.initial_state(rows)
    states = [s.requires_grad_() for s in (state if isinstance(state, tuple) else (state,))]
    result = cell(x, tuple(states) if isinstance(state, tuple) else states[0])
    output, after = result if cell.returns_output else (result, result)
    tensors = [t for part in (output, after) for t in (part if isinstance(part, tuple) else (part,))]
    total = sum(t.sum() for t in tensors if t.requires_grad)
    with FlopCounterMode(display=False) as counter:
        total.backward()
    return counter.get_total_flops()


def test_elementwise_work_is_counted_as_by_hand():
    cell = find_cell("elman")(5, 8)

    # two biases, their sum, tanh
    assert count_elementwise(trace(cell, 5)) == 4 * 8


def test_sums_along_a_row_count_once_for_each_number():
    class Averaging(torch.nn.Module):
        def forward(self, x, state=None):
            h = x.new_zeros(x.shape) if state is None else state
            return h + x.sum(-1, keepdim=True)

    assert count_elementwise(trace(Averaging(), 6)) == 6 + 6


def test_a_cell_with_hooks_or_of_another_type_is_refused_as_the_engine_does():
    hooked = find_cell("elman")(5, 8)
    hooked.register_forward_hook(lambda *_: None)

    with pytest.raises(UnsupportedCellError, match="engine 'native' cannot run ElmanCell: it has hooks"):
        trace(hooked, 5)
    with pytest.raises(
        UnsupportedCellError, match=r"its tensors are torch\.bfloat16, and compiled code is for float32"
    ):
        trace(find_cell("elman")(5, 8, dtype=torch.bfloat16), 5)
