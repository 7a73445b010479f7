"""The phased LSTM, whose units open in rhythms of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.checks import check_number
from recurra.cells.gates import Filler
from recurra.cells.registry import register
from recurra.cells.time_gated_cell import OPEN_RATIO, PERIOD_RANGE, TimeGatedCell


@register("phased-lstm")
class PhasedLSTMCell(TimeGatedCell):
    """Peephole LSTM whose units change only while their time gate is open, at real times or step by step.

        phi = (psi - shift / period) mod 1
        k = 2 * phi / open_ratio if phi < open_ratio / 2, 2 - 2 * phi / open_ratio if phi < open_ratio, else leak * phi
        i = sigmoid(W_xi x + b_i + W_hi h + w_ci * c)
        f = sigmoid(W_xf x + b_f + W_hf h + w_cf * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c_open = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + w_co * c_open)
        h_open = o * tanh(c_open)
        c = k * c_open + (1 - k) * c
        h = k * h_open + (1 - k) * h
        psi = (psi + 1 / period) mod 1

    psi (B, H) is the phase of each unit: the time, less whole periods, in parts of a period. It starts at 0 and a step
    takes one unit of time, so periods and shifts count steps. Where a step is given as ``(x, time)``, time (B, 1), psi
    is made of that time, whose unit is then theirs. h comes from the ungated cell, not from the c that is carried.

    ``weight_ch`` is (3H,), rows i, f, o, and starts at 0. ``period``, ``shift`` and ``open_ratio`` are (H,) and
    trained; the sizes of the first and last count. Periods start log-uniformly, shifts uniformly between 0 and their
    unit's period.

    A stream without times may be of any length: in float32 its phases drift by at most an eighth of a period in a
    million steps, and the derivative by the period ends where psi is detached. By times that are given it is the whole
    one, which grows with them; and times in float32 are coarse when large (1/16 apart near 1e6): count them from the
    start of each sequence. In bfloat16 units with periods of several hundred steps stand still, since phases near 1 are
    1/256 apart.

    Read as: biases start at 0, since the paper's equations leave that open. The released layer starts the forget bias
    at 2; its frequency task starts it at 0, the input gate's bias at -0.1, and periods at exp(1) or more, where the
    paper, as recalled, has exp(0).

    Differs from the source: the released code adds the shift to the time, and opens on both sides with <=.

    Args:
        input_size: Width of x.
        hidden_size: Width of h and c.
        bias: Whether there are biases.
        leak: Slope of the closed gate in training, at least 0 and below 1; in evaluation a closed gate is 0.
        period_range: Shortest and longest period at the start, drawn log-uniformly, in steps or the unit of times.
        open_ratio: Part of a period for which a gate is open at the start, above 0 and at most 1.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When an option is outside its range.
    """

    states = ("h", "c", "psi")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    source = "neil2016phased"
    state_range = {"h": (-1.0, 1.0), "psi": (0.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    leak: float
    peepholes = ("i", "f", "o")

    weight_ch: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        leak: float = 0.001,
        period_range: tuple[float, float] = PERIOD_RANGE,
        open_ratio: float = OPEN_RATIO,
        **options: Any,
    ) -> None:
        self.leak = check_number(type(self).__name__, "leak", leak, at_least=0, below=1)
        super().__init__(input_size, hidden_size, bias, period_range=period_range, open_ratio=open_ratio, **options)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_ch": (self._rows("weight_ch"),)}

    def starts(self) -> Mapping[str, Filler]:
        """Start as an LSTM without peepholes."""
        return {"weight_ch": torch.nn.init.zeros_, **super().starts()}

    def closed_slope(self) -> float:
        """Return the leak in training, and 0 in evaluation."""
        return self.leak if self.training else 0.0

    def forward(
        self, x: Tensor | tuple[Tensor, Tensor], state: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:  # x (B, I), its time (B, 1); h, c, psi (B, H)
        """Return the next (h, c, psi), each (B, H)."""
        h, c, psi = state
        x, psi = self.at_time(x, psi)
        period = self.positive_period()
        # torch.remainder, since torch.fmod is negative before the first shift
        phi = torch.remainder(psi - self.shift / period, 1)
        k = self.time_gate(phi)
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        w_ci, w_cf, w_co = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + w_ci * c)
        f = torch.sigmoid(xf + hf + w_cf * c)
        g = torch.tanh(xg + hg)
        c_open = f * c + i * g
        o = torch.sigmoid(xo + ho + w_co * c_open)
        h_open = o * torch.tanh(c_open)
        c = k * c_open + (1 - k) * c
        h = k * h_open + (1 - k) * h
        psi = torch.remainder(psi + 1 / period, 1)
        return h, c, psi


@register("phased-lstm-gated")
class GatedPhasedLSTMCell(TimeGatedCell):
    """Phased LSTM without peepholes and leak, whose output comes from the gated c, as course notes print it.

        phi = (psi - shift / period) mod 1
        k = 2 * phi / open_ratio if phi < open_ratio / 2, 2 - 2 * phi / open_ratio if phi < open_ratio, else 0
        i = sigmoid(W_xi x + b_i + W_hi h)
        f = sigmoid(W_xf x + b_f + W_hf h)
        g = tanh(W_xg x + b_g + W_hg h)
        o = sigmoid(W_xo x + b_o + W_ho h)
        c = k * (f * c + i * g) + (1 - k) * c
        h = k * (o * tanh(c)) + (1 - k) * h
        psi = (psi + 1 / period) mod 1

    Inputs, times, psi, first biases and the parameters ``period``, ``shift`` and ``open_ratio`` are those of
    :class:`PhasedLSTMCell`. No gradient flows through the time gate of a closed unit.

    Differs from the source: there h comes from the ungated cell, and closed units leak in training. The assignment of
    the University of Amsterdam that has this form prints < on both sides of phi = open_ratio / 2, where the gate would
    fall to 0; here it is 1.

    Args:
        input_size: Width of x.
        hidden_size: Width of h and c.
        bias: Whether there are biases.
        period_range: Shortest and longest period at the start, drawn log-uniformly, in steps or the unit of times.
        open_ratio: Part of a period for which a gate is open at the start, above 0 and at most 1.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When an option is outside its range.
    """

    states = ("h", "c", "psi")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    source = "neil2016phased"
    state_range = {"h": (-1.0, 1.0), "psi": (0.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(
        self, x: Tensor | tuple[Tensor, Tensor], state: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:  # x (B, I), its time (B, 1); h, c, psi (B, H)
        """Return the next (h, c, psi), each (B, H)."""
        h, c, psi = state
        x, psi = self.at_time(x, psi)
        period = self.positive_period()
        # torch.remainder, since torch.fmod is negative before the first shift
        phi = torch.remainder(psi - self.shift / period, 1)
        k = self.time_gate(phi)
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        o = torch.sigmoid(xo + ho)
        c = k * (f * c + i * g) + (1 - k) * c
        h = k * (o * torch.tanh(c)) + (1 - k) * h
        psi = torch.remainder(psi + 1 / period, 1)
        return h, c, psi
