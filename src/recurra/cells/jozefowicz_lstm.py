"""The long short-term memories of an empirical exploration: one gate less each, or a forget bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.gates import Filler, constant
from recurra.cells.jozefowicz_cell import JozefowiczCell
from recurra.cells.registry import register
from recurra.errors import ChoiceError

_OUTPUT_GATES: Mapping[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}


class OutputGatedLSTMCell(JozefowiczCell):
    """What those of the cells share that have an output gate: its squashing function.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h and c.
        bias: Whether there is a bias.
        output_gate: "sigmoid", or "tanh" as the source prints it.
        scale: As in :class:`recurra.cells.jozefowicz_cell.JozefowiczCell`.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
        ChoiceError: When ``output_gate`` is another name.
    """

    states = ("h", "c")
    candidates = ("g",)
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        output_gate: str = "sigmoid",
        scale: float = 1.0,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        if output_gate not in _OUTPUT_GATES:
            raise ChoiceError(f"output_gate of {who}", output_gate, _OUTPUT_GATES)
        self.output_gate = output_gate
        self.squash_output_gate = _OUTPUT_GATES[output_gate]
        super().__init__(input_size, hidden_size, bias, scale=scale, **options)


@register("lstm-f")
class LSTMWithoutForgetGateCell(OutputGatedLSTMCell):
    """Long short-term memory without its forget gate, which never forgets.

        i = sigmoid(W_xi x + b_i + W_hi h)
        g = tanh(W_xg x + b_g + W_hg h)
        o = sigmoid(W_xo x + b_o + W_ho h)
        c = c + i * g
        h = o * tanh(c)

    Read as: the source calls the candidate i and the input gate j. It prints tanh in o, which
    ``output_gate="tanh"`` takes; whether it was run so is not known.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h and c.
        bias: Whether there is a bias.
        output_gate: "sigmoid", or "tanh" as the source prints it.
        scale: Multiple of 1 / sqrt(H) that bounds the published start, uniform, of all parameters; above 0. The source
            draws it from 0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
        ChoiceError: When ``output_gate`` is another name.
    """

    gates = ("i", "g", "o")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xg, xo = self.from_input(x)
        hi, hg, ho = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        g = torch.tanh(xg + hg)
        o = self.squash_output_gate(xo + ho)
        c = c + i * g
        h = o * torch.tanh(c)
        return h, c


@register("lstm-i")
class LSTMWithoutInputGateCell(OutputGatedLSTMCell):
    """Long short-term memory without its input gate, which takes in every candidate as it is.

        f = sigmoid(W_xf x + b_f + W_hf h)
        g = tanh(W_xg x + b_g + W_hg h)
        o = sigmoid(W_xo x + b_o + W_ho h)
        c = f * c + g
        h = o * tanh(c)

    Read as: the sigmoid j is the gate that goes, although the source calls the candidate i; without the candidate
    every write would be positive. It prints tanh in o, which ``output_gate="tanh"`` takes; whether it was run so is
    not known.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h and c.
        bias: Whether there is a bias.
        output_gate: "sigmoid", or "tanh" as the source prints it.
        scale: Multiple of 1 / sqrt(H) that bounds the published start, uniform, of all parameters; above 0. The source
            draws it from 0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
        ChoiceError: When ``output_gate`` is another name.
    """

    gates = ("f", "g", "o")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xf, xg, xo = self.from_input(x)
        hf, hg, ho = self.from_state(h)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        o = self.squash_output_gate(xo + ho)
        c = f * c + g
        h = o * torch.tanh(c)
        return h, c


@register("lstm-b")
class ForgetBiasLSTMCell(OutputGatedLSTMCell):
    """Long short-term memory whose forget bias starts at 1, and which differs in nothing else.

        i = sigmoid(W_xi x + b_i + W_hi h)
        f = sigmoid(W_xf x + b_f + W_hf h)
        g = tanh(W_xg x + b_g + W_hg h)
        o = sigmoid(W_xo x + b_o + W_ho h)
        c = f * c + i * g
        h = o * tanh(c)

    The 1 is stored in the one bias of f, set after the uniform draw; nothing is added in the step.

    Read as: the source calls the candidate i and the input gate j. It prints tanh in o, which
    ``output_gate="tanh"`` takes; whether it was run so is not known.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h and c.
        bias: Whether there is a bias.
        output_gate: "sigmoid", or "tanh" as the source prints it.
        scale: Multiple of 1 / sqrt(H) that bounds the published start, uniform, of all parameters; above 0. The source
            draws it from 0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
        ChoiceError: When ``output_gate`` is another name.
    """

    gates = ("i", "f", "g", "o")
    gate_biases = {"f": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the parameters."""
        return {**super().published(), "bias_ih.f": constant(self.gate_biases["f"])}

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        o = self.squash_output_gate(xo + ho)
        c = f * c + i * g
        h = o * torch.tanh(c)
        return h, c


@register("lstm-o")
class LSTMWithoutOutputGateCell(JozefowiczCell):
    """Long short-term memory without its output gate, which shows all that it holds.

        i = sigmoid(W_xi x + b_i + W_hi h)
        f = sigmoid(W_xf x + b_f + W_hf h)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        h = tanh(c)

    Read as: the source calls the candidate i and the input gate j.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h and c.
        bias: Whether there is a bias.
        scale: Multiple of 1 / sqrt(H) that bounds the published start, uniform, of all parameters; above 0. The source
            draws it from 0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
    """

    states = ("h", "c")
    gates = ("i", "f", "g")
    candidates = ("g",)
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg = self.from_input(x)
        hi, hf, hg = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        h = torch.tanh(c)
        return h, c
