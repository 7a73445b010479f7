"""Emitted functions as functions of numpy arrays, numbers to try them on, and errors in units of the last place."""

import ctypes
import dataclasses
import functools

import llvmlite.ir as ir
import numpy as np

from recurra.loop.llvm.jit import TARGETS, compile_module, host_target
from recurra.loop.llvm.polynomials import precision
from recurra.loop.llvm.vectors import i64, index, new_function, pointer

TYPES = {4: np.float32, 8: np.float64}
BYTES = (4, 8)


def widths_of_host():
    host = host_target()
    names = {64: ["avx512", "avx2", "plain"], 32: ["avx2", "plain"], 16: ["plain"]}[host.vector_bytes]
    return names if host.triple.startswith("x86_64") else ["host"]


WIDTHS = widths_of_host()


def target_of(width):
    host = host_target()
    return host if width == "host" else dataclasses.replace(TARGETS[width], triple=host.triple)


def loop_of(emit, target, item_bytes, arity):
    """A module with a function ``run`` that applies ``emit`` to whole arrays."""
    module = ir.Module()
    with new_function(module, "run", [pointer] * (arity + 1) + [i64], target, item_bytes) as (e, (*arrays, count)):

        def body(i, _):
            values = [e.load(e.at(array, i)) for array in arrays[:arity]]
            e.store(emit(e, *values), e.at(arrays[arity], i))

        e.loop(index(0), count, index(e.lanes), [], body)
    return module


class Compiled:
    def __init__(self, emit, width, item_bytes, arity=1):
        target = target_of(width)
        self.dtype = TYPES[item_bytes]
        self.code = compile_module(loop_of(emit, target, item_bytes, arity), target)
        self.run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(self.code.address("run"))

    def __call__(self, *arrays):
        count = len(arrays[0])
        padded = [np.concatenate([array, np.ones(-count % 16, self.dtype)]) for array in arrays]
        result = np.empty_like(padded[0])
        self.run(*(array.ctypes.data for array in padded), result.ctypes.data, len(result))
        return result[:count]


# --- numbers to try


def specials(item_bytes):
    info = np.finfo(TYPES[item_bytes])
    positive = [0.0, info.smallest_subnormal, info.tiny, 1e-30, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, info.max, np.inf]
    return np.array([*positive, *(-value for value in positive), np.nan], TYPES[item_bytes])


def seams(item_bytes):
    """Numbers around each place where a function changes its way, and neighbours up to four units away."""
    p, dtype = precision(item_bytes), TYPES[item_bytes]
    steps = np.arange(-1100, 1100)
    centers = [
        (steps + 0.5) * np.log(2.0),
        (steps + 0.5) * np.log(2.0) / 2,
        steps * np.pi / 4,
        2.0 ** np.arange(-30, 31) - 1,
        np.ldexp(np.sqrt(0.5), np.clip(steps, 2 - p.bias, p.bias)),
        2.0**0.5 - 1,
        [*p.exp_range, p.expm1_low, p.tanh_high, p.tiny, p.erf_seam, p.erf_high, 40.0, 2.0**23, p.smallest_normal],
    ]
    values = np.concatenate([np.atleast_1d(np.asarray(c, np.float64)) for c in centers])
    values = np.concatenate([values, -values]).astype(dtype)
    around = [values]
    for direction in (np.inf, -np.inf):
        value = values
        for _ in range(4):
            value = np.nextafter(value, dtype(direction))
            around.append(value)
    return np.concatenate(around)


@functools.cache
def sweep(item_bytes, count):
    """All exponents evenly, moderate numbers densely, seams and specials."""
    generator = np.random.default_rng(7)
    bits = np.dtype(f"u{item_bytes}")
    everywhere = generator.integers(0, np.iinfo(bits).max, count // 2, dtype=bits, endpoint=True).view(
        TYPES[item_bytes]
    )
    spread = generator.choice([0.01, 0.3, 1, 5, 30, 100, 300, 1e5], count // 2)
    moderate = (generator.uniform(-1, 1, count // 2) * spread).astype(TYPES[item_bytes])
    return np.concatenate([everywhere, moderate, seams(item_bytes), specials(item_bytes)])


# --- comparisons


def errors_in_ulp(got, expected):
    """The distances in units of the last place; infinite where only one of the two is infinite, NaN or zero's sign."""
    rounded = expected.astype(got.dtype)
    finite = np.isfinite(got) & np.isfinite(rounded)
    info = np.finfo(got.dtype)
    exponent = np.frexp(np.maximum(np.abs(expected), info.tiny))[1] - 1
    error = np.abs(got.astype(expected.dtype) - expected) / np.ldexp(expected.dtype.type(info.eps), exponent)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    error = np.where(finite, error, np.where(same, 0, np.inf))
    # beside the largest number, an infinity is one unit away
    at_edge = np.isinf(got) & (np.abs(rounded) == info.max) & (np.sign(got) == np.sign(rounded))
    error = np.where(at_edge, 1, error)
    return np.where((expected == 0) & (np.signbit(got) != np.signbit(expected)), np.inf, error).astype(np.float64)


def assert_close(x, got, expected, bound):
    error = errors_in_ulp(got, expected)
    worst = int(np.argmax(error))

    assert error[worst] <= bound, f"{error[worst]:.3f} ulp at {x[worst]!r}: {got[worst]!r}, not {expected[worst]!r}"


def assert_same(got, expected):
    np.testing.assert_array_equal(got, expected)
    ok = np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[~ok], np.signbit(expected)[~ok])
