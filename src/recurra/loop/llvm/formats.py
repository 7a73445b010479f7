"""Pieces of functions on vectors that work on the fields of floating-point formats: powers of two, parts, widths."""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from recurra.loop.llvm.polynomials import precision
from recurra.loop.llvm.vectors import Emitter, Value, i32

_LOG2_E = 1.4426950408889634

# --- bits and bounds


def bits_of(e: Emitter, x: Value) -> Value:
    """Return the bits of real numbers as integers."""
    return e.b.bitcast(x, e.integers)


def real_of(e: Emitter, bits: Value) -> Value:
    """Return the real numbers that have these bits."""
    return e.b.bitcast(bits, e.vector)


def polynomial(e: Emitter, x: Value, coefficients: tuple[float, ...]) -> Value:
    """Return the sum of coefficients[k] * x**k, by Horner's rule."""
    *others, value = map(e.constant, coefficients)
    for coefficient in reversed(others):
        value = e.fma(value, x, coefficient)
    return value


def at_least(e: Emitter, x: Value, low: float) -> Value:
    """Return the larger of x and a number; NaN stays."""
    # a comparison that NaN fails, so that NaN stays
    return e.select(e.b.fcmp_ordered("<", x, e.constant(low)), e.constant(low), x)


def at_most(e: Emitter, x: Value, high: float) -> Value:
    """Return the smaller of x and a number; NaN stays."""
    return e.select(e.b.fcmp_ordered(">", x, e.constant(high)), e.constant(high), x)


def is_below(e: Emitter, x: Value, bound: float) -> Value:
    """Return the lanes whose magnitude is below a number; NaN is not."""
    return e.b.fcmp_ordered("<", e.intrinsic("fabs", x), e.constant(bound))


def scales_in_one_instruction(e: Emitter) -> bool:
    """Whether the target multiplies by any power of two at once (AVX-512)."""
    return "+avx512f" in e.target.features.split(",") and e.lanes * e.item_bytes == 64


# --- x = n * ln 2 + rest


class Exponent:
    """What is left of x when whole multiples of ln 2 are taken away: x = n * step * ln 2 + rest.

    Attributes:
        n: The multiple, a whole number as a real one.
        bits: Integers whose lowest bits are n + bias: the rounding leaves them there.
        rest: At most step * ln(2)/2 in magnitude.
    """

    def __init__(self, e: Emitter, x: Value, bias: int, step: float = 1.0) -> None:
        p = precision(e.item_bytes)
        rounder = e.constant(p.rounder + bias)
        rounded = e.fma(x, e.constant(_LOG2_E / step), rounder)
        self.n = e.b.fsub(rounded, rounder)
        self.bits = bits_of(e, rounded)
        self.rest = e.fma(self.n, e.constant(-p.ln2_high * step), x)
        self.rest = e.fma(self.n, e.constant(-p.ln2_low * step), self.rest)

    def power(self, e: Emitter) -> Value:
        """Return 2**n if the bias is that of the format; 2**(n + j) if it is j more."""
        field = e.integer_constant(precision(e.item_bytes).mantissa_bits)
        return real_of(e, e.b.shl(self.bits, field))


def scale(e: Emitter, x: Value, exponent: Exponent) -> Value:
    """Return x * 2**n, rounded once, for an exponent made with twice the format's bias."""
    if scales_in_one_instruction(e):
        kind = "ps" if e.item_bytes == 4 else "pd"
        mask = ir.IntType(16 if e.item_bytes == 4 else 8)
        arguments = (e.vector, e.vector, e.vector, mask, i32)
        function = e.declare(f"llvm.x86.avx512.mask.scalef.{kind}.512", e.vector, arguments)
        rounding = ir.Constant(i32, 4)  # as the thread has it: to nearest
        return e.b.call(function, [x, exponent.n, e.constant(0.0), ir.Constant(mask, -1), rounding])
    # 2**n may lie outside the range of normal numbers: two factors of half the exponent do not
    field = e.integer_constant(precision(e.item_bytes).mantissa_bits)
    half = e.b.shl(e.b.lshr(exponent.bits, e.integer_constant(1)), field)
    other = e.b.sub(e.b.shl(exponent.bits, field), half)
    return e.b.fmul(e.b.fmul(x, real_of(e, half)), real_of(e, other))


