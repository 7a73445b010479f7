"""Antisymmetric recurrences: the matrix, the step, and where they start."""

import math

import pytest
import torch

from recurra.cells import AntisymmetricCell, GatedAntisymmetricCell
from recurra.errors import ArgumentError

both = pytest.mark.parametrize("cell_class", [AntisymmetricCell, GatedAntisymmetricCell])


def build(cell_class, **options):
    torch.manual_seed(5)
    return cell_class(3, 4, dtype=torch.float64, **options)


@both
def test_eigenvalues_of_the_recurrent_matrix_have_the_damping_as_real_part(cell_class):
    cell = build(cell_class, damping=0.25)

    (rows,) = cell.from_state(torch.eye(4, dtype=torch.float64))

    real = torch.linalg.eigvals(rows.T).real
    torch.testing.assert_close(real, torch.full_like(real, -0.25))


@both
def test_a_symmetric_part_of_the_weight_changes_nothing(cell_class):
    cell = build(cell_class)
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    before = cell(x, h)

    with torch.no_grad():
        noise = torch.randn(4, 4, dtype=torch.float64)
        cell.weight_hh.add_(noise + noise.T)

    torch.testing.assert_close(cell(x, h), before)


@both
def test_recurrent_matrix_acts_as_difference_and_not_as_its_transpose(cell_class):
    cell = build(cell_class, damping=0.0)
    with torch.no_grad():
        cell.weight_hh.zero_()
        cell.weight_hh[0, 1] = 3.0

    (product,) = cell.from_state(torch.tensor([[1.0, 10.0, 0.0, 0.0]], dtype=torch.float64))

    assert product.tolist() == [[30.0, -3.0, 0.0, 0.0]]


def test_gate_and_content_share_the_matrix():
    cell = build(GatedAntisymmetricCell, step_size=0.5)
    h = torch.randn(2, 4, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.zero_()

    new = cell(torch.zeros(2, 3, dtype=torch.float64), h)

    (a,) = cell.from_state(h)
    torch.testing.assert_close(new, h + 0.5 * a.sigmoid() * a.tanh())
    assert cell.weight_hh.shape == (4, 4)


def test_an_open_gate_gives_the_cell_without_it():
    gated, plain = build(GatedAntisymmetricCell), build(AntisymmetricCell)
    with torch.no_grad():
        gated.bias_ih[4:] = 50.0
        plain.weight_ih.copy_(gated.weight_ih[:4])
        plain.weight_hh.copy_(gated.weight_hh)
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)

    torch.testing.assert_close(gated(x, h), plain(x, h))


@both
def test_recurrent_matrix_starts_from_a_normal_of_variance_one_over_hidden_size(cell_class):
    torch.manual_seed(0)
    weight = cell_class(3, 100).weight_hh

    assert abs(weight.std() * math.sqrt(100) - 1) < 0.03
    assert weight.abs().max() > 0.3


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0.0}, "step_size to be a number above 0, got 0.0"),
        ({"damping": -0.1}, "damping to be a number of at least 0, got -0.1"),
    ],
)
def test_an_option_outside_its_range_is_an_error(cell_class, options, message):
    with pytest.raises(ArgumentError, match=f"^{cell_class.__name__} expected {message}"):
        cell_class(3, 4, **options)


@both
def test_repr_names_the_options(cell_class):
    assert repr(cell_class(3, 4, step_size=0.1)) == f"{cell_class.__name__}(3, 4, step_size=0.1)"
