"""Where the parts of a step run: with the weights, before the loop, inside, after it; and what backward has saved."""

from __future__ import annotations

import pytest
import torch

from recurra.cells import ElmanCell, GRUCell, LSTMCell
from recurra.loop.fission import slot_of, strip_views, width
from recurra.loop.graph import PRODUCTS
from tests.support.split_cells import CELLS, IN, Cell, H, fission_of, reset_before


def work_of(section):
    """Return the nodes that a section computes."""
    found, waiting = {}, list(section.targets.values())
    while waiting:
        node = waiting.pop()
        if node.is_row and node not in found and node not in section.inputs:
            found[node] = None
            waiting += node.operands()
    return list(found)


def products_in(section):
    """Return the sizes (inner, columns) of a section's products."""
    nodes = [node for node in work_of(section) if node.op in PRODUCTS]
    return sorted((node.operands()[-2].row_shape[-1], node.row_shape[-1]) for node in nodes)


def places(fission):
    """Return the products of each section that is not empty."""
    sections = [*fission.forward_sections(), *fission.backward_sections()]
    return {section.name: products_in(section) for section in sections if section.targets}


# --- the cells that all know


def test_of_an_lstm_only_the_recurrent_product_is_inside():
    fission = fission_of(LSTMCell(IN, H), num_states=2)

    assert places(fission) == {
        "before": [(IN, 4 * H)],
        "forward": [(H, 4 * H)],
        "backward": [(4 * H, H)],
        "gradient after": [(4 * H, IN)],
    }


def test_inside_an_lstm_the_rest_is_pointwise():
    fission = fission_of(LSTMCell(IN, H), num_states=2)

    inside = {node.op for node in work_of(fission.forward)}
    assert inside == {"addmm", "slice", "add", "mul", "sigmoid", "tanh"}
    assert set(fission.forward.targets) >= {"new:0", "new:1"}
    assert fission.before.inputs == {fission.graph.x[0]: "x:0"}
    assert {"state:0", "state:1"} < set(fission.forward.inputs.values())


def test_of_an_lstm_exactly_the_gates_and_states_are_saved():
    fission = fission_of(LSTMCell(IN, H), num_states=2)
    saved = {slot: node for slot, node in fission.forward.targets.items() if slot.startswith("value:")}

    assert sorted(node.op for node in saved.values()) == ["sigmoid", "sigmoid", "sigmoid", "tanh"]
    assert [width(node) for node in saved.values()] == [H] * 4
    assert all(slot == slot_of(node) for slot, node in saved.items())
    assert fission.kept == {*saved, "state:0", "state:1", "new:1", "x:0"}


def test_weight_gradients_of_an_lstm_are_sums_over_what_lies_in_memory():
    fission = fission_of(LSTMCell(IN, H), num_states=2)

    read = {slot for section in fission.backward_sections() for slot in section.targets}
    sums = fission.sequences.values()
    assert {"x:0", "state:0"} < set(sums)
    assert len(sums) == 3
    # the third are the gradients of all gates, side by side
    assert [width(node) for node, slot in fission.sequences.items() if slot in read] == [4 * H]
    assert set(fission.graph.d_weights) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
    assert fission.sums == list(fission.graph.d_weights.values())


def test_an_input_that_wants_no_gradient_has_no_product_for_it():
    fission = fission_of(LSTMCell(IN, H), num_states=2, wants_x=(False,))

    assert places(fission).keys() == {"before", "forward", "backward"}


def test_without_derivative_nothing_is_saved():
    fission = fission_of(LSTMCell(IN, H), num_states=2, derivative=False)

    assert places(fission) == {"before": [(IN, 4 * H)], "forward": [(H, 4 * H)]}
    assert set(fission.forward.targets) == {"new:0", "new:1"}
    assert fission.kept == frozenset()
    assert fission.sequences == {}
    assert fission.sums == []


@pytest.mark.parametrize(("kind", "gates"), [(ElmanCell, 1), (GRUCell, 3)])
def test_other_cells_have_the_same_places(kind, gates):
    assert places(fission_of(kind(IN, H))) == {
        "before": [(IN, gates * H)],
        "forward": [(H, gates * H)],
        "backward": [(gates * H, H)],
        "gradient after": [(gates * H, IN)],
    }


# --- the cells that people write


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["x first", "h first"])
def test_a_product_over_input_and_state_is_cut_in_two(order, with_bias):
    def compute(cell, x, h):
        joined = torch.cat([(x, h)[k] for k in order], 1)
        return torch.tanh(joined @ cell.both + (cell.bias if with_bias else 0.0))

    assert places(fission_of(Cell(compute))) == {
        "before": [(IN, H)],
        "forward": [(H, H)],
        "backward": [(H, H)],
        "gradient after": [(H, IN)],
    }


def test_a_linear_layer_over_input_and_state_adds_its_bias_once():
    fission = fission_of(Cell(lambda cell, x, h: torch.tanh(torch.addmm(cell.bias, torch.cat((x, h), 1), cell.both))))
    nodes = work_of(fission.before) + work_of(fission.forward)

    assert sorted(node.op for node in nodes if node.op in PRODUCTS) == ["addmm", "mm"]


