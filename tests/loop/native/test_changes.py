"""Cells that change between two calls: what was compiled for one must not be taken for the other."""

import copy
import types

import pytest
import torch

from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, D, check_against_eager, check_never_wrong, run
from tests.loop.native.own_cells import Base, ResetBefore, build, build_x


class Scaled(Base):
    def __init__(self):
        super().__init__()
        self.scale = 1.0
        self.options = {"power": [2]}
        self.register_buffer("mask", torch.ones(4, dtype=D))

    def forward(self, x, h):
        a = x @ self.u + (h * self.mask) @ self.w
        return torch.tanh(self.scale * a) ** self.options["power"][0]


def replace_weight(cell):
    cell.w = torch.nn.Parameter(torch.randn(4, 4, dtype=D))


def double_data(cell):
    cell.w.data.mul_(2)


def swap_data(cell):
    cell.w.data = torch.randn(4, 4, dtype=D)


def write_in_place(cell):
    with torch.no_grad():
        cell.u.add_(0.5)


def transpose_data(cell):
    cell.w.data = cell.w.data.clone().t()


CHANGES = {
    "attribute": lambda cell: setattr(cell, "scale", 2.5),
    "attribute of another type": lambda cell: setattr(cell, "scale", 1),
    "nested attribute": lambda cell: cell.options["power"].__setitem__(0, 3),
    "buffer in place": lambda cell: cell.mask.mul_(0.5),
    "buffer replaced": lambda cell: setattr(cell, "mask", torch.tensor([1.0, 0, 1, 0], dtype=D)),
    "weight replaced": replace_weight,
    "data in place": double_data,
    "data replaced": swap_data,
    "data transposed": transpose_data,
    "weight in place": write_in_place,
    "weight frozen": lambda cell: cell.w.requires_grad_(False),
    "buffer a view of a weight": lambda cell: setattr(cell, "mask", cell.w.detach()[0]),
    "state loaded": lambda cell: cell.load_state_dict({k: v + 0.1 for k, v in cell.state_dict().items()}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_two_calls_is_seen(change):
    cell, x, h = Scaled(), build_x(requires_grad=True), torch.randn(4, 4, dtype=D)
    before = check_against_eager(cell, x, h)

    CHANGES[change](cell)

    after = check_against_eager(cell, x, h)
    is_same = torch.equal(before.values["output"], after.values["output"])
    assert is_same == (change in ("weight frozen", "attribute of another type"))


def test_a_replaced_forward_is_run_or_refused():
    def make_cell():
        cell = Scaled()
        run(cell, build_x(), engine=ENGINE)
        cell.forward = types.MethodType(lambda self, x, h: torch.sin(x @ self.u + h @ self.w), cell)
        return cell

    check_never_wrong(make_cell, build_x(requires_grad=True), "forward")


def test_a_data_write_between_forward_and_backward_is_no_part_of_the_next_call():
    cell, x = Scaled(), build_x()
    for _ in range(3):
        unroll(cell, x, engine=ENGINE)[0].sum().backward()
        cell.w.data.add_(0.1 * torch.randn(4, 4, dtype=D))
        cell.zero_grad()
        check_against_eager(cell, x)


def test_ten_steps_of_adam_end_where_eager_ends():
    cells = {engine: build(ResetBefore) for engine in (ENGINE, "eager")}
    x = build_x(7, 6)
    losses = {}
    for engine, cell in cells.items():
        optimizer = torch.optim.Adam(cell.parameters(), lr=0.03)
        losses[engine] = []
        for _ in range(10):
            optimizer.zero_grad()
            loss = (unroll(cell, x, engine=engine)[0] - x[..., :1].tanh()).square().mean()
            loss.backward()
            optimizer.step()
            losses[engine].append(float(loss.detach()))

    assert losses["eager"][-1] < 0.9 * losses["eager"][0]
    assert losses[ENGINE] == pytest.approx(losses["eager"], rel=1e-8)


def test_equal_classes_with_other_attributes_do_not_share_code():
    cells = [Scaled(), Scaled()]
    cells[1].scale = -0.5
    cells.append(copy.deepcopy(cells[1]))
    cells[2].options = {"power": [3]}

    for cell in cells * 2:
        check_against_eager(cell, build_x())


def test_tracing_leaves_the_live_module_as_it_was():
    cell, x = Scaled(), build_x(requires_grad=True)
    before = {name: id(value) for name, value in cell.__dict__.items()}
    tensors = {name: (id(t), t.data_ptr(), t._version) for name, t in cell.state_dict(keep_vars=True).items()}
    state = torch.get_rng_state()

    run(cell, x, engine=ENGINE)

    assert {name: id(value) for name, value in cell.__dict__.items()} == before
    assert {n: (id(t), t.data_ptr(), t._version) for n, t in cell.state_dict(keep_vars=True).items()} == tensors
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in cell.parameters())
