"""What the cells of torch's form share: torch's parameters, its initialisation, and views of weights of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.errors import ShapeError


class TorchCell(Cell):
    """A cell with the parameters of ``torch.nn``'s: a bias for the input's product and one for the state's.

    Both biases of a gate are one number in effect, but for the candidate of a GRU: the second is there because torch's
    state dicts have it. The initialisation is torch's unless another is asked for.
    """

    biases = ("bias_ih", "bias_hh")
    default_init = "torch"

    @classmethod
    def from_weights(cls, **tensors: Tensor | None) -> Self:
        """Build a cell around tensors that are there already, at the cost of some microseconds.

        Nothing is copied or drawn: a Parameter stays the same object, another tensor (a computed weight) is a plain
        attribute.

        Args:
            tensors: By name, those of :meth:`weight_shapes`; biases may be left out, both or none.

        Raises:
            ShapeError: When a tensor is missing, unknown, or of a shape that does not fit the others.
        """
        cell = cls.__new__(cls)
        torch.nn.Module.__init__(cell)
        for name in ("weight_ih", "weight_hh"):
            if tensors.get(name) is None:
                raise ShapeError(f"{cls.__name__} expected a tensor for {name}, got none")
        given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        has_bias = "bias_ih" in given or "bias_hh" in given
        cell.__dict__.update(cell._sizes_of(given), bias=has_bias, init="torch", started_biases={})
        shapes = cell.weight_shapes()
        for name, shape in shapes.items():
            tensor = given.get(name)
            if tensor is None and (cell.bias or not name.startswith("bias")):
                raise ShapeError(f"{cls.__name__} expected a tensor for {name}, got none")
            if tensor is not None and tensor.shape != shape:
                raise ShapeError(f"{cls.__name__} expected {name} of shape {shape}, got {tuple(tensor.shape)}")
            if tensor is None or isinstance(tensor, torch.nn.Parameter):
                cell._parameters[name] = tensor
            else:
                cell.__dict__[name] = tensor
        if not given.keys() <= shapes.keys():
            extra = ", ".join(sorted(given.keys() - shapes.keys()))
            raise ShapeError(f"{cls.__name__} expected the tensors {', '.join(shapes)}, got {extra} too")
        return cell

    @classmethod
    def _sizes_of(cls, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        weight = tensors["weight_ih"]
        if weight.dim() != 2 or weight.shape[0] % len(cls.gates):
            raise ShapeError(
                f"{cls.__name__} expected weight_ih of shape ({len(cls.gates)} * hidden_size, input_size), "
                f"got {tuple(weight.shape)}"
            )
        return {"input_size": weight.shape[1], "hidden_size": weight.shape[0] // len(cls.gates)}
