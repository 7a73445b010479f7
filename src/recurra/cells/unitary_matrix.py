"""A unitary matrix from few numbers: turns, reflections and Fourier transforms in a row."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Complex(NamedTuple):
    """A complex tensor as two real ones, since the step of a cell has no complex numbers."""

    re: Tensor
    im: Tensor


def unitary_matrix(phases: Tensor, reflections: Tensor) -> Complex:
    """Return D3 R2 F^-1 D2 P R1 F D1, a unitary matrix (H, H).

    D turns each row by an angle, R = I - 2 v v* / |v|^2 reflects, F is the unitary Fourier transform, and P a fixed
    permutation: rows with an even number first, then those with an odd one.

    Args:
        phases: Angles of D1, D2 and D3 in radians, (3H,).
        reflections: Real and imaginary part of the v of R1, then of R2, (4H,).
    """
    first, second, third = phases.chunk(3)
    v1_re, v1_im, v2_re, v2_im = reflections.chunk(4)
    fourier = _fourier(first)
    # D1 stands to the right of F, so it turns columns
    product = _turned(fourier, first)
    product = _reflected(product, Complex(v1_re, v1_im))
    product = Complex(_shuffled(product.re), _shuffled(product.im))
    product = _turned(product, second.unsqueeze(1))
    product = _inverse_transformed(fourier, product)
    product = _reflected(product, Complex(v2_re, v2_im))
    return _turned(product, third.unsqueeze(1))


def _fourier(like: Tensor) -> Complex:
    """Return exp(-2 pi i j k / H) / sqrt(H) for all j and k below H, the length of ``like``."""
    size = like.shape[0]
    number = torch.arange(size, device=like.device)
    # the remainder of integers is exact, and keeps the angle below a full turn
    angle = (torch.outer(number, number) % size).to(like.dtype) * (2 * math.pi / size)
    return Complex(torch.cos(angle) / math.sqrt(size), -torch.sin(angle) / math.sqrt(size))


def _turned(matrix: Complex, angle: Tensor) -> Complex:
    cos, sin = torch.cos(angle), torch.sin(angle)
    return Complex(matrix.re * cos - matrix.im * sin, matrix.re * sin + matrix.im * cos)


def _reflected(matrix: Complex, v: Complex) -> Complex:
    scale = 2 / (v.re * v.re + v.im * v.im).sum()
    # v* times the matrix, one number a column
    along_re = scale * (v.re @ matrix.re + v.im @ matrix.im)
    along_im = scale * (v.re @ matrix.im - v.im @ matrix.re)
    re = torch.outer(v.re, along_re) - torch.outer(v.im, along_im)
    im = torch.outer(v.re, along_im) + torch.outer(v.im, along_re)
    return Complex(matrix.re - re, matrix.im - im)


def _shuffled(matrix: Tensor) -> Tensor:
    return torch.cat((matrix[0::2], matrix[1::2]))


def _inverse_transformed(fourier: Complex, matrix: Complex) -> Complex:
    # the inverse is the conjugate, as F is symmetric
    re = fourier.re @ matrix.re + fourier.im @ matrix.im
    im = fourier.re @ matrix.im - fourier.im @ matrix.re
    return Complex(re, im)
