"""The emitted functions against wider arithmetic, on every width of vectors that this machine can run."""

import functools
import re

import llvmlite.ir as ir
import mpmath  # comes with torch
import numpy as np
import pytest
import torch

from recurra.errors import ArgumentError
from recurra.loop.llvm import math
from recurra.loop.llvm.jit import TARGETS, Target, assembly
from recurra.loop.llvm.vectors import new_function
from tests.support.emitted import (
    BYTES,
    TYPES,
    WIDTHS,
    Compiled,
    assert_close,
    assert_same,
    loop_of,
    specials,
    sweep,
    target_of,
)

BOUNDS = {  # in units of the last place, float32 and float64, as the docstrings say
    "exp": (1.25, 1.25),
    "expm1": (1.75, 2.25),
    "log": (1.0, 1.0),
    "log1p": (1.5, 1.5),
    "tanh": (2.75, 2.75),
    "sigmoid": (2.5, 2.5),
    "softplus": (2.0, 2.0),
    "erf": (1.5, 1.5),
    "sin": (1.75, 2.5),
    "cos": (1.75, 2.5),
    "rsqrt": (1.5, 1.5),
}
EXPONENTS = (-100.25, -5.0, -3.0, -1.5, -1.0, -0.5, 0.0, 0.1, 1 / 3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 7.0, 31.0, 1e5)


needs_long_double = pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long double is no wider here")


@functools.cache
def compiled(name, width, item_bytes, arity=1):
    return Compiled(getattr(math, name), width, item_bytes, arity)


@pytest.fixture(autouse=True)
def quiet_numpy():
    """Overflow and NaN are what these tests are about."""
    with np.errstate(all="ignore"):
        yield


# --- what should come out


def wide_sigmoid(x):
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, np.where(np.isnan(x), x, 1)) / (1 + small)


def wide_softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def wide_erf(x):
    if x.dtype == np.float64:
        return torch.erf(torch.from_numpy(x)).numpy()
    values = np.array([np.longdouble(mpmath.nstr(mpmath.erf(float(value)), 25)) for value in x])
    return np.copysign(values, x)  # mpmath knows no -0


WIDE = {
    "sigmoid": wide_sigmoid,
    "softplus": wide_softplus,
    "erf": wide_erf,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


@functools.cache
def truth(name, item_bytes):
    """Inputs of a function, and its values in the next wider arithmetic."""
    count = {4: 2_000_000, 8: 200_000}[item_bytes]
    x = sweep(item_bytes, 2_000 if (name, item_bytes) == ("erf", 8) else count)
    if name in ("sin", "cos"):
        x = x[np.isnan(x) | (np.abs(x) <= 2.0**23)]
    wide = x.astype(np.float64 if item_bytes == 4 else np.longdouble)
    return x, WIDE.get(name, getattr(np, name, None))(wide)


# --- functions of one vector


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BOUNDS)
def test_float32_is_within_the_bound_over_the_whole_range(name, width):
    x, expected = truth(name, 4)

    got = compiled(name, width, 4)(x)

    assert_close(x, got, expected, BOUNDS[name][0])


@needs_long_double
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BOUNDS)
def test_float64_is_within_the_bound_over_the_whole_range(name, width):
    x, expected = truth(name, 8)

    got = compiled(name, width, 8)(x)

    assert_close(x, got, expected, BOUNDS[name][1])


@pytest.mark.slow
@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid"])
def test_every_float32_is_within_the_bound(name, quarter):
    function, bound = compiled(name, WIDTHS[0], 4), BOUNDS[name][0]
    for start in range(quarter * 2**30, (quarter + 1) * 2**30, 2**20):
        x = np.arange(start, start + 2**20, dtype=np.uint32).view(np.float32)

        got, expected = function(x), getattr(torch, name)(torch.from_numpy(x).double()).numpy()

        # a unit is at least half of epsilon times the number: only where that does not settle it, look closer
        settled = (np.abs(got - expected) <= bound * 2.0**-24 * np.abs(expected)) | (got == expected)
        if not settled.all():
            assert_close(x[~settled], got[~settled], expected[~settled], bound)


