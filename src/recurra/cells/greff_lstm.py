"""The vanilla long short-term memory of a search through its variants, and the variants that keep its gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.gates import Filler, normal
from recurra.cells.registry import register

_PUBLISHED_STD = 0.1


class GreffCell(Cell):
    """What the variants with peepholes share: one weight a unit and gate from c to the gate, and the start.

    The published start draws all parameters from N(0, 0.1^2), biases and peepholes too; in every other initialisation
    peepholes start at 0.
    """

    states: ClassVar[tuple[str, ...]] = ("h", "c")
    candidates = ("g",)
    source = "greff2017lstm"
    state_range: ClassVar[Mapping[str, tuple[float, float]]] = {"h": (-1.0, 1.0)}
    peepholes: ClassVar[tuple[str, ...]] = ("i", "f", "o")

    weight_ch: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_ch": (self._rows("weight_ch"),)}

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the parameters."""
        return dict.fromkeys(self.weight_shapes(), normal(_PUBLISHED_STD))

    def starts(self) -> Mapping[str, Filler]:
        """Say how the peepholes start."""
        return {"weight_ch": normal(_PUBLISHED_STD) if self.init == "published" else torch.nn.init.zeros_}


@register("peephole-lstm", "vanilla-lstm")
class PeepholeLSTMCell(GreffCell):
    """Long short-term memory whose gates peek at the memory, unit by unit.

        i = sigmoid(W_xi x + b_i + W_hi h + p_i * c)
        f = sigmoid(W_xf x + b_f + W_hf h + p_f * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + p_o * c)
        h = o * tanh(c)

    i and f peek at the old c, o at the new one. ``weight_ch`` (3H,) holds p_i, p_f and p_o. Peepholes are
    ``gers2000recurrent``'s, where gradients are truncated; here nothing is. The published start draws all parameters
    from N(0, 0.1^2); in every other initialisation peepholes start at 0.

    Read as: the source's N(0, 0.1) names the standard deviation. That start, and that it has no forget bias, are as
    recalled from the source.
    """

    gates = ("i", "f", "g", "o")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        pi, pf, po = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + pi * c)
        f = torch.sigmoid(xf + hf + pf * c)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        o = torch.sigmoid(xo + ho + po * c)
        h = o * torch.tanh(c)
        return h, c


@register("lstm-niaf")
class LinearCandidateLSTMCell(GreffCell):
    """Peephole long short-term memory without the input's activation function: the candidate is linear (NIAF).

        i = sigmoid(W_xi x + b_i + W_hi h + p_i * c)
        f = sigmoid(W_xf x + b_f + W_hf h + p_f * c)
        g = W_xg x + b_g + W_hg h
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + p_o * c)
        h = o * tanh(c)

    What is written has no bound, and so the memory may grow by any amount in a step. All starts as in
    :class:`PeepholeLSTMCell`.
    """

    gates = ("i", "f", "g", "o")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        pi, pf, po = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + pi * c)
        f = torch.sigmoid(xf + hf + pf * c)
        g = xg + hg
        c = f * c + i * g
        o = torch.sigmoid(xo + ho + po * c)
        h = o * torch.tanh(c)
        return h, c


@register("lstm-noaf")
class LinearOutputLSTMCell(GreffCell):
    """Peephole long short-term memory without the output's activation function (NOAF).

        i = sigmoid(W_xi x + b_i + W_hi h + p_i * c)
        f = sigmoid(W_xf x + b_f + W_hf h + p_f * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + p_o * c)
        h = o * c

    The output has no bound, and diverges easily; of the variants it is one of the two that harm. All starts as in
    :class:`PeepholeLSTMCell`.
    """

    gates = ("i", "f", "g", "o")
    state_range = {}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        pi, pf, po = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + pi * c)
        f = torch.sigmoid(xf + hf + pf * c)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        o = torch.sigmoid(xo + ho + po * c)
        h = o * c
        return h, c


@register("lstm-fgr")
class FullGateRecurrenceLSTMCell(GreffCell):
    """Peephole long short-term memory whose gates read all gates of the step before (FGR).

        q = [i, f, o]
        i = sigmoid(W_xi x + b_i + W_hi h + W_qi q + p_i * c)
        f = sigmoid(W_xf x + b_f + W_hf h + W_qf q + p_f * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + W_qo q + p_o * c)
        h = o * tanh(c)

    q holds the gates of the step before, side by side; before the first step they are 0. ``weight_gh`` (3H, 3H) has
    one row block and one column block for each of i, f and o. All starts as in :class:`PeepholeLSTMCell`.
    """

    states = ("h", "c", "i", "f", "o")
    gates = ("i", "f", "g", "o")
    memories = ("h", "c")
    recurrent_weights = ("weight_hh", "weight_gh")
    state_range = {"h": (-1.0, 1.0), "i": (0.0, 1.0), "f": (0.0, 1.0), "o": (0.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_gh: Tensor

    def row_names(self, name: str) -> tuple[str, ...]:
        """Name the row blocks of a parameter."""
        return self.peepholes if name == "weight_gh" else super().row_names(name)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        rows = self._rows("weight_gh")
        return super().weight_shapes() | {"weight_gh": (rows, rows)}

    def from_gates(self, q: Tensor) -> tuple[Tensor, ...]:
        """Return W_q q, one (B, H) tensor for each of i, f and o, from the gates of the step before (B, 3H)."""
        return self._product(q, "weight_gh")

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # x (B, I), states (B, H)
        """Return the next (h, c, i, f, o), each (B, H)."""
        h, c, i, f, o = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        pi, pf, po = self.row_blocks("weight_ch")
        q = torch.cat((i, f, o), -1)  # (B, 3H)
        qi, qf, qo = self.from_gates(q)
        i = torch.sigmoid(xi + hi + qi + pi * c)
        f = torch.sigmoid(xf + hf + qf + pf * c)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        o = torch.sigmoid(xo + ho + qo + po * c)
        h = o * torch.tanh(c)
        return h, c, i, f, o


@register("lstm-np")
class NoPeepholeLSTMCell(Cell):
    """Long short-term memory without peepholes (NP): the equations of :class:`LSTMCell`, with one bias a gate.

        i = sigmoid(W_xi x + b_i + W_hi h)
        f = sigmoid(W_xf x + b_f + W_hf h)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h)
        h = o * tanh(c)

    The published start draws all parameters from N(0, 0.1^2).

    Read as: the source's N(0, 0.1) names the standard deviation. That start, and that it has no forget bias, are as
    recalled from the source.
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    source = "greff2017lstm"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the parameters."""
        return dict.fromkeys(self.weight_shapes(), normal(_PUBLISHED_STD))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        o = torch.sigmoid(xo + ho)
        h = o * torch.tanh(c)
        return h, c
