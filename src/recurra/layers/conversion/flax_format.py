"""The trees of parameters of Flax's cells: those of linen, and both forms of nnx.

| | linen | nnx |
|---|---|---|
| SimpleCell | i, h | dense_i, dense_h |
| LSTMCell | ii if ig io hi hf hg ho | ii if_ ig io hi hf hg ho |
| OptimizedLSTMCell | as LSTMCell | dense_i, dense_h: columns i f g o |
| GRUCell | ir iz in hr hz hn | dense_i, dense_h: columns r z n; no bias at the state's product |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.errors import ShapeError
from recurra.layers.conversion.cell_weights import Array, CellWeights, Layers
from recurra.layers.conversion.request import Request

FORMATS = ("flax", "flax-nnx", "flax-nnx-optimized")

_DIRECTIONS = ("forward_rnn", "backward_rnn")


def read(request: Request, weights: Any) -> Layers:
    """Read the tree of a cell, of an RNN or of a Bidirectional, or a list of one a layer.

    Raises:
        ArgumentError: When Flax has no such cell.
        ShapeError: When a name is missing or surplus, or a shape does not fit.
    """
    _check_kind(request)
    trees = weights if isinstance(weights, list | tuple) and weights else [weights]
    return [_read_layer(request, tree) for tree in trees]


def _check_kind(request: Request) -> None:
    if request.kind == "gru-reset-before":
        raise request.cannot_hold("a GRU whose reset gate stands before the product")


def _read_layer(request: Request, tree: Any) -> Sequence[CellWeights]:
    if isinstance(tree, Mapping) and set(tree) == {"params"}:
        tree = tree["params"]
    if not isinstance(tree, Mapping):
        raise ShapeError(
            f"{request.who} expected {request.what} as a tree of dicts, or a list of one a layer, "
            f"got {type(tree).__name__}"
        )
    if set(tree) == set(_DIRECTIONS):
        return [_read_cell(request, tree[name]) for name in _DIRECTIONS]
    return [_read_cell(request, tree)]


def _read_cell(request: Request, tree: Any) -> CellWeights:
    if isinstance(tree, Mapping) and set(tree) == {"cell"}:
        tree = tree["cell"]
    leaves = dict(_leaves(tree))
    names = {name.partition(".")[0] for name in leaves}
    if names & {"dense_i", "dense_h"}:
        return _read_joined(request, leaves)
    # no name of the kind at all: the error lists those of the format that was asked for
    inputs, states = _parts(request, is_nnx="if_" in names or ("if" not in names and request.format != "flax"))
    return _read_separate(request, leaves, inputs, states)


def _leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(tree, Mapping):
        return [(path, tree)]
    prefix = f"{path}." if path else ""
    return [leaf for name, value in tree.items() for leaf in _leaves(value, f"{prefix}{name}")]


def _hint_at_cells(leaves: Mapping[str, Any], first: str) -> str:
    """Say where in a tree the cells lie, if they lie deeper: below the names that modules have in a model."""
    paths = {
        path.removesuffix(end) for path in leaves for end in (f".{first}", ".dense_i.kernel") if path.endswith(end)
    }
    for inner in (".cell", *(f".{direction}" for direction in _DIRECTIONS)):
        paths = {path.removesuffix(inner) for path in paths}
    if not paths:
        return ""
    found = sorted(paths)
    if len(found) == 1:
        return f"give the tree of the layer or cell alone, which lies at {found[0]}"
    return f"give the tree of one layer or cell, or a list of those of several, which lie at {', '.join(found)}"


def _parts(request: Request, *, is_nnx: bool) -> tuple[list[str], list[str]]:
    """Name the modules of the input's and of the state's products, one a gate."""
    # the gate of a SimpleCell has no name
    gates = request.gates if len(request.gates) > 1 else ("",)
    # "if" cannot be an attribute in Python
    inputs = ["if_" if is_nnx and gate == "f" else f"i{gate}" for gate in gates]
    return inputs, [f"h{gate}" for gate in gates]


def _biased(request: Request, inputs: Sequence[str], states: Sequence[str]) -> list[str]:
    """Name the modules that have a bias: one a gate, and two where those are not one."""
    if request.kind == "lstm":
        return list(states)
    parted = [state for state, gate in zip(states, request.gates, strict=True) if gate in request.facts.parted]
    return [*inputs, *parted]


def _read_separate(
    request: Request, leaves: Mapping[str, Any], inputs: Sequence[str], states: Sequence[str]
) -> CellWeights:
    biased = _biased(request, inputs, states)
    wanted = [f"{part}.kernel" for part in (*inputs, *states)] + [f"{part}.bias" for part in biased]
    request.check_names(leaves, wanted, _hint_at_cells(leaves, wanted[0]))
    width = request.array(f"{inputs[0]}.kernel", leaves[f"{inputs[0]}.kernel"], axes=2).shape[0]
    hidden_size = request.array(f"{states[0]}.kernel", leaves[f"{states[0]}.kernel"], axes=2).shape[0]

    def kernels(parts: Sequence[str], rows: int) -> Array:
        names = [f"{part}.kernel" for part in parts]
        return np.stack([request.array(name, leaves[name], (rows, hidden_size)).T for name in names])

    biases = {part: request.array(f"{part}.bias", leaves[f"{part}.bias"], (hidden_size,)) for part in biased}
    weight_ih, weight_hh = kernels(inputs, width), kernels(states, hidden_size)
    if request.kind == "lstm":
        return CellWeights(weight_ih, weight_hh, np.stack([biases[part] for part in states]))
    bias_ih = np.stack([biases[part] for part in inputs])
    if request.kind == "rnn":
        return CellWeights(weight_ih, weight_hh, bias_ih)
    bias_hh = np.zeros_like(bias_ih)
    bias_hh[-1] = biases[states[-1]]
    return CellWeights(weight_ih, weight_hh, bias_ih, bias_hh)


def _read_joined(request: Request, leaves: Mapping[str, Any]) -> CellWeights:
    bias_name = _joined_bias(request.kind)
    request.check_names(leaves, ["dense_i.kernel", "dense_h.kernel", bias_name])
    width = request.array("dense_i.kernel", leaves["dense_i.kernel"], axes=2).shape[0]
    hidden_size = request.array("dense_h.kernel", leaves["dense_h.kernel"], axes=2).shape[0]
    columns = len(request.gates) * hidden_size
    stacked = (
        request.array("dense_i.kernel", leaves["dense_i.kernel"], (width, columns)).T,
        request.array("dense_h.kernel", leaves["dense_h.kernel"], (hidden_size, columns)).T,
        request.array(bias_name, leaves[bias_name], (columns,)),
    )
    return CellWeights(*map(request.part, stacked))


def _joined_bias(kind: str) -> str:
    return "dense_h.bias" if kind == "lstm" else "dense_i.bias"


def write(request: Request, layers: Layers) -> Any:
    """Write the tree of a cell, of a Bidirectional where there are two directions, of several layers a list of them.

    Raises:
        ArgumentError: When Flax has no such cell, or the cell of nnx no place for the candidate's second bias.
    """
    _check_kind(request)
    trees = []
    for layer in layers:
        cells = [_write_cell(request, cell) for cell in layer]
        pairs = zip(_DIRECTIONS, cells, strict=True) if len(cells) == 2 else ()
        trees.append({name: {"cell": cell} for name, cell in pairs} or cells[0])
    return trees if len(trees) > 1 else trees[0]


def _write_cell(request: Request, cell: CellWeights) -> dict[str, dict[str, Array]]:
    if request.format == "flax-nnx-optimized" or (request.format == "flax-nnx" and request.kind != "lstm"):
        return _write_joined(request, cell)
    return _write_separate(request, cell)


def _write_separate(request: Request, cell: CellWeights) -> dict[str, dict[str, Array]]:
    inputs, states = _parts(request, is_nnx=request.format == "flax-nnx")
    blocks = [*cell.weight_ih, *cell.weight_hh]
    tree = {
        part: {"kernel": np.ascontiguousarray(block.T)} for part, block in zip(inputs + states, blocks, strict=True)
    }
    biases = [*cell.summed_bias()]
    if request.kind == "gru":
        bias_ih, bias_hh = cell.two_biases()
        biases[-1:] = [bias_ih[-1], bias_hh[-1]]
    for part, bias in zip(_biased(request, inputs, states), biases, strict=True):
        tree[part]["bias"] = bias.copy()
    return tree


def _write_joined(request: Request, cell: CellWeights) -> dict[str, dict[str, Array]]:
    if request.kind == "gru" and cell.two_biases()[1][-1].any():
        raise request.cannot_hold(
            "a GRU with a bias within the reset gate's product (bias_hh of n) that is not zero",
            hint="the GRUCell of flax.linen, 'flax', has that bias",
        )
    tree = {
        name: {"kernel": np.ascontiguousarray(request.stack(blocks).T)}
        for name, blocks in (("dense_i", cell.weight_ih), ("dense_h", cell.weight_hh))
    }
    tree[_joined_bias(request.kind).partition(".")[0]]["bias"] = request.stack(cell.summed_bias())
    return tree
