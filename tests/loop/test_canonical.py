"""Every operation that the compiler knows, with its derivative; and what it refuses, with the line of the cell."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recurra.errors import UnsupportedCellError
from recurra.loop.graph import POINTWISE, PRODUCTS, REDUCTIONS, VIEWS
from tests.oracles.traced import check_step, trace

IN, H = 3, 6
OPERATIONS = POINTWISE | VIEWS | REDUCTIONS | PRODUCTS | {"input", "full", "draw", "cat", "cumsum", "torch"}


@pytest.fixture(autouse=True)
def _double_precision():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Applying(nn.Module):
    """A state that is a function of one sum of products; ``z`` takes both signs."""

    def __init__(self, function):
        super().__init__()
        self.w, self.u = nn.Linear(IN, H), nn.Linear(H, H)
        self.function = function

    def forward(self, x, h):
        return self.function(self.w(x) + 2 * self.u(h))


def check(function):
    graph = check_step(Applying(function), torch.randn(5, IN), torch.randn(5, H))
    assert {node.op for node in graph.nodes} <= OPERATIONS


def groups(z):
    return z.view(-1, 2, 3)


def positive(z):
    return z * z + 0.1


ACTIVATIONS = [
    "relu",
    "relu6",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "tanhshrink",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "leaky_relu",
    "logsigmoid",
    "softshrink",
    "hardshrink",
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_what_torch_computes(name):
    check(getattr(F, name))


OF_ANY = [
    "abs",
    "neg",
    "exp",
    "expm1",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "sigmoid",
    "erf",
    "floor",
    "ceil",
    "round",
    "trunc",
    "frac",
    "sign",
    "sgn",
    "square",
    "exp2",
    "sinc",
    "nan_to_num",
    "deg2rad",
    "reciprocal",
]
OF_POSITIVE = ["sqrt", "rsqrt", "log", "log1p", "log2", "log10"]


@pytest.mark.parametrize("name", OF_ANY + OF_POSITIVE)
def test_a_function_of_one_number_is_what_torch_computes(name):
    function = getattr(torch, name)
    check((lambda z: function(positive(z))) if name in OF_POSITIVE else function)


POINTWISE_CASES = {
    "gelu by tanh": lambda z: F.gelu(z, approximate="tanh"),
    "logit": lambda z: torch.logit(torch.sigmoid(z) * 0.8 + 0.1),
    "threshold": lambda z: F.threshold(z, 0.1, 2.0),
    "glu": lambda z: F.glu(torch.cat([z, z * 2], 1)),
    "prelu": lambda z: F.prelu(z, torch.tensor([0.3])),
    "predicates": lambda z: torch.where(z.isnan() | z.isinf(), 0.0, z) * z.isfinite(),
    "clamp": lambda z: z.clamp(-0.5, 0.7) + z.clamp(min=0.1) + z.clamp_max(0.3),
    "clamp by tensors": lambda z: z.clamp(z * 0.1 - 1, z.abs()),
    "minimum and maximum": lambda z: torch.minimum(z, z.flip(1)) + torch.maximum(z, 0.3 * z),
    "where of numbers": lambda z: torch.where(((z > 0) & (z < 1)) | ~(z > -1), 1.0, z),
    "comparisons": lambda z: z * ((z >= 0.1).double() + (z <= 0.2) + (z == z) + (z != 0.5) - (z < 1).double()),
    "exclusive or": lambda z: z * ((z > 0) ^ (z < 1)) + z * torch.logical_xor(z > 0, z > 1),
    "masked_fill": lambda z: z.masked_fill(z > 0.2, 0.5),
    "whole powers": lambda z: z**0 + z**1 + z**2 + z**3 + z**4 + (z**2 + 1) ** -1 + (z**2 + 1) ** -2,
    "broken powers": lambda z: positive(z) ** 0.5 + positive(z) ** -0.5 + positive(z) ** 1.7,
    "powers of a number": lambda z: 2**z + 0.5**z,
    "remainder": lambda z: torch.remainder(z, 0.7) + torch.fmod(z, 0.7) + z % -0.6,
    "remainder by a tensor": lambda z: z % (z * z.flip(1) + 0.5) + torch.fmod(z, positive(z)),
    "division without rest": lambda z: z - (z.detach() // 0.7) * z + torch.div(z, 0.3, rounding_mode="trunc"),
    "lerp": lambda z: torch.lerp(z, z * z, 0.3) + torch.lerp(z, z * z, torch.sigmoid(z)),
    "addcmul and addcdiv": lambda z: torch.addcmul(z, z, z, value=0.5) + torch.addcdiv(z, z, positive(z), value=2),
    "factors of sums": lambda z: torch.add(z, z * z, alpha=3) - torch.sub(z, z * z, alpha=2) + torch.rsub(z, 2),
    "numbers on both sides": lambda z: 3 - z + 1 / positive(z) - 5 * z / 2 + z - 1,
    "logaddexp": lambda z: torch.logaddexp(z, z * z),
    "xlogy": lambda z: torch.xlogy(z, positive(z)),
    "straight-through rounding": lambda z: z + (torch.round(z * 8) / 8 - z).detach(),
    "in place": lambda z: (z * 1).mul_(2).add_(1).sub_(z).div_(3),
    "fills": lambda z: torch.empty_like(z).fill_(0.5) * z + z.new_full((z.shape[0], 1), 2.0),
    "whole numbers beside": lambda z: z * torch.arange(H) + torch.ones(H, dtype=torch.int64),
    "a scalar of another type": lambda z: z * torch.tensor(0.5, dtype=torch.float32),
}
SHAPE_CASES = {
    "cat": lambda z: torch.cat([z[:, 3:], z[:, :2] * 2, z[:, -1:]], 1),
    "stack": lambda z: torch.stack([z, z * z], 1).sum(1) + torch.stack([z, z.sin()], 0).sum(0),
    "stack behind": lambda z: torch.stack([z[:, :3], z[:, 3:]], 2).flatten(1),
    "chunk": lambda z: torch.cat(z.chunk(3, -1)[::-1], 1),
    "split": lambda z: torch.cat([piece.tanh() for piece in z.split([1, 2, 3], 1)], 1),
    "unbind": lambda z: torch.stack(z.unbind(1)[::-1], 1),
    "steps": lambda z: torch.cat([z[:, ::2], z[:, 1::3], z[:, 5:]], 1),
    "flip and roll": lambda z: z.flip(1) * z.roll(2, 1) + z.roll((1, -1), (1, 1)),
    "pad": lambda z: F.pad(z[:, 1:5], (2, 0), value=0.5) + F.pad(z[:, 2:4], (1, 3)) + F.pad(z, (-1, 1)),
    "repeat": lambda z: z[:, :3].repeat(1, 2) + z[:, :2].tile(1, 3) + z[:, :1].repeat(1, 6),
    "expand": lambda z: z[:, :1].expand(-1, H) * z.unsqueeze(1).expand(-1, 2, H).sum(1),
    "transposes": lambda z: (z.t() * 2).t() + groups(z).transpose(1, 2).reshape(-1, H) + z.mT.contiguous().mT,
    "movedim": lambda z: groups(z).movedim(1, 0).sum(0).repeat(1, 2),
    "squeeze": lambda z: z.unsqueeze(1).squeeze(1) + z[..., None].squeeze(-1) + z.unflatten(1, (2, 3)).flatten(1),
    "narrow": lambda z: torch.cat([z.narrow(1, 2, 4), z.narrow(1, 0, 2)], 1),
    "views as whole": lambda z: z.view(-1).view(-1, H) + z.reshape(z.shape[0] * 2, 3).reshape(-1, H),
}
AXIS_CASES = {
    "sum and mean": lambda z: z - z.mean(1, keepdim=True) + z.sum(-1).unsqueeze(1) * 0.1,
    "variance": lambda z: z * z.var(1, keepdim=True) + z.var(1, unbiased=False).unsqueeze(1),
    "standard deviation": lambda z: z * z.std(1, keepdim=True) + torch.var_mean(z, 1, keepdim=True)[1],
    "largest and smallest": lambda z: z - z.amax(1, keepdim=True) + z.amin(1, keepdim=True),
    "product": lambda z: z * groups(z).prod(2).prod(1, keepdim=True),
    "cumsum": lambda z: z.cumsum(1) + groups(z).cumsum(1).flatten(1),
    "softmax": lambda z: F.softmax(z, -1) + F.log_softmax(z, 1) + F.softmin(groups(z), 2).flatten(1),
    "logsumexp": lambda z: z - torch.logsumexp(z, 1, keepdim=True),
    "layer norm": lambda z: F.layer_norm(z, (H,)) + F.layer_norm(groups(z), (2, 3)).flatten(1),
    "rms norm": lambda z: F.rms_norm(z, (H,)),
    "group norm": lambda z: F.group_norm(z, 2),
    "norms": lambda z: F.normalize(z, dim=1) + z / z.norm(1, dim=1, keepdim=True),
    "cosine": lambda z: z * F.cosine_similarity(z, z.flip(1), dim=1).unsqueeze(1),
    "counts": lambda z: z * (z > 0).sum(1, keepdim=True) + z * (z > 0).double().mean(1, keepdim=True),
    "any and all": lambda z: z * (z > 1).any(1, keepdim=True) + z * (z > -9).all(1, keepdim=True),
}
PRODUCT_CASES = {
    "outer": lambda z: torch.einsum("bi,bj->bij", z, z.sin()).sum(2),
    "inner": lambda z: torch.einsum("bi,bi->b", z, z.sin()).unsqueeze(1) * z,
    "by a matrix": lambda z: torch.einsum("bi,ij->bj", z, torch.ones(H, H).triu()) + z @ torch.eye(H) * 2,
    "matrix first": lambda z: (torch.ones(H, H).tril() @ z.unsqueeze(-1)).squeeze(-1) + (torch.eye(H) @ z.t()).t(),
    "groups": lambda z: torch.einsum("bgk,gkn->bgn", groups(z), torch.arange(18.0).view(2, 3, 3)).flatten(1),
    "groups from the left": lambda z: torch.einsum("gnk,bgk->bgn", torch.arange(18.0).view(2, 3, 3), groups(z)).flatten(
        1
    ),
    "row by row": lambda z: torch.bmm(groups(z), z.view(-1, 3, 2).sin()).flatten(1).repeat(1, 2)[:, :H],
    "attention": lambda z: (torch.softmax(groups(z) @ groups(z).mT, -1) @ groups(z)).flatten(1),
    "one matrix for all rows": lambda z: torch.bmm(z.unsqueeze(1), torch.eye(H).expand(z.shape[0], H, H)).squeeze(1),
    "one matrix from the left": lambda z: torch.bmm(torch.eye(H).expand(z.shape[0], H, H), z.unsqueeze(2)).squeeze(2),
    "many rows of a row": lambda z: F.linear(groups(z), torch.ones(3, 3).tril(), torch.ones(3)).flatten(1),
    "baddbmm": lambda z: torch.baddbmm(groups(z), groups(z), torch.eye(3).expand(z.shape[0], 3, 3)).flatten(1),
    "addmm": lambda z: torch.addmm(z, z, torch.ones(H, H), beta=0.5, alpha=2),
    "tensordot": lambda z: torch.tensordot(z, torch.ones(H, H).tril(), 1),
}
CASES = POINTWISE_CASES | SHAPE_CASES | AXIS_CASES | PRODUCT_CASES


@pytest.mark.parametrize("name", CASES)
def test_an_operation_is_what_torch_computes(name):
    check(CASES[name])


@pytest.mark.parametrize("value", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e300])
def test_special_numbers_come_out_as_in_torch(value):
    def function(z):
        z = torch.cat([torch.full_like(z[:, :3], value), z[:, 3:]], 1)
        powers = torch.stack([z**2, z**0.5, z**-1, z**1.5], 1).sum(1)
        return powers + z.clamp(-1, 1) + torch.relu(z) + torch.where(z > 0, z, 0.5) + z.detach() // 0.7

    check(function)


def test_a_product_of_small_groups_is_made_of_products():
    graph = trace(Applying(PRODUCT_CASES["groups"]), torch.randn(5, IN), torch.randn(5, H))

    assert sum(node.op == "mm" and node.row_shape == (1, 3) for node in graph.nodes) >= 2


def test_a_product_with_one_matrix_for_all_rows_is_one_product():
    graph = trace(Applying(PRODUCT_CASES["one matrix for all rows"]), torch.randn(5, IN), torch.randn(5, H))

    assert not [node for node in graph.nodes if node.op == "mul" and len(node.shape) > 2]


def test_one_view_undoes_the_other():
    graph = trace(Applying(lambda z: z.t().t().unsqueeze(1).squeeze(1)), torch.randn(5, IN), torch.randn(5, H))

    assert graph.output.op == "add"


# --- what is refused


OUTSIDE = torch.ones(H, dtype=torch.float64)


def chosen_by_value(z):
    return z if z.sum() > 0 else -z


def chosen_by_batch(z):
    return z * (1.5 if z.shape[0] < 12 else 2.5)


def more_at_some_batch(z):
    return z.sin() if z.shape[0] < 12 else z.sin().cos()


class OldFunction(torch.autograd.Function):
    """A function in the style before ``setup_context``."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


