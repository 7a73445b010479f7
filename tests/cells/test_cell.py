"""The base class: what it checks, and what it has in common with torch's cells."""

import time

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize

from recurra.cells import Cell, ElmanCell, ElmanReLUCell, GRUCell, LSTMCell, ProjectedLSTMCell, QRNNCell, find_cell
from recurra.errors import ArgumentError, ChoiceError, ShapeError

TWINS = [
    (ElmanCell, torch.nn.RNNCell, {}),
    (ElmanReLUCell, torch.nn.RNNCell, {"nonlinearity": "relu"}),
    (LSTMCell, torch.nn.LSTMCell, {}),
    (GRUCell, torch.nn.GRUCell, {}),
]
twins = pytest.mark.parametrize(("ours", "theirs", "options"), TWINS)


def both(ours, theirs, options, **common):
    torch.manual_seed(3)
    mine = ours(3, 5, **common)
    torch.manual_seed(3)
    return mine, theirs(3, 5, **options, **common)


@twins
@pytest.mark.parametrize("bias", [True, False])
def test_same_seed_gives_torchs_weights(ours, theirs, options, bias):
    mine, other = both(ours, theirs, options, bias=bias)

    assert list(mine.state_dict()) == list(other.state_dict())
    for key, value in other.state_dict().items():
        assert torch.equal(mine.state_dict()[key], value)


@twins
def test_state_dict_loads_both_ways(ours, theirs, options):
    mine, other = ours(3, 5), theirs(3, 5, **options)

    other.load_state_dict(mine.state_dict())
    x = torch.randn(2, 3)
    torch.testing.assert_close(mine(x), other(x))
    fresh = ours(3, 5)
    fresh.load_state_dict(other.state_dict())
    torch.testing.assert_close(fresh(x), mine(x))


