"""Functions on vectors, as straight instructions: exp, log, tanh and their like, to about two units in the last place.

Nothing here branches or calls a library (``fmod`` and ``remainder``, and ``sin`` and ``cos`` of large numbers, apart),
and nothing flushes subnormal numbers.
NaN in gives NaN out, and values beyond a function's range give what torch gives: 0, an infinity or NaN.
The errors in the docstrings are what the tests allow, in units of the last place (ulp) of the true result, on every
target; where there are two, they are for float32 and float64.
"""

from __future__ import annotations

import math as stdlib_math
from collections.abc import Callable

from recurra.errors import ArgumentError
from recurra.loop.llvm.formats import (
    Exponent,
    at_least,
    at_most,
    bits_of,
    in_double,
    is_below,
    log_sum,
    mantissa_and_exponent,
    polynomial,
    real_of,
    scale,
    scales_in_one_instruction,
    unbiased,
)
from recurra.loop.llvm.polynomials import HALF_PI_PARTS, TRIGONOMETRIC_LIMIT, precision
from recurra.loop.llvm.vectors import Emitter, Value, i1

_INFINITY = float("inf")
_NAN = float("nan")

# --- the exponential and its family


def exp(e: Emitter, x: Value) -> Value:
    """Return e**x; within 1.25 ulp, subnormal results included."""
    p = precision(e.item_bytes)
    low, high = p.exp_range
    exponent = Exponent(e, at_most(e, at_least(e, x, low), high), 2 * p.bias)
    return scale(e, polynomial(e, exponent.rest, (1.0, 1.0, *p.exp)), exponent)


def expm1(e: Emitter, x: Value) -> Value:
    """Return e**x - 1, relatively accurate near zero; within 1.75 and 2.25 ulp."""
    p = precision(e.item_bytes)
    bounded = at_most(e, at_least(e, x, p.expm1_low), p.exp_range[1])
    exponent = Exponent(e, bounded, p.bias - 1)  # half of everything: 2**n itself may overflow
    r, half = exponent.rest, exponent.power(e)
    small = e.fma(e.b.fmul(r, r), polynomial(e, r, p.exp), r)
    result = e.fma(half, small, e.b.fsub(half, e.constant(0.5)))
    result = e.b.fadd(result, result)
    return e.select(is_below(e, x, p.tiny), x, result)


def tanh(e: Emitter, x: Value) -> Value:
    """Return the hyperbolic tangent, odd to the last bit, never beyond 1; within 2.75 ulp."""
    p = precision(e.item_bytes)
    magnitude = at_most(e, e.intrinsic("fabs", x), p.tanh_high)
    # with E = exp(2x) = 2**n * exp(2r): (E - 1)/2 over (E + 1)/2, each exact but for one rounding
    exponent = Exponent(e, magnitude, p.bias, step=0.5)
    r, scaled = exponent.rest, exponent.power(e)
    doubled = tuple(c * 2.0 ** (k + 1) for k, c in enumerate(p.exp))
    small = e.fma(e.b.fmul(r, r), polynomial(e, r, doubled), r)  # (exp(2r) - 1)/2
    above = e.fma(scaled, small, e.fma(scaled, e.constant(0.5), e.constant(-0.5)))
    result = e.b.fdiv(above, e.b.fadd(above, e.constant(1.0)))
    return e.intrinsic("copysign", result, x)


def sigmoid(e: Emitter, x: Value) -> Value:
    """Return 1 / (1 + exp(-x)), subnormal results included; within 2.5 ulp."""
    p = precision(e.item_bytes)
    bounded = at_most(e, at_least(e, x, p.exp_range[0]), 40.0)
    if scales_in_one_instruction(e):
        exponent = Exponent(e, bounded, 2 * p.bias)
        scaled = scale(e, polynomial(e, exponent.rest, (1.0, 1.0, *p.exp)), exponent)
    else:
        # with x <= 40 one constant shift keeps all powers of two in range
        shift = (p.bias + 1) // 2
        exponent = Exponent(e, bounded, p.bias + shift)
        scaled = e.b.fmul(polynomial(e, exponent.rest, (1.0, 1.0, *p.exp)), exponent.power(e))
        scaled = e.b.fmul(scaled, e.constant(2.0**-shift))
    return e.b.fdiv(scaled, e.b.fadd(scaled, e.constant(1.0)))


