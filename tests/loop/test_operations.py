"""Every operation that the compiler emits, one row each: native against eager, ordinary numbers, NaN and infinities."""

from __future__ import annotations

import itertools

import pytest
import torch

from recurra.loop.fission import split
from recurra.loop.graph import POINTWISE, PRODUCTS, REDUCTIONS, VIEWS
from recurra.loop.llvm.emit import OPERATIONS
from recurra.loop.rewrite import cut_products
from tests.loop.native.comparing import ENGINE, run
from tests.oracles.traced import trace

WIDTHS = (1, 7, 16, 33)
"""One element, less than a vector, whole vectors, and whole vectors with a rest."""
TOLERANCES = {torch.float64: (1e-12, 1e-13), torch.float32: (1e-5, 5e-6)}

dtypes = pytest.mark.parametrize("dtype", TOLERANCES, ids=["float32", "float64"][::-1])


def unary(function):
    """Apply to what depends on the state, so that it runs inside the loop."""
    return lambda a, h: function(a - 0.5 * h)


def truth(function):
    """Give 2 and -1, scaled by an operand, for the bits of ``function``."""
    return lambda a, h: torch.where(function(a, h), 2.0 * h, -1.0 * a)


SMALL = {
    "add": lambda a, h: a + h,
    "sub": lambda a, h: a - h,
    "mul": lambda a, h: a * h,
    "div": lambda a, h: a / h,
    "neg": unary(torch.neg),
    "reciprocal": unary(torch.reciprocal),
    "abs": unary(torch.abs),
    "sqrt": unary(lambda a: torch.sqrt(a.abs())),
    "floor": lambda a, h: torch.floor(a - 0.5 * h) + h,
    "ceil": lambda a, h: torch.ceil(a - 0.5 * h) + h,
    "trunc": lambda a, h: torch.trunc(a - 0.5 * h) + h,
    "round": lambda a, h: torch.round(a - 0.5 * h) + h,
    "sign": lambda a, h: torch.sign(a - 0.5 * h) + h,
    "relu": unary(torch.relu),
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "remainder": torch.remainder,
    "fmod": torch.fmod,
    "isnan": truth(lambda a, h: torch.isnan(a + h)),
    "where": lambda a, h: torch.where(a > h, a, 3.0 * h),
    "and": truth(lambda a, h: (a > 0) & (h > 0)),
    "or": truth(lambda a, h: (a > 0) | (h > 0)),
    "xor": truth(lambda a, h: (a > 0) ^ (h > 0)),
    "not": truth(lambda a, h: ~(a > h)),
    "eq": truth(torch.eq),
    "ne": truth(torch.ne),
    "lt": truth(torch.lt),
    "le": truth(torch.le),
    "gt": truth(torch.gt),
    "ge": truth(torch.ge),
    "to_real": lambda a, h: (a > h).to(a.dtype) + 0.5 * h,
    "to_bool": truth(lambda a, h: (a - h).to(torch.bool)),
    "exp": unary(torch.exp),
    "expm1": unary(torch.expm1),
    "log": unary(torch.log),
    "log1p": unary(torch.log1p),
    "tanh": unary(torch.tanh),
    "sigmoid": unary(torch.sigmoid),
    "erf": unary(torch.erf),
    "sin": unary(torch.sin),
    "cos": unary(torch.cos),
    "rsqrt": unary(torch.rsqrt),
    "pow": unary(lambda a: torch.pow(a, 2.5) + torch.pow(a, -4.0)),
}
"""By operation: a function of an input and a state, element by element."""
BOUNDED = {"fmod", "remainder"}
"""Where the quotient overflows, torch gives NaN from its vectors, and a number from the last few elements."""


def grid(a):
    """Take a row as a table: (B, n) as (B, p, q)."""
    columns = {1: 1, 7: 1, 16: 4, 33: 3}[a.shape[1]]
    return a.view(a.shape[0], -1, columns)


WIDE = {
    "sum": lambda a, h, w: (a + h).sum(1, keepdim=True) * 0.1 + h,
    "amax": lambda a, h, w: (a + h).amax(1, keepdim=True) - h,
    "amin": lambda a, h, w: (a - h).amin(1, keepdim=True) + a,
    "prod": lambda a, h, w: h + 0.1 * (1 + 0.2 * torch.tanh(a - h)).prod(1, keepdim=True),
    "cumsum": lambda a, h, w: torch.cumsum(a - h, 1) * 0.2,
    "permute": lambda a, h, w: grid(a + h).transpose(1, 2).reshape(a.shape) * 0.5,
    "reshape": lambda a, h, w: grid(a * h).flip(1).reshape(a.shape),
    "expand": lambda a, h, w: (a - h)[:, :1].expand(-1, a.shape[1]) + 0.5 * h,
    "slice": lambda a, h, w: torch.cat(((a + h)[:, 1::2], (a - h)[:, ::2]), 1) * 0.5,
    "select": lambda a, h, w: h.select(1, 0).unsqueeze(1) * a,
    "flip": lambda a, h, w: a - 0.5 * h.flip(1),
    "cat": lambda a, h, w: torch.cat((h[:, 1:], a[:, :1]), 1) - 0.3 * a,
    "mm": lambda a, h, w: torch.tanh(a + h @ w),
    "addmm": lambda a, h, w: torch.tanh(torch.addmm(w[0], a - h, w)),
}
"""By operation: a function of an input, a state and a square weight, along the row."""


