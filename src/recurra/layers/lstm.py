"""The long short-term memory as a layer."""

from __future__ import annotations

import torch

from recurra.cells import LSTMCell, ProjectedLSTMCell
from recurra.cells.torch_cell import TorchCell
from recurra.layers.drop_in import DropIn


class LSTM(DropIn, torch.nn.LSTM):  # type: ignore[misc]  # torch's overloads of forward
    """``torch.nn.LSTM`` with lengths, resets, a choice of engine, and initialisation gate by gate.

    Args:
        *args: As for ``torch.nn.LSTM``: input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
            dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None.
        engine: "auto" is compiled code on the CPU, and torch's own forward elsewhere; see :func:`recurra.unroll`.
        init: "torch" draws the weights that torch draws from the same seed; see :class:`recurra.cells.Cell`.
        **kwargs: As for ``torch.nn.LSTM``.

    Example:
        >>> output, (h, c) = LSTM(3, 4, proj_size=2)(torch.zeros(5, 2, 3), lengths=torch.tensor([5, 2]))
        >>> output.shape, c.shape
        (torch.Size([5, 2, 2]), torch.Size([1, 2, 4]))
    """

    def cell_class(self) -> type[TorchCell]:
        """Return the class of the cell that each layer runs."""
        return ProjectedLSTMCell if self.proj_size else LSTMCell
