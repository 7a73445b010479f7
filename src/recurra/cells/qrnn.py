"""Quasi-recurrent cells: gates that see a window of inputs, and a state that is pooled unit by unit."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from recurra.cells.causal_window import lagged_inputs
from recurra.cells.cell import Cell, State
from recurra.cells.checks import check_size
from recurra.cells.registry import register
from recurra.cells.sequence_call import FROM_START, SequenceCall

Inputs = Tensor | tuple[Tensor, ...]


class QuasiRecurrentCell(Cell):
    """What the three poolings share: a causal convolution over the last ``window`` inputs, newest first."""

    state_gates = ()
    recurrent_weights = ()
    candidates = ("z",)
    inputs: ClassVar[tuple[str, ...]] = ("x", "x1")
    source = "bradbury2017quasi"
    has_other_input = True

    window: int

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, window: int = 2, **options: Any
    ) -> None:
        self.window = check_size(type(self).__name__, "window", window, at_least=2)
        self.inputs = ("x", *(f"x{lag}" for lag in range(1, window)))  # type: ignore[misc]  # as many as the window
        super().__init__(input_size, hidden_size, bias, **options)

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of the pooled state and of the inputs that the next step looks back on."""
        return (self.hidden_size, (self.window - 1) * self.input_size)

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Widths of the inputs of a window."""
        return (self.input_size,) * self.window

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name; the columns of ``weight_ih`` are those of the window."""
        rows = len(self.gates) * self.hidden_size
        return super().weight_shapes() | {"weight_ih": (rows, self.window * self.input_size)}

    def sequence_inputs(self, x: tuple[Tensor, ...], call: SequenceCall = FROM_START) -> tuple[Tensor, ...]:
        """Return the earlier inputs of every step, k - 1 tensors (T, B, I) with the newest first; see ``unroll``.

        So the products of all steps are one. Nothing is returned where x is a window already, or where something
        around the cell changes its inputs or the p that is carried.
        """
        if len(x) > 1 or not call.is_plain:
            return ()
        previous = self._carried_inputs(call.state, x[0].shape[1])
        initial = previous if call.reset is None else self._carried_inputs(call.initial, x[0].shape[1])
        return lagged_inputs(x[0], self.window - 1, previous, call, initial)

    def _carried_inputs(self, state: State | None, batch_size: int) -> Tensor:
        """Return p (B, (k - 1) * I) of a state, or of the initial one."""
        _, p = self.initial_state(batch_size) if state is None else state
        return p

    def join(self, x: Inputs, p: Tensor) -> Tensor:
        """Return the window (B, k * I): of all its inputs where they are given, else of x and the earlier ones in p."""
        return torch.cat(x if isinstance(x, tuple) else (x, p), -1)

    def earlier(self, w: Tensor) -> Tensor:
        """Return what the next step looks back on: the window without its oldest input, (B, (k - 1) * I)."""
        return w[:, : self.state_size[1]]


@register("qrnn")
class QRNNCell(QuasiRecurrentCell):
    """Quasi-recurrent network with fo-pooling: a forget gate, and an output gate.

        w = [x, p]
        z = tanh(W_wz w + b_wz)
        f = sigmoid(W_wf w + b_wf)
        o = sigmoid(W_wo w + b_wo)
        c = f * c + (1 - f) * z
        h = o * c
        p = w[: (k - 1) I]

    h is the output; c and p, the last k - 1 inputs with the newest first, are the states. f keeps: at 1 nothing is
    written (a widespread implementation has its complement under that name). c enters h as it is, without tanh.

    :func:`recurra.unroll` makes the windows of all steps at once from the bare x, so that all products of a sequence
    are one. A step may also be given its whole window (x_t, x_{t-1}, ...) as a tuple of k tensors (B, I), and then does
    not read p. A tuple is taken as it is: that of :func:`recurra.cells.causal_window` knows no reset and no reversal.

    The source's own start is not recorded here, so "published" is "orthogonal".

    Args:
        input_size: Width I of x.
        hidden_size: Width H of h and c.
        bias: Whether there are biases.
        window: Inputs k that a step looks at, at least 2.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``window`` is not an integer of at least 2.
    """

    states = ("c", "p")
    memories = ("c",)
    gates = ("z", "f", "o")
    state_range = {"c": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    returns_output = True

    def forward(self, x: Inputs, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return h (B, H) and the next (c, p), of shapes (B, H) and (B, (k - 1) * I)."""
        c, p = state
        w = self.join(x, p)
        wz, wf, wo = self.from_input(w)
        z = torch.tanh(wz)
        f = torch.sigmoid(wf)
        o = torch.sigmoid(wo)
        c = f * c + (1 - f) * z
        h = o * c
        p = self.earlier(w)
        return h, (c, p)


@register("qrnn-f")
class QRNNForgetPoolingCell(QuasiRecurrentCell):
    """Quasi-recurrent network with f-pooling: a forget gate only.

        w = [x, p]
        z = tanh(W_wz w + b_wz)
        f = sigmoid(W_wf w + b_wf)
        h = f * h + (1 - f) * z
        p = w[: (k - 1) I]

    p, the start, options and the inputs of a step are as in :class:`QRNNCell`.
    A window given as a tuple is taken as it is; :func:`recurra.cells.causal_window` knows no reset and no reversal.
    """

    states = ("h", "p")
    memories = ("h",)
    gates = ("z", "f")
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Inputs, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the next (h, p), of shapes (B, H) and (B, (k - 1) * I)."""
        h, p = state
        w = self.join(x, p)
        wz, wf = self.from_input(w)
        z = torch.tanh(wz)
        f = torch.sigmoid(wf)
        h = f * h + (1 - f) * z
        p = self.earlier(w)
        return h, p


@register("qrnn-ifo")
class QRNNInputPoolingCell(QuasiRecurrentCell):
    """Quasi-recurrent network with ifo-pooling: independent input and forget gates, and an output gate.

        w = [x, p]
        z = tanh(W_wz w + b_wz)
        f = sigmoid(W_wf w + b_wf)
        o = sigmoid(W_wo w + b_wo)
        i = sigmoid(W_wi w + b_wi)
        c = f * c + i * z
        h = o * c
        p = w[: (k - 1) I]

    h is the output; c, p, the start, options and the inputs of a step are as in :class:`QRNNCell`.
    A window given as a tuple is taken as it is; :func:`recurra.cells.causal_window` knows no reset and no reversal.
    """

    states = ("c", "p")
    memories = ("c",)
    gates = ("z", "f", "o", "i")
    returns_output = True

    def forward(self, x: Inputs, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return h (B, H) and the next (c, p), of shapes (B, H) and (B, (k - 1) * I)."""
        c, p = state
        w = self.join(x, p)
        wz, wf, wo, wi = self.from_input(w)
        z = torch.tanh(wz)
        f = torch.sigmoid(wf)
        o = torch.sigmoid(wo)
        i = torch.sigmoid(wi)
        c = f * c + i * z
        h = o * c
        p = self.earlier(w)
        return h, (c, p)
