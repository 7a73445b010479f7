"""The parameters of every registered cell: number, first values, saving and copying."""

import copy
import importlib.resources
import io
import math

import pytest
import torch

from recurra.cells import Cell, cell_names, find_cell
from recurra.cells.torch_cell import TorchCell
from tests.oracles.catalogue import COUNTS
from tests.support.conformance import BATCH, HIDDEN, INPUT, D, build, in_form, random_input, random_state, tensors

STARTS_ELSEWHERE = {"unitary": "its first state is learned, as in the source"}
"""Cells that do not start from zeros, and why."""

OUTSIDE_OF_THE_LOOP = {
    "jordan": {"weight_hy"},  # reads the hidden layer
    "lru": {"weight_hy"},  # feeds the output only
    "projected-lstm": {"weight_hr"},  # reads what the gates leave of c
    "qrnn": {"weight_ih"},  # reads the inputs that the state p holds
    "qrnn-f": {"weight_ih"},
    "qrnn-ifo": {"weight_ih"},
    "scrn": {"weight_sh"},  # the slow units feed the fast ones, and see none of them
}
"""Matrices that act without an input, and are not recurrent."""

GATED_BY_THE_INPUT = ("multiplicative-lstm", "multiplicative-lstm-inside")
"""Cells whose state does not act without an input."""

every_cell = pytest.mark.parametrize("name", cell_names())
torchs_cells = pytest.mark.parametrize("name", [n for n in cell_names() if issubclass(find_cell(n), TorchCell)])


def fresh(name, **options):
    torch.manual_seed(7)
    return find_cell(name)(INPUT, HIDDEN, dtype=D, **options)


def blocks_of(cell, name):
    """The row blocks of a parameter, by gate."""
    gates = cell.row_names(name)
    tensor = getattr(cell, name).detach()
    sizes = [cell.gate_size(gate) for gate in gates] if len(gates) > 1 else [len(tensor)]
    return dict(zip(gates, tensor.split(sizes), strict=True))


def total_biases(cell):
    """What the biases of each gate add up to."""
    total: dict[str, torch.Tensor] = {}
    for key, _ in cell.named_parameters():
        if key.startswith("bias"):
            for gate, block in blocks_of(cell, key).items():
                total[gate] = total.get(gate, torch.zeros_like(block)) + block
    return total


def own_starts(cell):
    return {key.split(".")[0] for key in cell.starts()}


@every_cell
def test_number_of_parameters_follows_the_formula(name):
    count = sum(p.numel() for p in fresh(name).parameters())

    assert count == COUNTS[name](INPUT, HIDDEN)


@every_cell
def test_without_bias_no_bias_is_a_parameter(name):
    cell = fresh(name, bias=False)

    assert cell.bias_ih is None
    assert cell.bias_hh is None
    assert not [key for key in cell.state_dict() if "bias" in key]


@every_cell
@pytest.mark.parametrize("init", ["published", "torch", "orthogonal", "xavier_normal"])
def test_every_number_of_every_parameter_has_a_first_value(name, init):
    cell = fresh(name, init=init)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.fill_(math.nan)

    cell.reset_parameters()

    for key, parameter in cell.named_parameters():
        assert parameter.isfinite().all(), key


@every_cell
def test_initial_state_is_zero_in_the_type_of_the_parameters(name):
    cell = fresh(name)

    state = tensors(cell.initial_state(BATCH))

    assert [tuple(s.shape) for s in state] == [(BATCH, width) for width in cell.state_size]
    assert len(state) == len(cell.states)
    assert all(s.dtype == D for s in state)
    assert (name in STARTS_ELSEWHERE) == any(bool(s.any()) for s in state)
    assert cell.returns_output or cell.output_size == cell.state_size[0]


@every_cell
def test_saving_and_loading_gives_the_same_bytes(name):
    cell, other = build(name), find_cell(name)(INPUT, HIDDEN, dtype=D)
    file = io.BytesIO()

    torch.save(cell.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))

    for key, value in cell.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)
    x = random_input()[0]
    torch.testing.assert_close(other(x), cell(x), rtol=0, atol=0)


@every_cell
def test_deep_copy_is_independent(name):
    cell = fresh(name)
    twin = copy.deepcopy(cell)

    with torch.no_grad():
        twin.weight_ih.zero_()

    assert cell.weight_ih.any()
    assert repr(twin) == repr(cell)


@every_cell
def test_source_is_in_the_references(name):
    text = importlib.resources.files("recurra").joinpath("references.bib").read_text("utf-8")

    assert f"{{{find_cell(name).source}," in text