def softplus(e: Emitter, x: Value) -> Value:
    """Return log(1 + exp(x)); within 2 ulp. torch's own gives x itself above its threshold."""
    tail = log1p(e, exp(e, e.b.fneg(e.intrinsic("fabs", x))))
    return e.b.fadd(at_least(e, x, 0.0), tail)


# --- the logarithm and its family


def log(e: Emitter, x: Value) -> Value:
    """Return the natural logarithm, of subnormal numbers too; within 1 ulp."""
    p = precision(e.item_bytes)
    subnormal = e.b.fcmp_ordered("<", x, e.constant(p.smallest_normal))
    shift = p.mantissa_bits + 1
    scaled = e.select(subnormal, e.b.fmul(x, e.constant(2.0**shift)), x)
    m, k = mantissa_and_exponent(e, scaled)
    k = unbiased(e, k, e.select(subnormal, e.constant(p.bias + shift), e.constant(p.bias)))
    result = log_sum(e, e.b.fsub(m, e.constant(1.0)), k)
    return _log_specials(e, x, x, result)


def _log_specials(e: Emitter, x: Value, inner: Value, result: Value) -> Value:
    """Return the result where the logarithm's argument ``inner`` is positive and finite, else what it must be."""
    zero = e.constant(0.0)
    result = e.select(e.b.fcmp_ordered("<", x, e.constant(_INFINITY)), result, x)
    other = e.select(e.b.fcmp_ordered("==", inner, zero), e.constant(-_INFINITY), e.constant(_NAN))
    return e.select(e.b.fcmp_ordered(">", inner, zero), result, other)


def log1p(e: Emitter, x: Value) -> Value:
    """Return log(1 + x), relatively accurate near zero; within 1.5 ulp."""
    p = precision(e.item_bytes)
    total = e.b.fadd(x, e.constant(1.0))
    k = mantissa_and_exponent(e, total)[1]
    # 2**(2 - k), for 2**-k itself may be subnormal; f = (1 + x) * 2**-k - 1 is rounded once
    field = e.b.sub(e.integer_constant(2 * p.bias + 2), k)
    factor = real_of(e, e.b.shl(field, e.integer_constant(p.mantissa_bits)))
    quarter = e.constant(0.25)
    f = e.fma(factor, e.b.fmul(x, quarter), e.fma(factor, quarter, e.constant(-1.0)))
    result = log_sum(e, f, unbiased(e, k, e.constant(p.bias)))
    result = e.select(is_below(e, x, p.tiny), x, result)
    return _log_specials(e, x, total, result)


# --- erf, sine and cosine, roots


def erf(e: Emitter, x: Value) -> Value:
    """Return the error function, odd to the last bit, never beyond 1; within 1.5 ulp."""
    p = precision(e.item_bytes)
    small = e.fma(polynomial(e, e.b.fmul(x, x), p.erf_small), x, x)
    magnitude = e.intrinsic("fabs", x)
    logarithm = polynomial(e, at_most(e, magnitude, p.erf_high), p.erf_large)
    large = e.b.fsub(e.constant(1.0), exp(e, logarithm))
    large = e.intrinsic("copysign", large, x)
    return e.select(is_below(e, x, p.erf_seam), small, large)


def sin(e: Emitter, x: Value) -> Value:
    """Return the sine, accurate near all its zeros; within 1.75 and 2.5 ulp; by the C library beyond 2**23."""
    turned = _turned(e, x, 0)
    value = e.select(is_below(e, x, precision(e.item_bytes).tiny), x, turned)  # keeps -0
    return _unless(e, _is_moderate(e, x), value, lambda: e.select(_is_moderate(e, x), value, e.intrinsic("sin", x)))


