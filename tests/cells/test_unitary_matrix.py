"""The unitary matrix against torch's complex numbers and its Fourier transform."""

import pytest
import torch

from recurra.cells.unitary_matrix import unitary_matrix

sizes = pytest.mark.parametrize("size", [1, 2, 5, 8])


def draw(size):
    torch.manual_seed(4)
    phases = torch.empty(3 * size, dtype=torch.float64).uniform_(-4, 4)
    return phases, torch.randn(4 * size, dtype=torch.float64)


def built(size):
    re, im = unitary_matrix(*draw(size))
    return torch.complex(re, im)


@sizes
def test_the_matrix_is_unitary(size):
    matrix = built(size)

    torch.testing.assert_close(matrix @ matrix.conj().T, torch.eye(size, dtype=torch.complex128))


@sizes
def test_the_matrix_applies_its_factors_from_right_to_left(size):
    phases, reflections = draw(size)
    d1, d2, d3 = torch.polar(torch.ones_like(phases), phases).chunk(3)
    v1, v2 = (torch.complex(*part.chunk(2)) for part in reflections.chunk(2))
    z = torch.randn(size, dtype=torch.complex128)

    def reflect(v, z):
        return z - 2 * v * torch.vdot(v, z) / torch.vdot(v, v)

    wanted = reflect(v1, torch.fft.fft(d1 * z, norm="ortho"))
    wanted = torch.cat((wanted[::2], wanted[1::2]))
    wanted = d3 * reflect(v2, torch.fft.ifft(d2 * wanted, norm="ortho"))

    torch.testing.assert_close(built(size) @ z, wanted)


def test_gradients_by_phases_and_reflections_are_right():
    phases, reflections = (tensor.requires_grad_() for tensor in draw(3))

    assert torch.autograd.gradcheck(lambda *a: tuple(unitary_matrix(*a)), (phases, reflections))


def test_the_length_of_a_reflection_does_not_matter():
    phases, reflections = draw(4)

    torch.testing.assert_close(unitary_matrix(phases, 7 * reflections), unitary_matrix(phases, reflections))