APART = "was expected to keep the rows of a batch apart, got "
NUMBERS = "was expected to compute with the same numbers at every call and batch size, got "
REFUSED = {
    "argmax": (lambda z: z.argmax(1, keepdim=True) * z, "operations that the compiler has a rule for, got aten.argmax"),
    "sort": (lambda z: z.sort(1).values, "got aten.sort"),
    "gather": (lambda z: z.gather(1, torch.zeros_like(z, dtype=torch.int64)), "got aten.gather"),
    "index": (lambda z: z[:, [5, 4, 3, 2, 1, 0]], "got aten.index"),
    "convolution": (lambda z: F.conv1d(z.unsqueeze(1), torch.ones(1, 1, 1)).squeeze(1), "got aten.convolution"),
    "max": (lambda z: z - z.max(1, keepdim=True).values, "got the places of largest values"),
    "mean over rows": (lambda z: z - z.mean(0), "the batch size in shapes only, got the batch size in aten.div"),
    "sum over rows": (lambda z: z - z.sum(0), APART + "aten.sub, which gives each row a sum over all rows"),
    "largest of rows": (lambda z: z - z.amax(0), APART + "aten.amax along the batch"),
    "softmax over rows": (lambda z: z.softmax(0), APART + "aten.amax along the batch"),
    "cumsum over rows": (lambda z: z.cumsum(0), APART + "aten.cumsum along the batch"),
    "flip of rows": (lambda z: z.flip(0), APART + "aten.flip along the batch"),
    "roll of rows": (lambda z: z.roll(1, 0), APART + "aten.roll along the batch"),
    "one row": (lambda z: z[:1] + z, APART + r"aten.slice_copy of the batch"),
    "first row": (lambda z: z[0] + z, APART + r"aten.select_copy along the batch"),
    "rows together": (lambda z: torch.cat([z, z])[: z.shape[0]], APART + "aten.cat along the batch"),
    "rows by rows": (lambda z: z @ z.t() @ z, APART + "aten.mm, which pairs each row with each"),
    "differences of rows": (
        lambda z: (z.unsqueeze(0) - z.unsqueeze(1)).sum(0),
        APART + "aten.sub, which pairs each row with each",
    ),
    "rows turned": (lambda z: z.view(H, -1).t(), APART + r"aten.view_copy from \(B, 6\) to \(6, B\)"),
    "batch size": (lambda z: z * z.shape[0], "to compute with real numbers, got the batch size in aten.mul"),
    "number of numbers": (lambda z: z / z.numel(), "to compute with real numbers, got the batch size in aten.div"),
    "number of a row": (lambda z: z + torch.arange(z.shape[0]).unsqueeze(1), "got aten.arange"),
    "chosen by batch": (chosen_by_batch, NUMBERS + "1.5 or 2.5 in aten.mul"),
    "more at some batch": (more_at_some_batch, "to do the same at every batch size, got aten"),
    "chosen by value": (chosen_by_value, "to do the same whatever the values of its tensors, got a use of a value as"),
    "a size by value": (lambda z: z.nonzero().sum() * z, "whatever the values of its tensors"),
    "from outside": (lambda z: z * OUTSIDE, "to read tensors of its own only, got a tensor from outside it"),
    "half precision": (lambda z: z.half().double(), "one floating-point type, torch.float64, got torch.float16 from"),
    "whole numbers": (
        lambda z: z.long() * z,
        "one floating-point type, torch.float64, got a conversion to torch.int64",
    ),
    "complex": (
        lambda z: torch.view_as_real(z.to(torch.complex128)).sum(-1),
        "got torch.complex128 from aten._to_copy",
    ),
    "random without rows": (lambda z: z + torch.randn(H), "random values for each row, got aten.randn without a batch"),
    "own generator": (
        lambda z: z + torch.rand(z.shape[0], H, generator=GENERATOR),
        "to draw from torch's own generator, got another generator",
    ),
    "another distribution": (lambda z: z + torch.empty_like(z).exponential_(), "got aten.exponential"),
    "power by a tensor": (
        lambda z: positive(z) ** z,
        "whose exponent is a number, got pow with a tensor as its exponent",
    ),
    "old function": (OldFunction.apply, "torch.autograd.Functions with setup_context, got one without"),
    "none": (lambda z: None, "to return tensors, got NoneType"),
    "two": (lambda z: (z, z), "its state in the form it was given, a tensor, got 2 values"),
    "width": (lambda z: z[:, :3], r"to return state 0 of the width it was given, \(6,\), got \(3,\)"),
    "its own error": (lambda z: z @ torch.ones(H + 1, H), "torch's tracer, got RuntimeError: .*must match"),
}
GENERATOR = torch.Generator()
WITHOUT_LINE = {"none", "two", "width", "max"}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name):
    function, message = REFUSED[name]

    with pytest.raises(UnsupportedCellError, match=message) as caught:
        trace(Applying(function), torch.randn(5, IN), torch.randn(5, H))

    assert str(caught.value).startswith("Applying was expected ")
    assert caught.value.code == "RECURRA-501"
    if name not in WITHOUT_LINE:
        assert f" at {__file__}:" in caught.value.message


