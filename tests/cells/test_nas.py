"""The searched cell: the pair that multiplies, and where the bias stands."""

import torch

from recurra.cells import NASCell


def test_the_fourth_pair_multiplies():
    torch.manual_seed(0)
    cell, x = NASCell(3, 5), torch.randn(2, 3)
    state = tuple(torch.randn(2, 2, 5))
    fourth = slice(3 * 5, 4 * 5)
    with torch.no_grad():
        cell.weight_ih[fourth] = 0
    before = cell(x, state)

    with torch.no_grad():
        cell.weight_hh[fourth] = 7
        cell.bias_hh[fourth] = 7

    for a, b in zip(cell(x, state), before, strict=True):
        assert torch.equal(a, b)


def test_every_other_pair_adds():
    torch.manual_seed(0)
    cell, x = NASCell(3, 5), torch.randn(2, 3)
    state = tuple(torch.rand(2, 2, 5))
    torch.nn.init.zeros_(cell.weight_ih)
    torch.nn.init.constant_(cell.bias_hh, 0.5)
    before, _ = cell(x, state)

    for pair in (0, 1, 2, 4, 5, 6, 7):
        with torch.no_grad():
            cell.bias_hh[5 * pair : 5 * pair + 5] += 1
        after, _ = cell(x, state)
        assert not torch.allclose(after, before), pair
        before = after


def test_the_one_bias_is_the_states():
    cell = NASCell(3, 5)

    assert list(cell.state_dict()) == ["weight_ih", "weight_hh", "bias_hh"]