def test_every_function_has_a_bound():
    assert set(BOUNDS) == set(math.FUNCTIONS)


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["tanh", "erf", "sin"])
def test_odd_functions_are_odd_to_the_last_bit(name, width, item_bytes):
    x = sweep(item_bytes, 20_000)
    function = compiled(name, width, item_bytes)

    assert_same(function(-x), -function(x))


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("name", "low"), [("tanh", -1.0), ("erf", -1.0), ("sigmoid", 0.0), ("sin", -1.0), ("cos", -1.0)]
)
def test_bounded_functions_stay_in_their_range(name, low, width, item_bytes):
    x = sweep(item_bytes, 200_000)

    got = compiled(name, width, item_bytes)(x)

    assert np.nanmax(got) == 1.0
    assert low <= np.nanmin(got) <= low + 1e-6


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["exp", "sigmoid"])
def test_subnormal_results_are_not_flushed(name, width, item_bytes):
    info = np.finfo(TYPES[item_bytes])
    x = np.linspace(np.log(info.smallest_subnormal), np.log(info.tiny), 1000).astype(TYPES[item_bytes])

    got = compiled(name, width, item_bytes)(x)

    assert np.count_nonzero((got > 0) & (got < info.tiny)) > 900


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_go_on_beyond_the_limit_of_the_quick_way(name, width, item_bytes):
    limit = TYPES[item_bytes](2.0**23)
    x = np.array([limit, -limit, np.nextafter(limit, np.inf), 1.7e9, -1e30, np.inf, -np.inf], TYPES[item_bytes])

    got = compiled(name, width, item_bytes)(x)

    assert np.isnan(got).tolist() == [False] * 5 + [True] * 2
    wanted = getattr(np, name)(x[:5].astype(np.float64))
    np.testing.assert_allclose(got[:5], wanted, rtol=4 * np.finfo(TYPES[item_bytes]).eps)


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sign", "round"])
def test_steps_are_torchs(name, width, item_bytes):
    halves = np.arange(-50, 50).astype(TYPES[item_bytes]) / 2
    x = np.concatenate([sweep(item_bytes, 100_000), halves])

    got = compiled(name, width, item_bytes)(x)

    assert_same(got, getattr(torch, name)(torch.from_numpy(x)).numpy())


# --- powers


@functools.cache
def compiled_power(exponent, width, item_bytes):
    return Compiled(lambda e, x: math.power(e, x, exponent), width, item_bytes)


def wide_power(x, exponent):
    if x.dtype == np.float32:
        return torch.pow(torch.from_numpy(x).double(), exponent).numpy()
    wide = np.power(x.astype(np.longdouble), np.longdouble(exponent))
    # torch takes half powers as roots, which know no positive root of -inf and keep the sign of zero
    return {0.5: np.sqrt(x.astype(np.longdouble)), -0.5: 1 / np.sqrt(x.astype(np.longdouble))}.get(exponent, wide)


def power_bound(exponent, item_bytes):
    if exponent in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0):
        return 2.0
    return 0.51 if item_bytes == 4 else 2.0 + 0.75 * abs(exponent)


@needs_long_double
@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_are_within_the_bound(exponent, width, item_bytes):
    x = sweep(item_bytes, 40_000)

    got = compiled_power(exponent, width, item_bytes)(x)

    assert_close(x, got, wide_power(x, exponent), power_bound(exponent, item_bytes))


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("exponent", [*EXPONENTS, -2.0])
def test_powers_of_special_numbers_are_torchs(exponent, width, item_bytes):
    zeros_and_infinities = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1.0] * 8, TYPES[item_bytes])

    got = compiled_power(exponent, width, item_bytes)(zeros_and_infinities)

    assert_same(got, torch.pow(torch.from_numpy(zeros_and_infinities), exponent).numpy())