def test_the_line_of_the_cell_is_told():
    with pytest.raises(UnsupportedCellError) as caught:
        trace(Applying(chosen_by_value), torch.randn(5, IN), torch.randn(5, H))

    number = chosen_by_value.__code__.co_firstlineno + 1
    assert caught.value.message.endswith(f" at {__file__}:{number}: return z if z.sum() > 0 else -z")
    assert caught.value.hint == "choose between tensors with torch.where"
    assert caught.value.__cause__ is not None


def assigned(z):
    z = z * 1
    z[:, 1:3] = z[:, 3:5]
    return z


def test_an_assignment_into_a_part_is_traced_without_its_derivative_only():
    step = torch.randn(5, IN), torch.randn(5, H)

    assert trace(Applying(assigned), *step, derivative=False).output.op == "cat"
    with pytest.raises(UnsupportedCellError, match=r"by torch.cat or torch.where, got an assignment into a part"):
        trace(Applying(assigned), *step)


class Changing(Applying):
    """Does something to itself at each step."""

    def __init__(self, change):
        super().__init__(torch.tanh)
        self.register_buffer("steps", torch.zeros(H))
        self.log, self.count, self.change = [], 0, change

    def forward(self, x, h):
        self.change(self, h)
        return super().forward(x, h + self.steps)


