"""Every operation that has a mathematical form: what is printed of it is evaluated and compared with torch."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from recurra.errors import UnsupportedCellError
from recurra.inspection.equations.plain import plain
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.explanation import explain_cell

Body = Callable[["Made", Tensor, Tensor], Tensor]
SIZE = 6


class Made(torch.nn.Module):
    """A cell of width 6 whose step is a function."""

    input_size = SIZE
    state_size = SIZE

    def __init__(self, body: Body) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = body
        self.W = torch.nn.Parameter(torch.randn(SIZE, SIZE))
        self.v = torch.nn.Parameter(torch.randn(SIZE))
        self.s = torch.nn.Parameter(torch.randn(()))
        self.register_buffer("two", torch.full((SIZE,), 2))
        self.register_buffer("small", torch.tensor(0.05))
        self.register_buffer("order", torch.randperm(SIZE))
        self.register_buffer("rhythm", torch.arange(1.0, SIZE + 1))

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, SIZE, dtype=self.W.dtype)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.body(self, x, h)


def join(a: Tensor) -> Tensor:
    """Return a row of width 6 of whatever width a row has."""
    return functional.pad(a, (0, SIZE - a.shape[-1]))


ELEMENT_BY_ELEMENT: dict[str, Body] = {
    "add with alpha": lambda m, x, h: torch.add(x, h, alpha=0.5),
    "sub with alpha": lambda m, x, h: torch.sub(x, h, alpha=2),
    "numbers on both sides": lambda m, x, h: 2 - x + (h - 1) * 3 + 4 * h,
    "quotients": lambda m, x, h: x / (1 + h) + 1 / (2 + x) + h / 4,
    "floor": lambda m, x, h: h * torch.floor(x * 7 / 2) + x,
    "powers": lambda m, x, h: x**2 + h**3 + (1 + x) ** 0.5 + (2 + h) ** -1 + 2**x + torch.pow(h, m.two),
    "square roots": lambda m, x, h: torch.sqrt(x + 1) + torch.rsqrt(h + 1) + torch.reciprocal(x + 2) + x.square(),
    "exponentials": lambda m, x, h: x.exp() + torch.log(h + 1) + torch.expm1(x) + torch.log1p(h),
    "circle": lambda m, x, h: torch.sin(x) * torch.cos(h) + torch.tan(x),
    "signs": lambda m, x, h: (x - 0.5).abs() + torch.sign(h - 0.5) * x - (-h),
    "sigmoids": lambda m, x, h: torch.special.expit(x) + x.sigmoid() * functional.logsigmoid(h),
    "rectifiers": lambda m, x, h: (
        functional.relu(x - 0.5) + functional.leaky_relu(h - 0.5, 0.2) + functional.relu6(9 * x)
    ),
    "linear units": lambda m, x, h: functional.elu(x - 0.5, 1.5) + functional.gelu(h) + functional.silu(x),
    "soft functions": lambda m, x, h: (
        functional.softplus(x, beta=2) + functional.softsign(h) + functional.tanhshrink(x)
    ),
    "hard functions": lambda m, x, h: (
        functional.hardtanh(3 * x - 1, -0.5, 0.5) + 2 * x * functional.hardsigmoid(9 * h - 4)
    ),
    "clamps": lambda m, x, h: x.clamp(0.2, 0.8) + h.clamp_min(0.5) + x.clamp_max(0.5) + torch.clip(h, max=0.9),
    "larger and smaller": lambda m, x, h: torch.maximum(x, h) + 2 * torch.minimum(x, m.v),
    "remainder": lambda m, x, h: torch.remainder(5 * x, 1 + h.detach()) + (3 * h) % 1,
    "where": lambda m, x, h: torch.where(x > h, x * 2, torch.where(h >= 0.5, h, -h)),
    "comparisons": lambda m, x, h: (x < h) * x + torch.le(x, 0.5) * h + (x != h) * 0.5 + torch.ge(h, 0.25) * x,
    "masked fill": lambda m, x, h: x.masked_fill(h > 0.5, 0.0) + h,
    "lerp": lambda m, x, h: torch.lerp(x, h, torch.sigmoid(m.v)),
    "addcmul": lambda m, x, h: torch.addcmul(x, h, m.v, value=0.5) + torch.addcdiv(h, x, 1 + h, value=2),
    "erf": lambda m, x, h: torch.erf(x - h),
    "logic": lambda m, x, h: torch.where((x > 0.5) & ~(h > 0.5) | (x < -0.5), x, h),
    "masks": lambda m, x, h: (x > 0.5).float() * h + (h > 0.2).to(x.dtype) * x + x.bool() * h,
    "two tensors": lambda m, x, h: torch.max(x, h) + 2 * torch.min(x, m.v) + x.max(m.v),
    "gated linear unit": lambda m, x, h: torch.cat((functional.glu(x, -1), functional.glu(h, -1)), -1),
    "conversion of a condition": lambda m, x, h: (x > h).to(x.dtype) * h + (x < 0.5).double() * x,
}

MATRICES: dict[str, Body] = {
    "linear": lambda m, x, h: functional.linear(x, m.W, m.v) + functional.linear(h, m.W.T),
    "row times matrix": lambda m, x, h: x @ m.W + torch.matmul(h, m.W.t()),
    "addmm": lambda m, x, h: torch.addmm(m.v, x, m.W, beta=0.5, alpha=2) + h,
    "matrix times columns": lambda m, x, h: (m.W @ h.T).T + x,
    "products of weights": lambda m, x, h: x @ (m.W @ m.W) + h * (m.v @ m.W) + m.W @ m.v,
    "outer product of weights": lambda m, x, h: x @ torch.outer(m.v, m.v) + h,
    "matrices of a row": lambda m, x, h: torch.bmm(x.unsqueeze(2) * h.unsqueeze(1), h.unsqueeze(2)).squeeze(2),
    "skew-symmetric": lambda m, x, h: x @ (m.W - m.W.T - 0.1 * torch.eye(SIZE, dtype=x.dtype)) + h,
    "rows scaled": lambda m, x, h: x @ (m.W * m.v) + h @ (m.W * m.v.unsqueeze(1)),
    "a number": lambda m, x, h: m.s * x + h * m.s.exp(),
    "sums": lambda m, x, h: x * h.sum(-1, keepdim=True) + h * x.mean(1, keepdim=True) + m.W.sum() + m.v.mean(),
    "sums of rows and columns": lambda m, x, h: x * m.W.sum(0) + h * m.W.sum(1) + x * m.W.mean(0),
    "dot product": lambda m, x, h: (x * h).sum(-1).unsqueeze(-1) * m.v,
    "Euclidean norm": lambda m, x, h: x / (1 + h.norm(dim=-1, keepdim=True)) + m.v / m.v.norm(),
    "softmax": lambda m, x, h: torch.softmax(3 * x, -1) + functional.log_softmax(h, dim=1),
    "softmax of weights": lambda m, x, h: x @ torch.softmax(m.W, 0) + h @ torch.softmax(m.W, 1),
    "cumulated sums": lambda m, x, h: torch.cumsum(x, -1) + h.cumsum(1),
    "layer norm": lambda m, x, h: (
        functional.layer_norm(x, (SIZE,), m.v, m.v) + functional.layer_norm(h, [SIZE], eps=0.1)
    ),
    "rows of equal length": lambda m, x, h: x @ torch._weight_norm(m.W, m.v.unsqueeze(1), 0).T + h,
    "a vector for every row": lambda m, x, h: m.v.expand(x.shape[0], -1) * h + x,
    "no gradient": lambda m, x, h: x * h.detach() + held(x),
}

SHAPES: dict[str, Body] = {
    "chunks": lambda m, x, h: torch.cat([torch.tanh(part) for part in reversed(x.chunk(2, -1))], -1) + h,
    "splits": lambda m, x, h: torch.cat(x.split([1, 2, 3], 1)[::-1], dim=1) * h,
    "slices": lambda m, x, h: torch.cat((x[:, 1:4], h[..., :3]), 1) + join(x[:, ::2]) + join(h[:, -2:]),
    "one entry": lambda m, x, h: x[:, 2].unsqueeze(1) * h + h[:, -1:] + m.W[2] + m.v[3] * x + m.W[1, 2],
    "select and narrow": lambda m, x, h: x.select(1, 0).unsqueeze(-1) + join(h.narrow(1, 2, 3)),
    "unbind": lambda m, x, h: torch.stack(x.unbind(1)[::-1], 1) + h * m.W.unbind(0)[1],
    "flip and roll": lambda m, x, h: x.flip(1) + torch.roll(h, 2, 1) + m.v.flip(0),
    "permutation": lambda m, x, h: x[:, m.order] + h.index_select(1, m.order),
    "rows of weights": lambda m, x, h: (
        functional.linear(x, torch.cat((m.W[3:], m.W[:3]))) + h @ torch.cat((m.W[::2], m.W[1::2]))
    ),
    "padding": lambda m, x, h: (
        functional.pad(x[:, :4], (1, 1)) + functional.linear(h, functional.pad(m.W[:, 2:], (2, 0)))
    ),
    "repetition": lambda m, x, h: x[:, :3].unsqueeze(-1).expand(-1, -1, 2).reshape(-1, SIZE) + h,
    "repeat_interleave": lambda m, x, h: h[:, :2].repeat_interleave(3, 1) + x,
    "expansion": lambda m, x, h: x[:, :1].expand(-1, SIZE) * h + m.v.expand_as(x),
    "constants": lambda m, x, h: torch.zeros_like(x) + torch.ones_like(h) * h + x.new_full((1, SIZE), 0.5) + m.rhythm,
    "arithmetic on buffers": lambda m, x, h: (1 - m.small) * h + m.small * x * m.rhythm.sqrt(),
    "buffers": lambda m, x, h: torch.where(torch.remainder(10 * x, m.rhythm) > 1, x, h),
    "copies": lambda m, x, h: x.clone().contiguous() + h.to(x.dtype).double(),
}


def held(x: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.tanh(x)


@pytest.mark.parametrize("body", [pytest.param(b, id=n) for n, b in (ELEMENT_BY_ELEMENT | MATRICES | SHAPES).items()])
def test_what_is_printed_is_what_torch_computes_and_differentiates(body: Body) -> None:
    cell = Made(body)

    check = explain_cell(cell).check

    assert check.forward < 1e-12
    assert check.backward < 1e-7


@pytest.mark.parametrize(
    "squash", [functional.hardtanh, functional.relu6, functional.hardsigmoid, torch.relu, torch.abs]
)
def test_derivatives_at_kinks_are_torchs(squash: Callable[[Tensor], Tensor]) -> None:
    kinks = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0, 6.0])

    def body(m: Made, x: Tensor, h: Tensor) -> Tensor:
        # the value is exactly at the kink, and the derivative by x is that at the kink
        return squash(x - x.detach() + m.rhythm) + h

    cell = Made(body)
    cell.rhythm = kinks

    assert explain_cell(cell).check.is_good


CHANGES_IN_PLACE: dict[str, Body] = {
    "of what is computed": lambda m, x, h: (x * 3).mul_(2).add_(h),
    "by an operator": lambda m, x, h: grown(x * 2, h),
    "by an argument": lambda m, x, h: functional.relu(x - 0.5, inplace=True) + h,
}


def grown(total: Tensor, h: Tensor) -> Tensor:
    total += h
    return total


@pytest.mark.parametrize("body", [pytest.param(b, id=n) for n, b in CHANGES_IN_PLACE.items()])
def test_a_tensor_that_nothing_else_reads_may_be_changed_in_place(body: Body) -> None:
    cell = Made(body)

    assert explain_cell(cell).check.is_good


def fft(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return torch.special.i0(x) + h


def mixing(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x - x.mean(0) + h


def drawing(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x + torch.rand_like(h)


def dropping(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x + functional.dropout(h, 0.5, m.training)


def comparing(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x if torch.equal(h, torch.zeros_like(h)) else h


def reading(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x * m.v[0].item() + h


def raising(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return torch.pow(x, h)


def rounding(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x.to(torch.int64) * h


def branching(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return x if x[0, 0] > 0 else h


def assigning(m: Made, x: Tensor, h: Tensor) -> Tensor:
    h = h * 2
    h[:, 0] = 0
    return h + x


def changing_what_is_shared(m: Made, x: Tensor, h: Tensor) -> Tensor:
    part = h[:, :3]
    part.mul_(2)
    return h + x


def four_dimensional(m: Made, x: Tensor, h: Tensor) -> Tensor:
    return (x.view(-1, 2, 3, 1) * 2).reshape(-1, SIZE) + h


@pytest.mark.parametrize(
    ("body", "operation", "why"),
    [
        (fft, "i0", "since none is known"),
        (mixing, "mean", "since it mixes the rows of the batch"),
        (drawing, "rand_like", "since it draws random numbers"),
        (dropping, "dropout", "since it draws random numbers"),
        (comparing, "equal", "since what the cell computes then depends on the numbers it gets"),
        (reading, "item", "since what the cell computes then depends on the numbers it gets"),
        (raising, "pow", "since it raises what may be negative to powers that are no numbers"),
        (rounding, "to", "since its result is of torch.int64"),
        (branching, "getitem", "since it mixes the rows of the batch"),
        (assigning, "setitem", "since it changes a tensor in place"),
        (changing_what_is_shared, "mul", "since it changes in place what is read elsewhere"),
        (
            four_dimensional,
            "view",
            "since a row of its result has 3 dimensions, where equations have matrices and vectors",
        ),
    ],
)
def test_an_operation_without_a_form_is_named_with_its_line_and_the_reason(
    body: Body, operation: str, why: str
) -> None:
    cell = Made(body)

    with pytest.raises(UnsupportedCellError) as caught:
        record_step(cell)

    message = caught.value.message
    assert f"got {operation} at {__file__}:" in message
    assert message.endswith(why)
    hint = "--evaluation" if "random" in why else "the cell runs and trains all the same"
    assert hint in caught.value.hint


def test_the_error_quotes_the_line_of_the_cell() -> None:
    with pytest.raises(UnsupportedCellError, match=r"return x - x\.mean\(0\) \+ h"):
        record_step(Made(mixing))


def test_a_cell_that_drops_can_be_explained_in_evaluation_mode() -> None:
    cell = Made(dropping).eval()

    lines = record_step(cell).lines

    assert [plain(line.term) for line in lines] == ["xₜ + hₜ₋₁"]


def test_torchs_own_cells_in_one_piece_are_referred_to_ours() -> None:
    with pytest.raises(UnsupportedCellError) as caught:
        record_step(torch.nn.LSTMCell(3, 4))

    assert re.search(r"got lstm_cell at \S+torch/nn/modules/rnn\.py:\d+: ", caught.value.message)
    assert caught.value.hint == "lstm has the same equations, written out"


def test_a_buffer_keeps_its_name_and_the_decimals_it_was_written_with() -> None:
    cell = Made(lambda m, x, h: (1 - m.small) * h + x)

    step = record_step(cell)

    assert [plain(line.term) for line in step.lines] == ["(1 − small) ⊙ hₜ₋₁ + xₜ"]
    assert {symbol.name: value.item() for symbol, value in step.constants.items()} == {"small": 0.05}


def test_one_stop_outside_does_for_all_inside() -> None:
    def body(m: Made, x: Tensor, h: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.tanh(x + torch.exp(h))

    assert [plain(line.term) for line in record_step(Made(body)).lines] == ["stop(tanh(xₜ + exp(hₜ₋₁)))"]


def test_what_has_no_variable_is_called_u() -> None:
    cell = Made(lambda m, x, h: (lambda a: a * x + a / (2 + a))(torch.tanh(torch.sin(x + 2 * h))))

    names = {line.target.name for line in record_step(cell).lines}

    assert names == {"a", "h"}


def test_the_cell_is_left_as_it_was() -> None:
    cell = Made(lambda m, x, h: functional.linear(x, m.W) + h)
    before = {name: tensor.clone() for name, tensor in cell.state_dict().items()}

    explain_cell(cell)

    assert all(torch.equal(before[name], tensor) for name, tensor in cell.state_dict().items())
    assert cell.W.dtype == torch.float32
    assert cell.W.grad is None