def cos(e: Emitter, x: Value) -> Value:
    """Return the cosine, accurate near all its zeros; within 1.75 and 2.5 ulp; by the C library beyond 2**23."""
    value = _turned(e, x, 1)
    return _unless(e, _is_moderate(e, x), value, lambda: e.select(_is_moderate(e, x), value, e.intrinsic("cos", x)))


def _is_moderate(e: Emitter, x: Value) -> Value:
    """Where the reduction by multiples of pi/2 is exact enough; also at infinities and NaN, which it makes NaN."""
    return e.b.not_(e.b.and_(e.b.not_(is_below(e, x, 2.0**23)), is_below(e, x, _INFINITY)))


def _turned(e: Emitter, x: Value, quarters: int) -> Value:
    """Return sin(x + quarters * pi/2)."""
    p = precision(e.item_bytes)
    r, quadrant = _reduced(e, x) if e.item_bytes == 8 else in_double(e, x, _reduced)
    quadrant = e.b.add(quadrant, e.integer_constant(quarters))
    z = e.b.fmul(r, r)
    sine = e.fma(e.b.fmul(r, z), polynomial(e, z, p.sin), r)
    cosine = e.fma(e.b.fmul(z, z), polynomial(e, z, p.cos), e.fma(z, e.constant(-0.5), e.constant(1.0)))
    is_odd = e.b.trunc(quadrant, e.bits)
    half_turn = e.b.and_(quadrant, e.integer_constant(2))
    sign = e.b.shl(half_turn, e.integer_constant(8 * e.item_bytes - 2))
    return real_of(e, e.b.xor(bits_of(e, e.select(is_odd, cosine, sine)), sign))


def _reduced(e: Emitter, x: Value) -> tuple[Value, Value]:
    """Return r in [-pi/4, pi/4] and the integer q with x = q * pi/2 + r, for float64."""
    rounder = e.constant(precision(8).rounder)
    rounded = e.fma(x, e.constant(1.0 / (HALF_PI_PARTS[0] + HALF_PI_PARTS[1])), rounder)
    n = e.b.fsub(rounded, rounder)
    r = x
    for part in HALF_PI_PARTS:
        r = e.fma(n, e.constant(-part), r)
    magnitude = e.intrinsic("fabs", x)
    r = e.select(e.b.fcmp_ordered("<=", magnitude, e.constant(TRIGONOMETRIC_LIMIT)), r, e.constant(_NAN))
    return r, bits_of(e, rounded)


def rsqrt(e: Emitter, x: Value) -> Value:
    """Return 1 / sqrt(x), both correctly rounded; within 1.5 ulp."""
    return e.b.fdiv(e.constant(1.0), e.intrinsic("sqrt", x))


# --- powers


def power(e: Emitter, x: Value, exponent: float) -> Value:
    """Return x**exponent as ``torch.pow`` does.

    Exponents -2, -1, -0.5, 0, 0.5, 1, 2, 3 and 4 are products, roots and reciprocals, as in torch: within 2 ulp, and
    x**-2 is 0 where x**2 overflows. Others go through a logarithm: within 0.51 ulp in float32, which is widened for
    it; in float64 within 2 ulp and three quarters for each unit of the exponent.

    Raises:
        ArgumentError: When the exponent is not finite, or beyond 2**20 in magnitude.
    """
    if not abs(exponent) <= 2.0**20:
        raise ArgumentError(f"power expected an exponent from -2**20 to 2**20, got {exponent}")
    if abs(exponent) == 0.5:
        return e.intrinsic("sqrt", x) if exponent > 0 else rsqrt(e, x)
    if exponent in (0.0, 1.0, 2.0, 3.0, 4.0):
        return _product(e, x, int(exponent))
    if exponent in (-1.0, -2.0):
        return e.b.fdiv(e.constant(1.0), _product(e, x, int(-exponent)))
    if e.item_bytes == 4:
        return in_double(e, x, lambda wide, value: (_general_power(wide, value, exponent),))[0]
    return _general_power(e, x, exponent)