def setting(name, value):
    return lambda cell, h: setattr(cell, name, value(cell, h))


@pytest.mark.parametrize("derivative", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cell, h: cell.steps.add_(1), "to change no tensor in place, got"),
        (setting("steps", lambda cell, h: cell.steps + 1), "to keep nothing of a step but its state.*attribute steps"),
        (setting("last", lambda cell, h: h), "another value in attribute last"),
        (setting("count", lambda cell, h: cell.count + 1), "another value in attribute count"),
        (lambda cell, h: cell.log.append(1), "another value in attribute log"),
        (setting("bias", lambda cell, h: nn.Parameter(torch.zeros(H))), "another value in attribute bias"),
        (lambda cell, h: h.mul_(2), "in-place operation|to change no tensor in place, got aten.copy_ into state"),
    ],
)
def test_a_cell_that_keeps_something_of_a_step_is_refused(change, message, derivative):
    cell = Changing(change)
    before = dict(cell.__dict__), cell.steps.clone()

    with pytest.raises(UnsupportedCellError, match=message):
        trace(cell, torch.randn(5, IN), torch.randn(5, H), derivative=derivative)

    assert dict(cell.__dict__) == before[0]
    assert cell.log == []
    assert torch.equal(cell.steps, before[1])


def test_what_a_hook_keeps_in_its_closure_is_noticed_and_not_touched():
    seen = []
    cell = Applying(torch.tanh)
    cell.w.register_forward_hook(lambda module, args, output: seen.append(output))

    with pytest.raises(UnsupportedCellError, match=r"another value in attribute w\._forward_hooks"):
        trace(cell, torch.randn(5, IN), torch.randn(5, H))

    assert seen == []