@twins
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("with_state", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_step_equals_torchs(ours, theirs, options, bias, batched, with_state, dtype):
    mine, other = both(ours, theirs, options, bias=bias, dtype=dtype)
    lead = (4,) if batched else ()
    x = torch.randn(*lead, 3, dtype=dtype)
    state = tuple(torch.randn(*lead, 5, dtype=dtype) for _ in mine.states)
    given = (state if len(state) > 1 else state[0]) if with_state else None

    torch.testing.assert_close(mine(x, given), other(x, given))


def test_projected_cell_draws_the_weights_of_torchs_layer():
    torch.manual_seed(3)
    mine = ProjectedLSTMCell(3, 5, proj_size=2)
    torch.manual_seed(3)
    layer = torch.nn.LSTM(3, 5, proj_size=2)

    for key, value in layer.state_dict().items():
        assert torch.equal(mine.state_dict()[key.removesuffix("_l0")], value)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
@pytest.mark.parametrize("argument", ["input_size", "hidden_size"])
def test_a_size_below_one_or_of_another_type_is_an_error(argument, size):
    sizes = {"input_size": 3, "hidden_size": 5, argument: size}

    with pytest.raises(
        ArgumentError, match=rf"^GRUCell expected {argument} to be an integer of at least 1, got {size!r}"
    ):
        GRUCell(**sizes)


def test_a_bias_that_is_no_bool_is_an_error():
    with pytest.raises(ArgumentError, match="GRUCell expected bias to be True or False, got 1"):
        GRUCell(3, 5, 1)


@pytest.mark.parametrize(("proj_size", "message"), [(5, "less than hidden_size=5, got 5"), (0, "at least 1, got 0")])
def test_a_projection_that_does_not_narrow_is_an_error(proj_size, message):
    with pytest.raises(ArgumentError, match=f"ProjectedLSTMCell expected proj_size to be .*{message}"):
        ProjectedLSTMCell(3, 5, proj_size=proj_size)


@pytest.mark.parametrize("proj_size", [None, 1])
def test_a_projected_cell_of_one_unit_is_an_error(proj_size):
    message = "ProjectedLSTMCell expected hidden_size to be an integer of at least 2, got 1"
    with pytest.raises(ArgumentError, match=message):
        ProjectedLSTMCell(3, 1, proj_size=proj_size)


def test_a_class_without_gates_is_an_error():
    class Empty(Cell):
        states = ("h",)

    with pytest.raises(ArgumentError, match=r"Empty expected its class to name states and gates, got \('h',\), \(\)"):
        Empty(3, 5)


def test_input_of_another_width_is_an_error_with_a_hint():
    with pytest.raises(ShapeError) as caught:
        GRUCell(16, 4)(torch.zeros(4, 15))

    assert caught.value.message == "GRUCell expected x of shape (batch, input_size=16), got (4, 15)"
    assert caught.value.hint == "build the cell with input_size=15, or project the input first"


@pytest.mark.parametrize(
    ("x", "found"),
    [(None, "NoneType"), (2, "int"), ([torch.zeros(3)], "1 value"), ((), "0 values"), ((None,), "NoneType")],
)
def test_an_input_that_is_no_tensor_is_an_error_without_a_hint(x, found):
    with pytest.raises(ShapeError) as caught:
        GRUCell(3, 4)(x)

    assert caught.value.message == f"GRUCell expected x of shape (batch, input_size=3), got {found}"
    assert caught.value.hint == ""


@pytest.mark.parametrize(
    ("x", "found"), [((), ""), ((torch.zeros(2, 3), 1), "(2, 3), int"), ((None, torch.zeros(2, 3)), "NoneType, (2, 3)")]
)
def test_a_tuple_of_inputs_that_are_no_tensors_is_an_error(x, found):
    with pytest.raises(ShapeError) as caught:
        QRNNCell(3, 5)(x)

    wanted = "QRNNCell expected a step of the inputs x (3), x1 (3) of equal batch, got shapes"
    assert caught.value.message == f"{wanted} [{found}]"


def test_input_of_three_axes_is_an_error_without_a_hint():
    with pytest.raises(
        ShapeError, match=r"GRUCell expected x of shape \(batch, input_size=3\), got \(5, 2, 3\)"
    ) as caught:
        GRUCell(3, 4)(torch.zeros(5, 2, 3))

    assert caught.value.hint == ""


@pytest.mark.parametrize(
    ("cell", "state", "message"),
    [
        (GRUCell, torch.zeros(2, 6), r"GRUCell expected state h of shape \(batch=2, 5\), got \(2, 6\)"),
        (GRUCell, torch.zeros(1, 5), r"GRUCell expected state h of shape \(batch=2, 5\), got \(1, 5\)"),
        (GRUCell, torch.zeros(5), r"GRUCell expected state h of shape \(batch=2, 5\), got \(5,\)"),
        (GRUCell, (torch.zeros(2, 5),), r"GRUCell expected state h of shape \(batch=2, 5\), got 1 value"),
        (LSTMCell, torch.zeros(2, 5), r"LSTMCell expected state to be a tuple \(h, c\), got \(2, 5\)"),
        (LSTMCell, (torch.zeros(2, 5),), r"LSTMCell expected state to be a tuple \(h, c\), got 1 value"),
        (
            LSTMCell,
            (torch.zeros(2, 5), torch.zeros(2, 4)),
            r"LSTMCell expected state c of shape \(batch=2, 5\), got \(2, 4\)",
        ),
        (LSTMCell, (torch.zeros(2, 5), None), r"LSTMCell expected state c of shape \(batch=2, 5\), got NoneType"),
        (
            ProjectedLSTMCell,
            (torch.zeros(2, 5), torch.zeros(2, 5)),
            r"ProjectedLSTMCell expected state h of shape \(batch=2, 2\), got \(2, 5\)",
        ),
    ],
)
def test_a_state_of_another_shape_is_an_error(cell, state, message):
    with pytest.raises(ShapeError, match=message):
        cell(3, 5)(torch.zeros(2, 3), state)


def test_a_batch_of_one_stays_a_batch():
    h, c = LSTMCell(3, 5)(torch.zeros(1, 3))

    assert h.shape == c.shape == (1, 5)


def test_an_empty_batch_gives_an_empty_state():
    assert GRUCell(3, 5)(torch.zeros(0, 3)).shape == (0, 5)


def test_a_negative_batch_size_is_an_error():
    with pytest.raises(ArgumentError, match="GRUCell expected batch_size to be at least 0, got -1"):
        GRUCell(3, 5).initial_state(-1)


def test_a_cell_may_take_a_tuple_as_its_input():
    class Timed(Cell):
        states = ("h",)
        gates = ("h",)

        def forward(self, x, h):
            x, duration = x
            (xh,) = self.from_input(x)
            return torch.tanh(xh) * duration + h

    cell = Timed(3, 5)
    x, duration = torch.randn(2, 3), torch.rand(2, 1)

    both_rows = cell((x, duration))
    torch.testing.assert_close(cell((x[0], duration[0])), both_rows[0])
    with pytest.raises(ShapeError, match=r"Timed expected x of shape \(batch, input_size=3\), got \(2, 4\)"):
        cell((torch.randn(2, 4), duration))


def test_repr_names_what_is_not_at_its_default():
    assert repr(GRUCell(3, 5)) == "GRUCell(3, 5)"
    assert repr(GRUCell(3, 5, bias=False, init="eye")) == "GRUCell(3, 5, bias=False, init='eye')"
    assert repr(ProjectedLSTMCell(3, 5)) == "ProjectedLSTMCell(3, 5, proj_size=2)"


def test_repr_names_biases_that_were_asked_for():
    assert repr(GRUCell(3, 5, gate_biases={"z": 2})) == "GRUCell(3, 5, gate_biases={'z': 2.0})"


@pytest.mark.parametrize("init", ["torch", "orthogonal", "published"])
def test_a_bias_asked_for_starts_there_in_every_initialisation(init):
    cell = LSTMCell(3, 5, init=init, gate_biases={"f": 2.5})

    total = dict(zip(cell.gates, (cell.bias_ih + cell.bias_hh).split(5), strict=True))

    assert (total["f"] == 2.5).all()
    assert not cell.bias_hh.split(5)[1].any()
    assert bool(total["i"].any()) == (init == "torch")


def test_a_bias_for_a_gate_that_has_none_is_an_error():
    with pytest.raises(ChoiceError, match="gate of GRUCell with a bias to be one of r, z, n; got 'f'"):
        GRUCell(3, 5, gate_biases={"f": 1.0})
    with pytest.raises(ArgumentError, match=r"GRUCell expected no gate_biases, as it has no biases, got \{'z': 1.0\}"):
        GRUCell(3, 5, bias=False, gate_biases={"z": 1.0})
    with pytest.raises(ArgumentError, match=r"gate_biases\['z'\] to be a number, got nan"):
        GRUCell(3, 5, gate_biases={"z": float("nan")})
    with pytest.raises(ArgumentError, match="GRUCell expected gate_biases to map gates to numbers, got 3"):
        GRUCell(3, 5, gate_biases=3)


def test_a_part_of_the_gates_is_the_same_part_of_the_product():
    cell, h = LSTMCell(3, 5), torch.randn(2, 5)

    whole = cell.from_state(h)

    for part, wanted in zip(cell.from_state(h, "f", "g"), whole[1:3], strict=True):
        torch.testing.assert_close(part, wanted)


@pytest.mark.parametrize("name", ["antisymmetric", "gated-antisymmetric", "indrnn", "clockwork", "unitary"])
def test_a_product_that_has_no_parts_takes_no_gates(name):
    cell = find_cell(name)(3, 5)

    with pytest.raises(AssertionError, match=r"got \('n',\)"):
        cell.from_state(torch.zeros(2, cell.recurrent_size), "n")


def test_an_undeclared_width_of_a_second_input_is_an_error():
    class Timed(Cell):
        states = ("h",)
        gates = ("h",)
        inputs = ("x", "t")

        @property
        def input_sizes(self):
            return (self.input_size, 1)

        def forward(self, x, h):
            x, t = x
            return torch.tanh(self.from_input(x)[0]) * t

    cell = Timed(3, 5)

    assert cell((torch.ones(2, 3), torch.ones(2, 1))).shape == (2, 5)
    with pytest.raises(ShapeError, match=r"expected a step of the inputs x \(3\), t \(1\) of equal batch, got shapes"):
        cell((torch.ones(2, 3), torch.ones(2, 2)))


def test_a_bound_view_takes_computed_tensors_and_passes_gradients_on():
    cell = GRUCell(3, 5, dtype=torch.float64)
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)

    tensors = {name: p * scale for name, p in cell.named_parameters()}
    view = GRUCell.from_weights(**tensors)
    view(torch.randn(2, 3, dtype=torch.float64)).sum().backward()

    assert not list(view.parameters())
    assert view.weight_hh is tensors["weight_hh"]
    assert scale.grad is not None
    assert cell.weight_ih.grad is not None