@every_cell
def test_torch_initialisation_draws_every_weight_within_its_bound(name):
    torch.manual_seed(0)
    cell = find_cell(name)(40, 60, init="torch")

    bound = 1 / math.sqrt(60)
    for key, parameter in cell.named_parameters():
        if key not in own_starts(cell):
            assert parameter.abs().max() <= bound, key
            assert parameter.abs().max() > 0.8 * bound, key
            assert abs(parameter.mean()) < 0.35 * bound, key


@every_cell
@pytest.mark.parametrize("init", ["orthogonal", "published"])
def test_orthogonal_initialisation_makes_every_recurrent_block_orthogonal(name, init):
    cell = fresh(name, init=init)
    said = {key.split(".")[0] for key in cell.published()} if init == "published" else set()

    for key in cell.recurrent_weights:
        assert key not in own_starts(cell)
        blocks = {} if key in said else blocks_of(cell, key)
        for block in blocks.values():
            rows, columns = block.shape
            square = block.T @ block if rows >= columns else block @ block.T
            torch.testing.assert_close(square, torch.eye(min(rows, columns), dtype=D))


@every_cell
def test_a_matrix_that_acts_on_a_state_is_declared_as_a_recurrent_weight(name):
    cell = build(name)
    with torch.no_grad():
        for key, parameter in cell.named_parameters():
            if key.startswith("bias"):
                parameter.zero_()
    # all blocks of a clock fire at its step 0
    drawn = zip(cell.states, tensors(random_state(cell)), strict=True)
    state = in_form(cell, tuple(torch.zeros_like(s) if key == "t" else s for key, s in drawn))

    result = cell(torch.full((BATCH, INPUT), float(name in GATED_BY_THE_INPUT), dtype=D), state)
    found = (result[0], *tensors(result[1])) if cell.returns_output else tensors(result)
    sum(tensor.sin().sum() for tensor in found).backward()

    acting = {key for key, p in cell.named_parameters() if p.dim() == 2 and p.grad is not None and p.grad.any()}
    if name in GATED_BY_THE_INPUT:
        acting.remove("weight_ih")
    assert acting - OUTSIDE_OF_THE_LOOP.get(name, set()) == set(cell.recurrent_weights)


@every_cell
@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_a_gate_bias_that_is_asked_for_is_what_its_biases_add_up_to(name, init):
    for gate in total_biases(fresh(name)):
        total = total_biases(fresh(name, init=init, gate_biases={gate: 2.5}))

        assert torch.equal(total[gate], torch.full_like(total[gate], 2.5)), gate


@every_cell
def test_orthogonal_initialisation_keeps_every_input_block_within_xavier_bounds(name):
    torch.manual_seed(0)
    cell = find_cell(name)(30, 50, init="orthogonal")

    for block in blocks_of(cell, "weight_ih").values():
        bound = math.sqrt(6 / sum(block.shape))
        assert 0.95 * bound < block.abs().max() <= bound


@every_cell
def test_gate_biases_are_added_once(name):
    cell = fresh(name, init="orthogonal")

    total = total_biases(cell)

    assert set(cell.gate_biases) <= set(total)
    for gate, bias in total.items():
        assert torch.equal(bias, torch.full_like(bias, cell.gate_biases.get(gate, 0.0))), gate


@every_cell
def test_a_callable_initialisation_sees_each_block_of_the_products_once(name):
    seen = []

    def fill(block):
        seen.append(tuple(block.shape))
        block.fill_(len(seen))

    cell = fresh(name, init=fill)

    drawn = [key for key, p in cell.named_parameters() if p.dim() >= 2 and key not in own_starts(cell)]
    blocks = [block for key in cell.weight_shapes() if key in drawn for block in blocks_of(cell, key).values()]
    assert seen == [tuple(block.shape) for block in blocks]
    assert [block.unique().tolist() for block in blocks] == [[float(k + 1)] for k in range(len(blocks))]


@torchs_cells
def test_a_bound_view_holds_the_same_parameters(name):
    cell = fresh(name)

    view = type(cell).from_weights(**dict(cell.named_parameters()))

    assert isinstance(view, Cell)
    assert [id(p) for p in view.parameters()] == [id(p) for p in cell.parameters()]
    assert (view.input_size, view.hidden_size, view.state_size) == (INPUT, HIDDEN, cell.state_size)
    x = random_input()[0]
    torch.testing.assert_close(view(x), cell(x), rtol=0, atol=0)


@every_cell
def test_reset_parameters_draws_again(name):
    cell = fresh(name)
    before = {key: p.detach().clone() for key, p in cell.named_parameters()}
    torch.manual_seed(7)
    cell.reset_parameters()

    assert all(torch.equal(p, before[key]) for key, p in cell.named_parameters())
    cell.reset_parameters()
    assert not torch.equal(cell.weight_ih, before["weight_ih"])