@pytest.mark.parametrize("exponent", [float("nan"), float("inf"), -float("inf"), 2.0**21])
def test_exponents_out_of_range_are_refused(exponent):
    with pytest.raises(ArgumentError) as caught:
        loop_of(lambda e, x: math.power(e, x, exponent), target_of(WIDTHS[0]), 4, 1)

    assert str(caught.value) == f"power expected an exponent from -2**20 to 2**20, got {exponent}"


# --- functions of two vectors


@functools.cache
def pairs(item_bytes):
    """Any numbers, numbers with moderate quotients, whole numbers, and every special with every other."""
    generator = np.random.default_rng(3)
    count, dtype = 100_000, TYPES[item_bytes]
    any_number = sweep(item_bytes, count)
    crossed = np.meshgrid(specials(item_bytes), specials(item_bytes))
    a = [any_number, generator.normal(0, 1e4, count), generator.integers(-300, 300, count), crossed[0].ravel()]
    b = [generator.permutation(any_number), generator.normal(0, 1, count), generator.integers(-9, 9, count)]
    return tuple(np.concatenate(part).astype(dtype) for part in (a, [*b, crossed[1].ravel()]))


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["minimum", "maximum"])
def test_extremes_are_torchs(name, width, item_bytes):
    a, b = pairs(item_bytes)

    got = compiled(name, width, item_bytes, 2)(a, b)

    assert_same(got, getattr(torch, name)(torch.from_numpy(a), torch.from_numpy(b)).numpy())


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
def test_fmod_is_exact_for_any_quotient(width, item_bytes):
    a, b = pairs(item_bytes)

    got = compiled("fmod", width, item_bytes, 2)(a, b)

    assert_same(got, np.fmod(a, b))


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
def test_fmod_is_exact_where_the_quotient_is_nearly_whole(width, item_bytes):
    generator = np.random.default_rng(5)
    b = generator.normal(0, 1, 200_000).astype(TYPES[item_bytes])
    a = np.nextafter(b * generator.integers(1, 2**20, len(b)).astype(b.dtype), TYPES[item_bytes](0))

    got = compiled("fmod", width, item_bytes, 2)(a, b)

    assert_same(got, np.fmod(a, b))


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", WIDTHS)
def test_remainder_is_torchs(width, item_bytes):
    a, b = pairs(item_bytes)
    # for quotients that overflow torch's vectors give NaN and its single numbers do not
    usual = ~(np.isinf(a / b) & np.isfinite(a) & (b != 0))

    got = compiled("remainder", width, item_bytes, 2)(a, b)

    assert_same(got[usual], torch.remainder(torch.from_numpy(a[usual]), torch.from_numpy(b[usual])).numpy())


# --- the code itself


@pytest.mark.parametrize("item_bytes", BYTES)
@pytest.mark.parametrize("width", TARGETS)
def test_no_function_but_sine_and_cosine_of_large_numbers_calls_a_library(width, item_bytes):
    functions = {**math.FUNCTIONS, "sign": math.sign, "round": math.round, "power": lambda e, x: math.power(e, x, 1.7)}
    for name in functions.keys() - {"sin", "cos"}:
        function = functions[name]
        text = assembly(loop_of(function, TARGETS[width], item_bytes, 1), TARGETS[width])

        assert re.findall(r"^\s+(?:callq?|bl|jmpq?\s+\*|blr)\s.*", text, re.MULTILINE) == [], name


def test_multiply_and_add_is_fused_only_where_there_is_an_instruction():
    def has_fma(triple, features):
        target = Target(triple, "", features, 16, 4, 2)
        with new_function(ir.Module(), "f", [], target, 4) as (e, _):
            return e.has_fma

    assert has_fma("x86_64-unknown-linux-gnu", "+sse2,+fma,+avx2")
    assert not has_fma("x86_64-unknown-linux-gnu", "+sse2,-fma,+fma4")
    assert has_fma("aarch64-apple-darwin", "+neon")
    assert has_fma("arm64-apple-darwin", "")
