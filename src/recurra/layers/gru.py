"""The gated recurrent unit as a layer."""

from __future__ import annotations

import torch

from recurra.cells import GRUCell
from recurra.cells.torch_cell import TorchCell
from recurra.layers.drop_in import DropIn


class GRU(DropIn, torch.nn.GRU):  # type: ignore[misc]  # torch's overloads of forward
    """``torch.nn.GRU`` with lengths, resets, a choice of engine, and initialisation gate by gate.

    Args:
        *args: As for ``torch.nn.GRU``: input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
            dropout=0.0, bidirectional=False, device=None, dtype=None.
        engine: "auto" is compiled code on the CPU, and torch's own forward elsewhere; see :func:`recurra.unroll`.
        init: "torch" draws the weights that torch draws from the same seed; see :class:`recurra.cells.Cell`.
        **kwargs: As for ``torch.nn.GRU``.

    Example:
        >>> output, h = GRU(3, 4)(torch.zeros(5, 2, 3), lengths=torch.tensor([5, 2]))
        >>> output.shape
        torch.Size([5, 2, 4])
    """

    def cell_class(self) -> type[TorchCell]:
        """Return the class of the cell that each layer runs."""
        return GRUCell
