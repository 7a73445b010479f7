"""The two minimal gated units: what an open gate does, and how they differ."""

import pytest
import torch

from recurra.cells import MGUCell, MGUResetAfterCell


def built(cell_class, forget_bias=0.0, **options):
    torch.manual_seed(0)
    return cell_class(3, 5, dtype=torch.float64, gate_biases={"f": forget_bias}, **options)


def step():
    torch.manual_seed(1)
    return torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)


def test_an_open_gate_forgets_in_the_papers_form():
    cell, (x, h) = built(MGUCell, 100.0), step()

    wanted = torch.tanh(x @ cell.weight_ih[5:].T + h @ cell.weight_hh[5:].T)

    torch.testing.assert_close(cell(x, h), wanted)


def test_an_open_gate_keeps_in_flaxs_form():
    cell, (x, h) = built(MGUResetAfterCell, 100.0), step()

    torch.testing.assert_close(cell(x, h), h, rtol=0, atol=0)


@pytest.mark.parametrize("sees_state", [True, False])
def test_a_turned_sign_makes_one_form_of_the_other_only_if_the_candidate_does_not_see_the_state(sees_state):
    paper, flax = built(MGUCell), built(MGUResetAfterCell)
    with torch.no_grad():
        # with a diagonal matrix it makes no difference whether the reset comes before or after the product
        paper.weight_hh[5:] = float(sees_state) * torch.eye(5)
        flax.weight_ih.copy_(paper.weight_ih)
        flax.weight_hh.copy_(paper.weight_hh)
        flax.weight_ih[:5] *= -1
        flax.weight_hh[:5] *= -1

    difference = (paper(*step()) - flax(*step())).abs().max()

    assert difference > 1e-2 if sees_state else difference < 1e-14


def test_flaxs_second_bias_is_reset_with_the_product():
    cell, (x, h) = built(MGUResetAfterCell, -100.0), step()
    before = cell(x, h)

    torch.nn.init.constant_(cell.bias_hn, 3.0)

    assert torch.equal(cell(x, h), before)
    torch.nn.init.zeros_(cell.bias_ih)
    after = cell(x, h)
    torch.nn.init.zeros_(cell.bias_hn)
    assert not torch.allclose(after, cell(x, h))


def test_flaxs_form_starts_with_its_forget_bias():
    cell = MGUResetAfterCell(3, 5)

    assert torch.equal(cell.bias_ih, torch.tensor([1.0] * 5 + [0.0] * 5))
    assert not MGUCell(3, 5).bias_ih.any()


def test_a_bias_asked_for_the_candidate_is_given_once():
    cell = MGUResetAfterCell(3, 5, gate_biases={"n": 0.5}, init="torch")

    assert torch.equal(cell.bias_ih[5:], torch.full((5,), 0.5))
    assert not cell.bias_hn.any()


def test_counts_are_the_published_ones_and_one_bias_more():
    for cell_class, extra in ((MGUCell, 0), (MGUResetAfterCell, 5)):
        assert sum(p.numel() for p in cell_class(3, 5).parameters()) == 2 * 5 * (3 + 5 + 1) + extra
