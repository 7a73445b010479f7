"""The unitary recurrence."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.bias import add_bias
from recurra.cells.cell import Cell, State
from recurra.cells.gates import Filler, uniform
from recurra.cells.registry import register
from recurra.cells.unitary_matrix import unitary_matrix


@register("unitary")
class UnitaryCell(Cell):
    """Unitary recurrence of H complex numbers, which keeps the length of its state but for the rectifier.

        a_re = W_xr x + U_re re - U_im im
        a_im = W_xi x + U_im re + U_re im
        size = sqrt(a_re^2 + a_im^2)
        m = relu(size + b_m) / (size + 1e-5)
        re = m * a_re
        im = m * a_im

    U = D3 R2 F^-1 D2 P R1 F D1 is made of ``phases`` (3H,) and ``reflections`` (4H,: v1 re, v1 im, v2 re, v2 im), see
    :func:`recurra.cells.unitary_matrix.unitary_matrix`; it is built once a call of the native engine, and at every step
    of the plain loop. ``weight_ih`` (2H, I) has the rows re, im. The output is (B, 2H), re beside im. The first state
    is learned: ``initial_re`` and ``initial_im``, (H,). Gradients need no clipping in this cell.

    Nothing fades, so inputs add up: with one at every step, the state's length grows about with the square root of
    their number. The cell suits sequences of bounded length that start anew; a state carried on without end has to be
    reset or normalised.

    Differs from the source: P takes the even rows and then the odd ones, where the source draws a permutation, which
    would have to be kept beside the weights. The released code turns off F and adds a gain to each unit; the paper's
    form is taken.
    """

    states = ("re", "im")
    gates = ("re", "im")
    state_gates = ()
    recurrent_weights = ()
    biases = ()
    source = "arjovsky2016unitary"
    returns_output = True

    phases: Tensor
    reflections: Tensor
    bias_m: Tensor | None
    initial_re: Tensor
    initial_im: Tensor

    @property
    def recurrent_size(self) -> int:
        """Width of what :meth:`from_state` is given."""
        return 2 * self.hidden_size

    @property
    def output_size(self) -> int:
        """Width of the output, real parts beside imaginary ones."""
        return 2 * self.hidden_size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        size = self.hidden_size
        matrix = {"phases": (3 * size,), "reflections": (4 * size,)}
        return super().weight_shapes() | matrix | {"bias_m": (size,), "initial_re": (size,), "initial_im": (size,)}

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the rectifier."""
        return {"bias_m": uniform(-0.01, 0.01)}

    def starts(self) -> Mapping[str, Filler]:
        """Draw the matrix, and a first state of length 1 on average."""
        edge = math.sqrt(3 / (2 * self.hidden_size))
        # Xavier for the two vectors of each reflection, whose length does not matter
        bound = math.sqrt(6 / (2 + 2 * self.hidden_size))
        first = dict.fromkeys(("initial_re", "initial_im"), uniform(-edge, edge))
        return {"phases": uniform(-math.pi, math.pi), "reflections": uniform(-bound, bound), **first}

    def initial_state(self, batch_size: int) -> State:
        """Return the learned first state, (batch_size, H) each.

        Raises:
            ArgumentError: When ``batch_size`` is negative.
        """
        re, im = super().initial_state(batch_size)
        return re + self.initial_re, im + self.initial_im

    def from_state(self, h: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return real and imaginary part of U h, each (B, H), for h (B, 2H)."""
        assert not gates, f"{type(self).__name__} has one product, got {gates}"
        u_re, u_im = unitary_matrix(self.phases, self.reflections)
        weight = torch.cat((torch.cat((u_re, -u_im), 1), torch.cat((u_im, u_re), 1)))
        return torch.nn.functional.linear(h, weight).chunk(2, -1)

    def output_from(self, re: Tensor, im: Tensor) -> Tensor:
        """Return the output [re, im], (B, 2H)."""
        return torch.cat((re, im), -1)

    def rectifier(self, size: Tensor) -> Tensor:
        """Return what scales a number of size (B, H) so that its size is rectified."""
        return torch.relu(add_bias(size, self.bias_m)) / (size + 1e-5)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # x (B, I), re and im (B, H)
        """Return the output (B, 2H) and the next (re, im), each (B, H)."""
        re, im = state
        x_re, x_im = self.from_input(x)
        u_re, u_im = self.from_state(self.output_from(re, im))
        a_re = x_re + u_re
        a_im = x_im + u_im
        size = length(a_re, a_im)
        m = self.rectifier(size)
        re = m * a_re
        im = m * a_im
        return self.output_from(re, im), (re, im)


def length(re: Tensor, im: Tensor) -> Tensor:
    """Return sqrt(re^2 + im^2), kept off 0, where the root has no derivative."""
    square = re * re + im * im
    return torch.sqrt(square.clamp_min(torch.finfo(square.dtype).tiny))