def test_a_bound_view_without_biases_has_none():
    cell = LSTMCell(3, 5, bias=False)

    view = LSTMCell.from_weights(weight_ih=cell.weight_ih, weight_hh=cell.weight_hh)

    assert view.bias is False
    assert view.bias_ih is None
    torch.testing.assert_close(view(torch.ones(2, 3)), cell(torch.ones(2, 3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_hh": None}, "GRUCell expected a tensor for weight_hh, got none"),
        ({"bias_hh": None}, "GRUCell expected a tensor for bias_hh, got none"),
        ({"bias_ih": None}, "GRUCell expected a tensor for bias_ih, got none"),
        ({"weight_hh": torch.zeros(15, 4)}, r"GRUCell expected weight_hh of shape \(15, 5\), got \(15, 4\)"),
        ({"weight_ih": torch.zeros(14, 3)}, r"weight_ih of shape \(3 \* hidden_size, input_size\), got \(14, 3\)"),
        ({"weight_hr": torch.zeros(2, 5)}, "GRUCell expected the tensors .*, got weight_hr too"),
    ],
)
def test_a_bound_view_of_tensors_that_do_not_fit_is_an_error(change, message):
    tensors = dict(GRUCell(3, 5).named_parameters()) | change

    with pytest.raises(ShapeError, match=message):
        GRUCell.from_weights(**tensors)


def test_a_bound_projected_view_needs_its_projection():
    tensors = dict(LSTMCell(3, 5).named_parameters())

    with pytest.raises(ShapeError, match="ProjectedLSTMCell expected a tensor for weight_hr, got none"):
        ProjectedLSTMCell.from_weights(**tensors)


def test_a_bound_view_costs_far_less_than_a_step():
    cell = LSTMCell(3, 5)
    tensors = dict(cell.named_parameters())

    def best(run):
        times = []
        for _ in range(200):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(lambda: LSTMCell.from_weights(**tensors)) < 100e-6


def test_a_parametrised_weight_is_drawn_through_its_parametrisation():
    cell = GRUCell(3, 5, init="orthogonal")
    parametrizations.weight_norm(cell, "weight_hh")
    with torch.no_grad():
        cell.parametrizations.weight_hh.original0.zero_()

    cell.reset_parameters()

    assert parametrize.is_parametrized(cell, "weight_hh")
    for block in cell.weight_hh.split(5):
        torch.testing.assert_close(block.T @ block, torch.eye(5))


def test_an_unknown_initialisation_is_an_error():
    with pytest.raises(ChoiceError, match="expected init of GRUCell to be one of published, torch, orthogonal, eye"):
        GRUCell(3, 5, init="xavier")


def test_cells_can_stand_on_the_meta_device_and_in_half_precision():
    assert LSTMCell(3, 5, device="meta", init="orthogonal").weight_hh.is_meta
    block = LSTMCell(3, 8, dtype=torch.bfloat16, init="orthogonal").weight_hh[:8].float()
    torch.testing.assert_close(block.T @ block, torch.eye(8), rtol=0, atol=0.05)
