"""Full matrices from the memory: their special cases, what each gate reads, and the error of the printed form."""

import math

import pytest
import torch

from recurra.cells import FullPeepholeLSTMCell, LSTMCell, PeepholeLSTMCell
from recurra.loop import unroll

H = 5


def double(cell_class, **options):
    torch.manual_seed(0)
    return cell_class(3, H, dtype=torch.float64, **options)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def test_with_diagonal_matrices_it_peeks_unit_by_unit():
    cell, diagonal = double(FullPeepholeLSTMCell), double(PeepholeLSTMCell)
    peepholes = random(3 * H)
    weight = torch.cat([torch.diag(part) for part in peepholes.split(H)])
    cell.load_state_dict({**cell.state_dict(), "weight_ch": weight})
    diagonal.load_state_dict({**cell.state_dict(), "weight_ch": peepholes})
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(diagonal, x, state, engine="eager"), rtol=1e-12, atol=1e-13
    )


def test_with_zero_matrices_it_is_the_lstm():
    cell, plain = double(FullPeepholeLSTMCell), double(LSTMCell)
    with torch.no_grad():
        cell.weight_ch.zero_()
    shared = {name: cell.state_dict()[name] for name in ("weight_ih", "weight_hh", "bias_ih")}
    plain.load_state_dict({**shared, "bias_hh": torch.zeros(4 * H)})
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(plain, x, state, engine="eager"), rtol=1e-13, atol=1e-14
    )


def test_input_and_forget_gate_read_the_old_memory_and_the_output_gate_the_new():
    cell = double(FullPeepholeLSTMCell, init="zeros", gate_biases={"g": 0.4})
    weight = random(3 * H, H)
    cell.load_state_dict({**cell.state_dict(), "weight_ch": weight})
    to_i, to_f, to_o = weight.split(H)
    old = random(4, H)

    h, c = cell(random(4, 3), (random(4, H), old))

    wanted = torch.sigmoid(old @ to_f.T) * old + torch.sigmoid(old @ to_i.T) * math.tanh(0.4)
    torch.testing.assert_close(c, wanted)
    torch.testing.assert_close(h, torch.sigmoid(wanted @ to_o.T) * torch.tanh(wanted))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_memory_is_not_squashed(sign):
    cell = double(FullPeepholeLSTMCell, init="zeros", gate_biases={"i": 1e3, "f": 1e3, "g": sign * 1e3})

    _, (_, c) = unroll(cell, random(7, 4, 3), engine="eager")

    torch.testing.assert_close(c, torch.full((4, H), 7.0 * sign).double())