def _product(e: Emitter, x: Value, count: int) -> Value:
    if count == 0:
        return e.constant(1.0)
    if count == 4:
        square = e.b.fmul(x, x)
        return e.b.fmul(square, square)
    result = x
    for _ in range(count - 1):
        result = e.b.fmul(result, x)
    return result


def _general_power(e: Emitter, x: Value, exponent: float) -> Value:
    """Return x**exponent in float64, as 2**(k * exponent) * m**exponent with x = m * 2**k."""
    p = precision(8)
    magnitude = e.intrinsic("fabs", x)
    subnormal = e.b.fcmp_ordered("<", magnitude, e.constant(p.smallest_normal))
    scaled = e.select(subnormal, e.b.fmul(magnitude, e.constant(2.0**54)), magnitude)
    m, k = mantissa_and_exponent(e, scaled)
    k = unbiased(e, k, e.select(subnormal, e.constant(p.bias + 54), e.constant(p.bias)))
    # few enough bits of the exponent that k * high, and what is left of it behind the point, are exact
    unit = 2.0 ** (stdlib_math.frexp(exponent)[1] - 40)
    high = stdlib_math.floor(exponent / unit) * unit
    rounder = e.constant(p.rounder)
    whole = e.fma(k, e.constant(high), rounder)
    whole = e.b.fsub(whole, rounder)
    behind = e.fma(k, e.constant(exponent - high), e.b.fsub(e.b.fmul(k, e.constant(high)), whole))
    logarithm = log_sum(e, e.b.fsub(m, e.constant(1.0)), e.constant(0.0))
    rest = e.fma(behind, e.constant(p.ln2_high + p.ln2_low), e.b.fmul(logarithm, e.constant(exponent)))
    inner = Exponent(e, rest, 0)
    total = at_most(e, at_least(e, e.b.fadd(whole, inner.n), -1100.0), 1100.0)
    inner.n, inner.bits = total, bits_of(e, e.b.fadd(total, e.constant(p.rounder + 2 * p.bias)))
    result = scale(e, polynomial(e, inner.rest, (1.0, 1.0, *p.exp)), inner)
    return _power_specials(e, x, magnitude, exponent, result)


def _power_specials(e: Emitter, x: Value, magnitude: Value, exponent: float, result: Value) -> Value:
    zero, infinity = e.constant(0.0), e.constant(_INFINITY)
    at_zero, at_infinity = (zero, infinity) if exponent > 0 else (infinity, zero)
    result = e.select(e.b.fcmp_ordered("==", magnitude, zero), at_zero, result)
    result = e.select(e.b.fcmp_ordered("==", magnitude, infinity), at_infinity, result)
    if exponent % 2.0 == 1.0:
        result = e.intrinsic("copysign", result, x)
    elif exponent % 1.0 != 0.0:
        # infinity has no sign here
        below = e.b.and_(e.b.fcmp_ordered("<", x, zero), e.b.fcmp_ordered(">", x, e.constant(-_INFINITY)))
        result = e.select(below, e.constant(_NAN), result)
    return e.select(e.b.fcmp_unordered("uno", x, x), x, result)


# --- of two vectors, and steps


def fmod(e: Emitter, a: Value, b: Value) -> Value:
    """Return what is left of a after whole multiples of b, with the sign of a; exact.

    Quotients of up to half the mantissa's range take a few instructions; if one in the vector is larger, or the target
    has no fused multiply-add, the C library is called for each lane.
    Where a / b overflows, torch's own vectors give NaN, and its last few numbers what this gives.
    """
    if not e.has_fma:
        return e.b.frem(a, b)
    quotient = e.intrinsic("trunc", e.b.fdiv(a, b))
    finite = is_below(e, b, _INFINITY)
    quick = e.b.and_(finite, is_below(e, quotient, 2.0 ** (precision(e.item_bytes).mantissa_bits - 1)))
    rest = e.fma(e.b.fneg(quotient), b, a)
    # a quotient just below a whole number may have been rounded up to it
    overshot = e.b.and_(_have_opposite_signs(e, rest, a), e.b.fcmp_unordered("!=", rest, e.constant(0.0)))
    rest = e.select(overshot, e.b.fadd(rest, e.intrinsic("copysign", b, a)), rest)
    rest = e.intrinsic("copysign", rest, a)
    return _unless(e, quick, rest, lambda: e.b.frem(a, b))


