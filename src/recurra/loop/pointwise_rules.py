"""Rules of operations that compute each number by itself, and of constants and random values.

A rule is called where an operand or the result is a row value; what is batch-free on both sides stays with torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from recurra.loop.builder import Builder, Value
from recurra.loop.graph import Node, Rows, words
from recurra.loop.rules import Call, Result, Rule, Rules, registrar

RULES: Rules = {}
rule = registrar(RULES)


# --- pointwise


def _pointwise(op: str, count: int) -> Rule:
    return lambda b, call: b.pointwise(op, *call.args[:count])


RULES |= {
    name: _pointwise(op, 1)
    for name, op in {
        **{name: name for name in words("neg abs sign exp expm1 log log1p sqrt rsqrt reciprocal sin cos tanh")},
        **{name: name for name in words("sigmoid erf relu floor ceil trunc isnan")},
        **{"logical_not": "not", "bitwise_not": "not", "sgn": "sign"},
    }.items()
}
RULES |= {
    name: _pointwise(op, 2)
    for name, op in {
        **{name: name for name in words("minimum maximum remainder fmod eq ne lt le gt ge")},
        **{f"logical_{name}": name for name in ("and", "or", "xor")},
        **{f"bitwise_{name}": name for name in ("and", "or", "xor")},
    }.items()
}


@rule("round")
def _round(b: Builder, call: Call) -> Result:
    if call.kwargs.get("decimals"):
        b.fail("to round to whole numbers", "decimals in round")
    return b.pointwise("round", call.args[0])


@rule("add")
def _add(b: Builder, call: Call) -> Result:
    return b.pointwise("or" if call.dtype == torch.bool else "add", call.args[0], _scaled(b, call))


@rule("sub")
def _sub(b: Builder, call: Call) -> Result:
    return b.pointwise("sub", call.args[0], _scaled(b, call))


def _scaled(b: Builder, call: Call) -> Value:
    factor = call.get(2, "alpha", 1)
    other: Value = call.args[1]
    if factor == 1:
        return other
    return b.pointwise("mul", other, factor) if isinstance(other, Node) else other * factor


@rule("mul")
def _mul(b: Builder, call: Call) -> Result:
    return b.pointwise("and" if call.dtype == torch.bool else "mul", *call.args[:2])


@rule("div", "true_divide")
def _div(b: Builder, call: Call) -> Result:
    left, right = call.args[:2]
    rounding = call.kwargs.get("rounding_mode")
    if rounding == "floor":
        return _floor_divide(b, left, right)
    quotient = b.pointwise("div", left, right)
    return b.pointwise("trunc", quotient) if rounding == "trunc" else quotient


def _floor_divide(b: Builder, left: Value, right: Value) -> Node:
    """Return the whole quotient that goes with the remainder, as torch does; floor of the quotient may be one more."""
    rest = b.pointwise("fmod", left, right)
    quotient = b.pointwise("div", b.pointwise("sub", left, rest), right)
    crosses = b.pointwise("xor", b.pointwise("lt", rest, 0.0), _is_negative(b, right))
    is_lower = b.pointwise("and", crosses, b.pointwise("ne", rest, 0.0))
    quotient = b.where(is_lower, b.pointwise("sub", quotient, 1.0), quotient)
    whole = b.pointwise("floor", quotient)
    is_off = b.pointwise("gt", b.pointwise("sub", quotient, whole), 0.5)
    whole = b.where(is_off, b.pointwise("add", whole, 1.0), whole)
    if not isinstance(right, Node):
        return whole if right else b.pointwise("div", left, right)
    return b.where(b.pointwise("eq", right, 0.0), b.pointwise("div", left, right), whole)


def _is_negative(b: Builder, value: Value) -> Value:
    return b.pointwise("lt", value, 0.0) if isinstance(value, Node) else value < 0


@rule("hardshrink_backward", "softshrink_backward")
def _shrink_backward(b: Builder, call: Call) -> Result:
    gradient, x, width = call.args
    return b.where(b.pointwise("le", b.pointwise("abs", x), width), 0.0, gradient)


@rule("square")
def _square(b: Builder, call: Call) -> Result:
    return b.pointwise("mul", call.args[0], call.args[0])


@rule("pow")
def _pow(b: Builder, call: Call) -> Result:
    base, exponent = call.args
    if isinstance(exponent, Node) and exponent.op == "full":
        exponent = exponent.args[0]
    if not isinstance(base, Node) and isinstance(base, int | float) and base > 0:
        return b.pointwise("exp", b.pointwise("mul", exponent, math.log(base)))
    if isinstance(exponent, Node | Rows):
        b.fail("to take powers whose exponent is a number", "pow with a tensor as its exponent")
    return _power(b, base, float(exponent))


def _power(b: Builder, base: Node, exponent: float) -> Node:
    """Return a power, in the same way as torch for the exponents that torch treats by themselves."""
    if exponent == 0.0:
        return b.full(1.0, base.shape, b.dtype)
    if exponent in (0.5, -0.5):
        return b.pointwise("sqrt" if exponent > 0 else "rsqrt", base)
    if abs(exponent) in (1.0, 2.0, 3.0):
        product = base
        for _ in range(int(abs(exponent)) - 1):
            product = b.pointwise("mul", product, base)
        return product if exponent > 0 else b.pointwise("reciprocal", product)
    return b.pointwise("pow", base, exponent)


def _scaled_log(factor: float) -> Rule:
    return lambda b, call: b.pointwise("mul", b.pointwise("log", call.args[0]), factor)


RULES["log2"] = _scaled_log(1 / math.log(2.0))
RULES["log10"] = _scaled_log(1 / math.log(10.0))


@rule("exp2")
def _exp2(b: Builder, call: Call) -> Result:
    return b.pointwise("exp", b.pointwise("mul", call.args[0], math.log(2.0)))


@rule("tan")
def _tan(b: Builder, call: Call) -> Result:
    return b.pointwise("div", b.pointwise("sin", call.args[0]), b.pointwise("cos", call.args[0]))


@rule("sinh")
def _sinh(b: Builder, call: Call) -> Result:
    # by expm1, as exp loses all digits near zero
    up, down = (b.pointwise("expm1", x) for x in (call.args[0], b.pointwise("neg", call.args[0])))
    return b.pointwise("mul", b.pointwise("sub", up, down), 0.5)


@rule("cosh")
def _cosh(b: Builder, call: Call) -> Result:
    up, down = (b.pointwise("exp", x) for x in (call.args[0], b.pointwise("neg", call.args[0])))
    return b.pointwise("mul", b.pointwise("add", up, down), 0.5)


@rule("isinf")
def _isinf(b: Builder, call: Call) -> Result:
    return b.pointwise("eq", b.pointwise("abs", call.args[0]), math.inf)


@rule("clamp", "clamp_min", "clamp_max", "hardtanh", "relu6")
def _clamp(b: Builder, call: Call) -> Result:
    names = {"clamp_min": ("min", "?"), "clamp_max": ("?", "max")}.get(b.operation, ("min", "max"))
    low, high = call.get(1, names[0]), call.get(2 if names[0] != "?" else 1, names[1])
    if names[1] == "?":
        high = None
    if names[0] == "?":
        low = None
    value = call.args[0]
    value = value if low is None else b.pointwise("maximum", value, low)
    return value if high is None else b.pointwise("minimum", value, high)


@rule("where")
def _where(b: Builder, call: Call) -> Result:
    if len(call.args) != 3:
        b.fail("to choose with all three arguments of where")
    return b.where(*call.args)


@rule("masked_fill")
def _masked_fill(b: Builder, call: Call) -> Result:
    a, mask, value = call.args
    return b.where(mask, value, a)


# --- what stays as it is, and types


@rule("clone", "alias", "alias_copy", "detach", "detach_copy", "contiguous", "lift_fresh", "lift_fresh_copy")
def _same(b: Builder, call: Call) -> Result:
    result: Node = call.args[0]
    return result


@rule("copy")
def _copy(b: Builder, call: Call) -> Result:
    value: Node = call.args[1]
    return b.expand(b.to_bool(value) if call.dtype == torch.bool else b.to_real(value), call.shape)


@rule("_to_copy", "to", "convert_element_type")
def _convert(b: Builder, call: Call) -> Result:
    a: Node = call.args[0]
    if call.dtype == torch.bool:
        return b.to_bool(a)
    if call.dtype != b.dtype:
        b.fail(f"to compute in one floating-point type, {b.dtype}", f"a conversion to {call.dtype}")
    return b.to_real(a)


def _constant(value: float) -> Rule:
    return lambda b, call: _filled(b, call, value)


def _filled(b: Builder, call: Call, value: Any) -> Node:
    if not isinstance(value, bool | int | float):
        b.fail("to fill rows with a number", f"{b.operation} with another value")
    if call.dtype == torch.bool:
        return b.full(bool(value), call.shape, torch.bool)
    if any(isinstance(size, Rows) for size in call.shape) and not call.dtype.is_floating_point:
        b.fail(f"to compute in one floating-point type, {b.dtype}", f"{call.dtype} from {b.operation}")
    return b.full(float(value), call.shape, call.dtype)


RULES |= {
    # memory that is not initialised has any value, so also zero
    name: _constant(0.0)
    for name in words(
        "zeros zeros_like new_zeros empty empty_like new_empty empty_strided new_empty_strided _efficientzerotensor"
    )
}
RULES |= {name: _constant(1.0) for name in ("ones", "ones_like", "new_ones")}
RULES |= {name: lambda b, call: _filled(b, call, call.args[1]) for name in ("full", "full_like", "fill")}
RULES["new_full"] = lambda b, call: _filled(b, call, call.args[2])
RULES["scalar_tensor"] = lambda b, call: _filled(b, call, call.args[0])


# --- random values


def _random(name: str) -> Rule:
    return lambda b, call: _draw(b, call, name)


def _draw(b: Builder, call: Call, name: str, *parameters: float) -> Node:
    if not any(isinstance(size, Rows) for size in call.shape):
        b.fail("to draw random values for each row", f"{b.operation} without a batch axis")
    return b.add("draw", (name, *parameters), call.shape, b.dtype)


RULES |= {name: _random("uniform") for name in ("rand", "rand_like")}
RULES |= {name: _random("normal") for name in ("randn", "randn_like")}


@rule("uniform", "uniform_functional")
def _uniform(b: Builder, call: Call) -> Result:
    low, high = call.get(1, "from", 0.0), call.get(2, "to", 1.0)
    return b.pointwise("add", b.pointwise("mul", _draw(b, call, "uniform"), high - low), low)


@rule("normal_functional")
def _normal(b: Builder, call: Call) -> Result:
    mean, deviation = call.get(1, "mean", 0.0), call.get(2, "std", 1.0)
    return b.pointwise("add", b.pointwise("mul", _draw(b, call, "normal"), deviation), mean)


@rule("bernoulli")
def _bernoulli(b: Builder, call: Call) -> Result:
    if len(call.args) > 1 or "p" in call.kwargs:
        return _draw(b, call, "bernoulli", float(call.get(1, "p")))
    return b.to_real(b.pointwise("lt", _draw(b, call, "uniform"), call.args[0]))