def test_batch_norm_is_traced_once_its_statistics_are_fixed():
    cell = Applying(torch.tanh)
    cell.norm = nn.BatchNorm1d(H)
    cell.forward = functools.partial(normalised, cell)
    step = torch.randn(5, IN), torch.randn(5, H)

    with pytest.raises(UnsupportedCellError, match="to change no tensor in place, got a change of a buffer or weight"):
        trace(cell, *step)
    check_step(cell.eval(), *step)


def normalised(cell, x, h):
    return cell.norm(cell.w(x) + cell.u(h))


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (lambda g: g.clamp(-0.1, 0.1), "the gradients of weights by linear operations, got aten.clamp in a hook"),
        (lambda g: g + 1, "linear operations, got aten.add in a hook"),
        (lambda g: g * g, "linear operations, got aten.mul in a hook"),
        (lambda g: g / (1 + g.norm()), "linear operations, got aten.pow in a hook"),
        (lambda g: torch.where(g > 0, g, 0.0), "linear operations, got aten.gt in a hook"),
        (lambda g: 1 / g, "linear operations, got aten.reciprocal in a hook"),
    ],
)
def test_a_hook_on_a_weight_must_be_linear_as_steps_are_summed_first(hook, message):
    def hooked(cell, x, h):
        w = cell.u.weight * 1
        w.register_hook(hook)
        return torch.tanh(h @ w)

    cell = Applying(None)
    cell.forward = functools.partial(hooked, cell)

    with pytest.raises(UnsupportedCellError, match=message):
        trace(cell, torch.randn(5, IN), torch.randn(5, H))