def _unless(e: Emitter, quick: Value, fast: Value, exact: Callable[[], Value]) -> Value:
    """Return ``fast`` if all lanes of ``quick`` are true, else what ``exact`` emits, which may call the C library."""
    before = e.b.block
    slow, after = (e.b.append_basic_block(name) for name in ("slow", "done"))
    reduce = e.declare(f"llvm.vector.reduce.and.v{e.lanes}i1", i1, (e.bits,))
    e.b.cbranch(e.b.call(reduce, [quick]), after, slow)
    e.b.position_at_end(slow)
    value = exact()
    e.b.branch(after)
    e.b.position_at_end(after)
    result = e.b.phi(e.vector)
    result.add_incoming(fast, before)
    result.add_incoming(value, slow)
    return result


def _have_opposite_signs(e: Emitter, a: Value, b: Value) -> Value:
    return e.b.icmp_signed("<", e.b.xor(bits_of(e, a), bits_of(e, b)), e.integer_constant(0))


def remainder(e: Emitter, a: Value, b: Value) -> Value:
    """Return :func:`fmod` made to have the sign of b by adding b, as ``torch.remainder`` does."""
    rest = fmod(e, a, b)
    differs = e.b.xor(
        e.b.fcmp_ordered("<", rest, e.constant(0.0)),
        e.b.fcmp_ordered("<", b, e.constant(0.0)),
    )
    moved = e.b.and_(differs, e.b.fcmp_unordered("!=", rest, e.constant(0.0)))
    return e.select(moved, e.b.fadd(rest, b), rest)


def minimum(e: Emitter, a: Value, b: Value) -> Value:
    """Return the smaller of a and b, NaN if either is."""
    return _first_if_nan(e, a, e.select(e.b.fcmp_ordered("<", a, b), a, b))


def maximum(e: Emitter, a: Value, b: Value) -> Value:
    """Return the larger of a and b, NaN if either is."""
    return _first_if_nan(e, a, e.select(e.b.fcmp_ordered(">", a, b), a, b))


def _first_if_nan(e: Emitter, a: Value, other: Value) -> Value:
    return e.select(e.b.fcmp_unordered("uno", a, a), a, other)


def sign(e: Emitter, x: Value) -> Value:
    """Return -1, 0 or 1; 0 for NaN, as torch does."""
    zero, one = e.constant(0.0), e.constant(1.0)
    positive = e.select(e.b.fcmp_ordered(">", x, zero), one, zero)
    return e.select(e.b.fcmp_ordered("<", x, zero), e.constant(-1.0), positive)


def round(e: Emitter, x: Value) -> Value:
    """Return the nearest whole number, the even one of two."""
    if e.has_fma:  # then it has an instruction for this, too
        return e.intrinsic("roundeven", x)
    bound = 2.0 ** precision(e.item_bytes).mantissa_bits
    magnitude = e.intrinsic("fabs", x)
    whole = e.b.fsub(e.b.fadd(magnitude, e.constant(bound)), e.constant(bound))
    return e.intrinsic("copysign", e.select(is_below(e, x, bound), whole, magnitude), x)


FUNCTIONS: dict[str, Callable[[Emitter, Value], Value]] = {
    function.__name__: function for function in (exp, expm1, log, log1p, tanh, sigmoid, softplus, erf, sin, cos, rsqrt)
}
"""The functions of one vector by their names in torch."""
