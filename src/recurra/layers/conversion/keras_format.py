"""The lists of arrays that Keras's ``get_weights`` gives and ``set_weights`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.errors import ShapeError
from recurra.layers.conversion.cell_weights import Array, CellWeights, Layers
from recurra.layers.conversion.kinds import KINDS
from recurra.layers.conversion.request import Request


def read(request: Request, weights: Any) -> Layers:
    """Read the list of one layer, in one direction or two, or a list of such lists.

    Raises:
        ShapeError: When an array is missing or surplus, or a shape does not fit.
    """
    if not isinstance(weights, Sequence) or not weights:
        raise ShapeError(f"{request.who} expected {request.what} as a list of arrays, got {_kind(weights)}")
    if all(isinstance(item, list | tuple) for item in weights):
        return [_read_layer(request, layer) for layer in weights]
    return [_read_layer(request, weights)]


def _read_layer(request: Request, arrays: Sequence[Any]) -> list[CellWeights]:
    count = len(arrays)
    if count not in (2, 3, 4, 6):
        raise ShapeError(
            f"{request.who} expected kernel, recurrent_kernel and, where there are biases, bias in {request.what}, "
            f"twice for two directions, got {count} {'array' if count == 1 else 'arrays'}",
            hint="several layers are a list of one such list a layer",
        )
    size = count if count < 4 else count // 2
    return [_read_cell(request, arrays[start : start + size]) for start in range(0, count, size)]


def _read_cell(request: Request, arrays: Sequence[Any]) -> CellWeights:
    state = request.array("recurrent_kernel", arrays[1], axes=2)
    hidden_size = state.shape[0]
    columns = len(request.gates) * hidden_size
    width = request.array("kernel", arrays[0], axes=2).shape[0]
    kernel = request.array("kernel", arrays[0], (width, columns))
    state = request.array("recurrent_kernel", state, (hidden_size, columns))
    biases = _read_biases(request, arrays[2], columns) if len(arrays) == 3 else {}
    return CellWeights(request.part(kernel.T), request.part(state.T), **biases)


def _read_biases(request: Request, value: Any, columns: int) -> dict[str, Array]:
    shape = _bias_shape(request.kind, columns)
    bias = request.array("bias", value)
    other = {"gru": "gru-reset-before", "gru-reset-before": "gru"}.get(request.kind)
    if other and bias.shape == _bias_shape(other, columns):
        raise ShapeError(
            f"{request.who} expected bias of shape {shape} in {request.what}, got {bias.shape}, which is that of a "
            f"layer with reset_after={other == 'gru'}",
            hint=f"name the kind {other!r}",
        )
    bias = request.array("bias", bias, shape)
    if bias.ndim == 1:
        return {"bias_ih": request.part(bias)}
    return {"bias_ih": request.part(bias[0]), "bias_hh": request.part(bias[1])}


def _bias_shape(kind: str, columns: int) -> tuple[int, ...]:
    return (2, columns) if KINDS[kind].parted else (columns,)


def write(request: Request, layers: Layers) -> list[Any]:
    """Write the list of one layer, or of several a list of such lists."""
    lists = [_write_layer(request, layer) for layer in layers]
    return lists if len(lists) > 1 else lists[0]


def _write_layer(request: Request, layer: Sequence[CellWeights]) -> list[Array]:
    # both directions have biases, or none: zeros stand for those that one lacks
    has_bias = any(cell.has_bias for cell in layer)
    return [array for cell in layer for array in _write_cell(request, cell, has_bias=has_bias)]


def _write_cell(request: Request, cell: CellWeights, *, has_bias: bool) -> list[Array]:
    arrays = [np.ascontiguousarray(request.stack(blocks).T) for blocks in (cell.weight_ih, cell.weight_hh)]
    if not has_bias:
        return arrays
    if request.facts.parted:
        return [*arrays, np.stack([request.stack(bias) for bias in cell.two_biases()])]  # (2, G*H)
    return [*arrays, request.stack(cell.summed_bias())]


def _kind(value: object) -> str:
    return "an empty list" if isinstance(value, Sequence) else type(value).__name__