@pytest.mark.parametrize(
    "hook", [lambda g: g * 2, lambda g: g.t() - g, lambda g: torch.where(g.new_ones(1) > 0, g, 0.0)]
)
def test_a_linear_hook_on_a_weight_is_traced(hook):
    def hooked(cell, x, h):
        w = cell.u.weight * 1
        w.register_hook(hook)
        return torch.tanh(h @ w)

    cell = Applying(None)
    cell.forward = functools.partial(hooked, cell)

    check_step(cell, torch.randn(5, IN), torch.randn(5, H))


@pytest.mark.parametrize("of", ["state", "weight", "input"])
def test_a_hook_on_what_the_cell_is_given_is_refused(of):
    def hooked(cell, x, h):
        {"state": h, "weight": cell.u.weight, "input": x}[of].register_hook(lambda g: g * 2)
        return torch.tanh(cell.u(h) + cell.w(x))

    cell = Applying(None)
    cell.forward = functools.partial(hooked, cell)

    with pytest.raises(UnsupportedCellError, match="hooks only on tensors that it computes, got a hook"):
        trace(cell, torch.randn(5, IN), torch.randn(5, H))


def test_inputs_of_whole_numbers_are_refused_where_they_are_used():
    step = torch.randint(0, 3, (5, IN)), torch.randn(5, H)

    with pytest.raises(
        UnsupportedCellError, match=r"one floating-point type, torch.float64, got torch.int64 of x\[0\]"
    ):
        trace(Applying(torch.tanh), *step)


def test_weights_of_another_precision_are_refused():
    cell = Applying(torch.tanh)
    cell.function = lambda z: z * cell.scale
    cell.scale = torch.ones(H, dtype=torch.float32)

    with pytest.raises(
        UnsupportedCellError, match=r"one floating-point type, torch.float64, got torch.float32 in aten.mul"
    ):
        trace(cell, torch.randn(5, IN), torch.randn(5, H))


def test_a_state_of_another_type_than_it_was_given_is_refused():
    cell = Applying(torch.tanh)
    cell.forward = lambda x, h: h.float()

    with pytest.raises(
        UnsupportedCellError, match=r"state 0 of the type it was given, torch.float64, got torch.float32"
    ):
        trace(cell, torch.randn(5, IN), torch.randn(5, H))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_is_no_fault_of_the_cell(error):
    def fail(z):
        raise error

    with pytest.raises(error):
        trace(Applying(fail), torch.randn(5, IN), torch.randn(5, H))