# --- x = m * 2**k


def mantissa_and_exponent(e: Emitter, x: Value) -> tuple[Value, Value]:
    """Return m in [sqrt(1/2), sqrt(2)] and the biased integer k with x = m * 2**(k - bias), for positive normal x."""
    p = precision(e.item_bytes)
    field = e.integer_constant(p.mantissa_bits)
    root = bits_of(e, e.constant(0.5**0.5))
    one = e.integer_constant(p.bias << p.mantissa_bits)
    shifted = e.b.add(e.b.sub(bits_of(e, x), root), one)
    fraction = e.b.and_(shifted, e.integer_constant((1 << p.mantissa_bits) - 1))
    return real_of(e, e.b.add(fraction, root)), e.b.lshr(shifted, field)


def unbiased(e: Emitter, k: Value, offset: Value) -> Value:
    """Return k - offset as real numbers, for the biased k above; few processors convert integers of 64 bits."""
    p = precision(e.item_bytes)
    base = 2.0**p.mantissa_bits
    return e.b.fsub(real_of(e, e.b.or_(k, bits_of(e, e.constant(base)))), e.b.fadd(offset, e.constant(base)))


def log_sum(e: Emitter, f: Value, k: Value) -> Value:
    """Return log(1 + f) + k ln 2."""
    p = precision(e.item_bytes)
    square = e.b.fmul(f, f)
    low = e.b.fmul(k, e.constant(p.ln2_low))
    if e.item_bytes == 4:
        low = e.fma(e.b.fmul(f, square), polynomial(e, f, p.log), low)
        low = e.fma(square, e.constant(-0.5), low)
    else:
        # in s = f / (2 + f): f - f**2/2 + s * (f**2/2 + s**2 * polynomial)
        s = e.b.fdiv(f, e.b.fadd(f, e.constant(2.0)))
        z = e.b.fmul(s, s)
        half_square = e.b.fmul(square, e.constant(0.5))
        series = e.fma(z, polynomial(e, z, p.log), half_square)
        low = e.b.fsub(e.fma(s, series, low), half_square)
    return e.fma(k, e.constant(p.ln2_high), e.b.fadd(f, low))


# --- float32 numbers in float64


def in_double(e: Emitter, x: Value, function: Callable[[Emitter, Value], tuple[Value, ...]]) -> tuple[Value, ...]:
    """Evaluate a function of float64 for float32 numbers, in as many registers as it takes; integers are cut too."""
    wide = Emitter(e.module, e.b, e.target, 8)
    pieces = []
    for start in range(0, e.lanes, wide.lanes):
        lanes = ir.Constant(ir.VectorType(i32, wide.lanes), list(range(start, start + wide.lanes)))
        piece = e.b.shuffle_vector(x, ir.Constant(e.vector, ir.Undefined), lanes)
        pieces.append(function(wide, e.b.fpext(piece, wide.vector)))
    return tuple(_joined(e, wide, values) for values in zip(*pieces, strict=True))


def _joined(e: Emitter, wide: Emitter, values: tuple[Value, ...]) -> Value:
    is_real = values[0].type == wide.vector
    narrow = ir.VectorType(e.real if is_real else e.integer, wide.lanes)
    parts = [e.b.fptrunc(value, narrow) if is_real else e.b.trunc(value, narrow) for value in values]
    while len(parts) > 1:
        count = 2 * parts[0].type.count
        lanes = ir.Constant(ir.VectorType(i32, count), list(range(count)))
        parts = [e.b.shuffle_vector(a, b, lanes) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