class Several(torch.nn.Module):
    """One state of each width, each renewed by the same function."""

    state_size = WIDTHS

    def __init__(self, name, dtype):
        super().__init__()
        self.name = name
        weights = torch.Generator().manual_seed(3)
        for n in WIDTHS if name in WIDE else ():
            weight = torch.randn(n, n, generator=weights, dtype=dtype) / n**0.5
            self.register_parameter(f"weight_{n}", torch.nn.Parameter(weight))

    def forward(self, x, state):
        pairs = zip(x, state, strict=True)
        if self.name in SMALL:
            return tuple(SMALL[self.name](a, h) for a, h in pairs)
        return tuple(WIDE[self.name](a, h, getattr(self, f"weight_{a.shape[1]}")) for a, h in pairs)


NAMES = [*SMALL, *WIDE]
names = pytest.mark.parametrize("name", NAMES)


def randoms(lead, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    return tuple((torch.randn(*lead, n, generator=generator, dtype=dtype) * 1.5).requires_grad_() for n in WIDTHS)


def linear_loss(output, last):
    """Weigh what comes out by numbers that do not depend on it, which infinities would make NaN."""
    parts = [output, *last]
    return sum((part * torch.linspace(0.4, 1.7, part.shape[-1], dtype=part.dtype)).sum() for part in parts)


# --- that every operation has a row


def test_every_operation_of_the_table_has_a_row():
    # torch takes softplus apart before the compiler sees it
    assert set(OPERATIONS) - POINTWISE == {"softplus"}
    assert set(SMALL) == (set(OPERATIONS) & POINTWISE) | {"pow"}


def test_every_other_operation_of_the_graph_has_a_row():
    assert set(WIDE) == VIEWS | REDUCTIONS | PRODUCTS | {"cat", "cumsum"}


@names
def test_a_row_has_its_operation_inside_the_loop(name):
    x, state = randoms((2,), torch.float64, 1), randoms((2,), torch.float64, 2)

    fission = split(cut_products(trace(Several(name, torch.float64), x, state, derivative=False)))
    inside = ancestors_of(fission.forward.targets.values())

    assert name in {node.op for node in inside if set(fission.graph.state) & ancestors_of([node])}


def ancestors_of(nodes):
    found, waiting = set(), list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.operands()
    return found


# --- what comes out


@dtypes
@names
def test_native_equals_eager(name, dtype):
    rtol, atol = TOLERANCES[dtype]
    cell = Several(name, dtype)

    found, wanted = both(cell, randoms((3, 5), dtype, 1), randoms((5,), dtype, 2))

    # logarithms and powers of negative numbers are NaN, for both
    assert any(tensor.isfinite().any() for tensor in wanted.values.values())
    compare(found.values, wanted.values, rtol, atol)
    compare(found.gradients, wanted.gradients, rtol, atol)
    # one test for both, as most of its time is that of compiling
    (check_special_numbers_in_a_row if name in WIDE else check_edges_of_the_numbers)(cell, dtype)


def check_edges_of_the_numbers(cell, dtype):
    rtol, _ = TOLERANCES[dtype]

    found, wanted = both(cell, *edge_pairs(dtype, is_bounded=cell.name in BOUNDED))

    compare(found.values, wanted.values, rtol, torch.finfo(dtype).tiny)
    # 1 - tanh(x)**2 has lost the digits that the last place of tanh(x) had
    compare(found.gradients, wanted.gradients, rtol, 4 * torch.finfo(dtype).eps)
    for ours, theirs in zip(found.values.values(), wanted.values.values(), strict=True):
        # relu(-0.0) is -0.0 in torch, and 0.0 here
        is_zero = (theirs == 0) & (cell.name != "relu")
        assert torch.equal(ours[is_zero].signbit(), theirs[is_zero].signbit())


def check_special_numbers_in_a_row(cell, dtype):
    rtol, atol = TOLERANCES[dtype]

    found, wanted = both(cell, *spotted(dtype))

    assert any(tensor.isnan().any() for tensor in wanted.values.values())
    compare(found.values, wanted.values, rtol, atol)
    compare(found.gradients, wanted.gradients, rtol, atol)


def both(cell, x, state):
    """Run under both engines."""
    return [run(cell, x, state, engine=engine, loss=linear_loss) for engine in (ENGINE, "eager")]


def compare(found, wanted, rtol, atol):
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        torch.testing.assert_close(
            found[name], expected, rtol=rtol, atol=atol, equal_nan=True, msg=lambda m, n=name: f"{n}: {m}"
        )


def edge_pairs(dtype, *, is_bounded):
    """Pairs of all special numbers, in every column."""
    info = torch.finfo(dtype)
    extremes = [1e-20, 2.0**22] if is_bounded else [info.tiny / 8, info.tiny, 1e-20, info.max]
    positive = [0.0, *extremes, 0.5, 1.0, 1.5, 2.5, 3.0, 1e4, torch.inf]
    numbers = [*positive, *(-number for number in positive), torch.nan]
    pairs = torch.tensor(list(itertools.product(numbers, numbers)), dtype=dtype)
    columns = [torch.stack([pairs.roll(17 * k, 0) for k in range(n)], 1) for n in WIDTHS]
    x = tuple(column[None, ..., 0].clone().requires_grad_() for column in columns)
    return x, tuple(column[..., 1].clone().requires_grad_() for column in columns)


def spotted(dtype):
    """Ordinary numbers, and in each row one or two special ones."""
    x, state = randoms((1, 60), dtype, 3), randoms((60,), dtype, 4)
    specials = [torch.nan, torch.inf, -torch.inf, 0.0, -0.0]
    with torch.no_grad():
        for row, tensor in itertools.product(range(60), (*(a[0] for a in x), *state)):
            if row % 2 == (tensor is state[0]):
                tensor[row, 7 * row % tensor.shape[1]] = specials[row % 5]
    return x, state
