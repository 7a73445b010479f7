"""Matrix products term by term, rounded as a processor rounds: with the C library and Python's own numbers."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct

import torch


def summed_in_order(a: torch.Tensor, matrix: torch.Tensor, init: torch.Tensor, *, fused: bool) -> torch.Tensor:
    """Return ``init + a @ matrix``, the terms added in order, each rounded once (fused) or as product and as sum.

    ``a`` (m, K), ``matrix`` (K, N) and ``init`` (m, N) are float32 or float64.
    """
    add_product = (_fused if fused else _rounded_twice)(a.dtype)
    c = init.tolist()
    for i, row in enumerate(a.tolist()):
        for j, column in enumerate(matrix.T.tolist()):
            for number, weight in zip(row, column, strict=True):
                c[i][j] = add_product(number, weight, c[i][j])
    return torch.tensor(c, dtype=a.dtype)


def _fused(dtype):
    real, name = (ctypes.c_float, "fmaf") if dtype == torch.float32 else (ctypes.c_double, "fma")
    function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    function.argtypes, function.restype = [real] * 3, real
    return function


def _rounded_twice(dtype):
    if dtype == torch.float64:
        return lambda number, weight, total: number * weight + total
    # sums and products of two float32 are rounded rightly by way of float64
    rounded = struct.Struct("f")

    def to_float32(number):
        return rounded.unpack(rounded.pack(number))[0]

    return lambda number, weight, total: to_float32(to_float32(number * weight) + total)
