"""The inputs W, R and B of the operators RNN, LSTM and GRU of ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.errors import ShapeError
from recurra.layers.conversion.cell_weights import Array, CellWeights, Layers
from recurra.layers.conversion.request import Request


def read(request: Request, weights: Any) -> Layers:
    """Read the inputs of one node, or a list of those of several, one a layer.

    Raises:
        ShapeError: When an array is missing or surplus, or a shape does not fit.
    """
    nodes = weights if isinstance(weights, list | tuple) and weights else [weights]
    return [_read_node(request, node) for node in nodes]


def _read_node(request: Request, node: Any) -> Sequence[CellWeights]:
    if not isinstance(node, Mapping):
        raise ShapeError(
            f"{request.who} expected {request.what} as a dict of W, R and, where there are biases, B, or a list of "
            f"one a layer, got {type(node).__name__}"
        )
    request.check_names(node, ["W", "R", "B"] if "B" in node else ["W", "R"])
    directions, _, width = request.array("W", node["W"], axes=3).shape
    if directions not in (1, 2):
        raise ShapeError(f"{request.who} expected W of {request.what} to have 1 or 2 directions, got {directions}")
    hidden_size = request.array("R", node["R"], axes=3).shape[2]
    rows = len(request.gates) * hidden_size
    inputs = request.array("W", node["W"], (directions, rows, width))
    states = request.array("R", node["R"], (directions, rows, hidden_size))
    biases = [*request.array("B", node["B"], (directions, 2 * rows))] if "B" in node else [None] * directions
    return [
        CellWeights(request.part(of_input), request.part(of_state), *_part_biases(request, bias))
        for of_input, of_state, bias in zip(inputs, states, biases, strict=True)
    ]


def _part_biases(request: Request, bias: Array | None) -> tuple[Array | None, Array | None]:
    if bias is None:
        return None, None
    of_input, of_state = np.split(bias, 2)
    return request.part(of_input), request.part(of_state)


def write(request: Request, layers: Layers) -> Any:
    """Write W, R and B of one node, or of several layers a list of these."""
    nodes = [_write_node(request, layer) for layer in layers]
    return nodes if len(nodes) > 1 else nodes[0]


def _write_node(request: Request, layer: Sequence[CellWeights]) -> dict[str, Array]:
    node = {
        "W": np.stack([request.stack(cell.weight_ih) for cell in layer]),  # (D, G*H, I)
        "R": np.stack([request.stack(cell.weight_hh) for cell in layer]),  # (D, G*H, H)
    }
    # both directions have biases, or none: zeros stand for those that one lacks
    if any(cell.has_bias for cell in layer):
        pairs = [[request.stack(bias) for bias in cell.two_biases()] for cell in layer]
        node["B"] = np.stack([np.concatenate(pair) for pair in pairs])  # (D, 2*G*H)
    return node
