"""The plain recurrence as a layer."""

from __future__ import annotations

import torch

from recurra.cells import ElmanCell, ElmanReLUCell
from recurra.cells.torch_cell import TorchCell
from recurra.layers.drop_in import DropIn


class RNN(DropIn, torch.nn.RNN):  # type: ignore[misc]  # torch's overloads of forward
    """``torch.nn.RNN`` with lengths, resets, a choice of engine, and initialisation gate by gate.

    Args:
        *args: As for ``torch.nn.RNN``: input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
            batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None.
        engine: "auto" is compiled code on the CPU, and torch's own forward elsewhere; see :func:`recurra.unroll`.
        init: "torch" draws the weights that torch draws from the same seed; see :class:`recurra.cells.Cell`.
        **kwargs: As for ``torch.nn.RNN``.

    Example:
        >>> output, h = RNN(3, 4)(torch.zeros(5, 2, 3), lengths=torch.tensor([5, 2]))
        >>> output.shape
        torch.Size([5, 2, 4])
    """

    def cell_class(self) -> type[TorchCell]:
        """Return the class of the cell that each layer runs."""
        return ElmanCell if self.nonlinearity == "tanh" else ElmanReLUCell