def test_a_gru_whose_reset_is_before_the_product_has_two_products_inside():
    assert places(fission_of(Cell(reset_before))) == {
        "before": [(IN, H), (IN, H)],
        "forward": [(H, H), (H, H)],
        "backward": [(H, H), (H, H)],
        "gradient after": [(H, IN), (H, IN)],
    }


def test_a_cell_without_a_recurrent_product_has_none_inside():
    fission = fission_of(Cell(lambda cell, x, h: 0.9 * h + torch.tanh(x @ cell.u)))
    found = places(fission)

    assert found["forward"] == found["backward"] == []
    assert found["before"] == [(IN, H)]
    assert found["gradient after"] == [(H, IN)]


def test_what_does_not_depend_on_the_state_runs_before_though_it_looks_so():
    cell = Cell(lambda cell, x, h: 0.5 * h + torch.sigmoid((x @ cell.u + torch.ones_like(h)) @ cell.w))
    fission = fission_of(cell, derivative=False)

    assert places(fission)["before"] == [(IN, H), (H, H)]
    assert [node.op for node in fission.before.targets.values()] == ["sigmoid"]


def test_weights_alone_are_left_to_torch():
    fission = fission_of(Cell(lambda cell, x, h: torch.tanh(x @ cell.u + h @ (cell.w @ cell.w.t()))))

    assert places(fission)["forward"] == [(H, H)]
    assert all(node.is_row for section in fission.forward_sections() for node in work_of(section))


def test_an_output_with_a_product_of_its_own_runs_after_the_loop():
    def compute(cell, x, h):
        new = torch.tanh(x @ cell.u + h @ cell.w)
        return new @ cell.both.t(), new

    fission = fission_of(Cell(compute, returns_output=True))

    assert places(fission) == {
        "before": [(IN, H)],
        "forward": [(H, H)],
        "after": [(H, IN + H)],
        "gradient before": [(IN + H, H)],
        "backward": [(H, H)],
        "gradient after": [(H, IN)],
    }
    assert set(fission.after.targets) == {"output"}
    assert set(fission.after.inputs.values()) == {"new:0"}
    assert "output" not in fission.forward.targets


def test_an_output_without_a_product_is_computed_with_the_state():
    def compute(cell, x, h):
        new = torch.tanh(x @ cell.u + h @ cell.w)
        return new * new + h, new

    fission = fission_of(Cell(compute, returns_output=True))

    assert set(fission.forward.targets) >= {"new:0", "output"}
    assert fission.after.targets == {}


def test_an_output_that_is_a_state_needs_no_memory_of_its_own():
    fission = fission_of(LSTMCell(IN, H), num_states=2)

    assert fission.graph.output is fission.graph.new_state[0]
    assert not any("output" in section.targets for section in fission.forward_sections())


def test_a_sum_of_two_products_is_saved_and_not_its_parts():
    fission = fission_of(Cell(lambda cell, x, h: torch.nn.functional.silu(x @ cell.u + h @ cell.w) + 0.5 * h))
    saved = {node.op for section in fission.forward_sections() for node in section.targets.values()}
    slots = {slot for section in fission.forward_sections() for slot in section.targets} & fission.kept

    assert "add" in saved
    assert not any("mm" in slot for slot in slots)


def test_random_values_are_drawn_for_all_steps_and_kept():
    fission = fission_of(Cell(lambda cell, x, h: torch.tanh(x @ cell.u + (h * torch.rand_like(h)) @ cell.w)))

    assert [node.args[0] for node in fission.draws] == ["uniform"]
    assert slot_of(fission.draws[0]) in fission.forward.inputs.values()
    assert slot_of(fission.draws[0]) in fission.kept


# --- what holds for any


@pytest.mark.parametrize("name", CELLS)
def test_every_product_of_the_step_is_computed_once_forward_and_once_for_each_gradient(name):
    cell, num_states = CELLS[name]
    fission = fission_of(cell, num_states=num_states)
    computed = [n for s in (*fission.forward_sections(), *fission.backward_sections()) for n in work_of(s)]
    products = [node for node in computed if node.op in PRODUCTS]

    assert len(products) == len(set(products))
    assert set(products) == {node for node in fission.graph.nodes if node.op in PRODUCTS and node.is_row}


@pytest.mark.parametrize("name", CELLS)
def test_every_section_reads_only_what_an_earlier_one_or_the_call_provides(name):
    cell, num_states = CELLS[name]
    fission = fission_of(cell, num_states=num_states)
    given = {"x:0", *(f"state:{k}" for k in range(num_states))}

    for section in (*fission.forward_sections(), *fission.backward_sections()):
        if section is fission.d_before:
            # once the forward pass is over, only what is kept is there
            given = (given & fission.kept) | {"d_output"}
        carried = {f"d_new:{k}" for k in range(num_states)} if section is fission.backward else set()
        assert set(section.inputs.values()) <= given | carried
        given |= set(section.targets)


def test_the_pieces_of_views_are_told_from_what_they_view():
    fission = fission_of(GRUCell(IN, H))
    views = [node for node in fission.graph.nodes if node.op == "slice"]

    assert {strip_views(node).op for node in views} <= {"addmm", "mm", "cat"}
    assert strip_views(fission.graph.x[0]) is fission.graph.x[0]
