"""The state dicts of torch's layers and cells, and of ``recurra.Recurrent``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from recurra.errors import ShapeError
from recurra.layers.conversion.cell_weights import Array, CellWeights, Layers
from recurra.layers.conversion.kinds import BIASES, WEIGHTS, Kind
from recurra.layers.conversion.request import Request

TEMPLATES: Mapping[str, str] = {
    "torch": "{role}_l{layer}{suffix}",
    "torch-cell": "{role}",
    "recurra": "cell_l{layer}{suffix}.{role}",
}
"""How a format names a parameter."""

_ROLE = r"(?P<role>(?:weight|bias)_(?:ih|hh))"
_PLACE = r"_l(?P<layer>\d+)(?P<suffix>_reverse)?"
_PATTERNS = {
    "torch": re.compile(_ROLE + _PLACE),
    "torch-cell": re.compile(_ROLE),
    "recurra": re.compile(rf"cell{_PLACE}\.{_ROLE}"),
}

_WHOLE_LAYER = (
    "only the entries of cell_l0 and so on are weights of cells; a whole state dict of Recurrent, with projections and "
    "learned states, is for its load_state_dict"
)


def read(request: Request, weights: Any) -> Layers:
    """Read a state dict; which of the formats here it has, its names tell.

    Raises:
        ShapeError: When a name is missing or surplus, or a shape does not fit.
    """
    if not isinstance(weights, Mapping):
        raise ShapeError(f"{request.who} expected {request.what} as a dict of tensors, got {type(weights).__name__}")
    matches: dict[str, list[re.Match[str]]] = {
        form: [found for name in weights if (found := pattern.fullmatch(str(name)))]
        for form, pattern in _PATTERNS.items()
    }
    # where no name is known, the error lists those of the format that was asked for
    form = next((form for form, found in matches.items() if found), request.format)
    places = [match.groupdict() for match in matches[form]]
    roles = _roles(request.facts, {place["role"] for place in places})
    # a gap makes names that are missing, and others that are surplus
    num_layers = max(1, len({place.get("layer") for place in places}))
    suffixes = ("", "_reverse") if any(place.get("suffix") for place in places) else ("",)
    cells = [[_names(form, roles, layer, suffix) for suffix in suffixes] for layer in range(num_layers)]
    wanted = [name for layer in cells for names in layer for name in names.values()]
    request.check_names(weights, wanted, _WHOLE_LAYER if form == "recurra" else "")
    return [[read_cell(request, weights, names) for names in layer] for layer in cells]


def _roles(kind: Kind, found: set[str]) -> tuple[str, ...]:
    """Say which parameters a cell must have, by those that are there."""
    if not found.intersection(BIASES):
        return WEIGHTS
    # biases that only act as their sum may be one
    return WEIGHTS + (kind.biases if kind.parted or "bias_hh" in found else ("bias_ih",))


def _names(form: str, roles: Sequence[str], layer: int, suffix: str) -> dict[str, str]:
    return {role: TEMPLATES[form].format(role=role, layer=layer, suffix=suffix) for role in roles}


def read_cell(request: Request, weights: Mapping[str, Any], names: Mapping[str, str]) -> CellWeights:
    """Read the weights of one cell.

    Args:
        request: What is read.
        weights: Tensors by name.
        names: The name of each of ``weight_ih``, ``weight_hh``, and of the biases there are.
    """
    state = request.array(names["weight_hh"], weights[names["weight_hh"]], axes=2)
    rows = len(request.gates) * state.shape[1]
    width = request.array(names["weight_ih"], weights[names["weight_ih"]], axes=2).shape[1]
    shapes = {"weight_ih": (rows, width), "weight_hh": (rows, state.shape[1]), "bias_ih": (rows,), "bias_hh": (rows,)}
    found = {role: request.part(request.array(name, weights[name], shapes[role])) for role, name in names.items()}
    return CellWeights(**found)


def write(request: Request, layers: Layers) -> dict[str, torch.Tensor]:
    """Write a state dict.

    Raises:
        ArgumentError: When the format has no place for such layers.
    """
    _check_layers(request, layers)
    has_bias = layers[0][0].has_bias
    roles = [*WEIGHTS, *(request.facts.biases if has_bias else ())]
    weights = {}
    for index, layer in enumerate(layers):
        for suffix, cell in zip(("", "_reverse"), layer, strict=False):
            values = write_cell(request, cell, roles)
            names = _names(request.format, roles, index, suffix)
            weights.update({names[role]: torch.from_numpy(value) for role, value in values.items()})
    return weights


def write_cell(request: Request, cell: CellWeights, roles: Sequence[str]) -> dict[str, Array]:
    """Return the arrays of one cell by role; a single bias is the sum of two."""
    bias_ih, bias_hh = cell.two_biases() if "bias_hh" in roles else (cell.summed_bias(), None)
    blocks = {"weight_ih": cell.weight_ih, "weight_hh": cell.weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    return {role: request.stack(np.asarray(blocks[role])) for role in roles}


def _check_layers(request: Request, layers: Layers) -> None:
    if len({len(layer) for layer in layers}) > 1:
        raise request.cannot_hold("some layers of one direction and some of two")
    if len({cell.has_bias for layer in layers for cell in layer}) > 1:
        raise request.cannot_hold("biases in some layers only")
    if request.format == "torch":
        _check_torch_layers(request, layers)
    if request.format == "torch-cell" and (len(layers), len(layers[0])) != (1, 1):
        raise request.cannot_hold(
            f"{len(layers)} layers of {len(layers[0])} directions", hint="'torch' and 'recurra' hold several cells"
        )


def _check_torch_layers(request: Request, layers: Layers) -> None:
    if request.kind == "gru-reset-before":
        raise request.cannot_hold(
            "a GRU whose reset gate stands before the product",
            hint="'torch-cell' is the form of recurra's cell gru-reset-before, 'recurra' that of its layers",
        )
    hidden_size = layers[0][0].hidden_size
    widths = {cell.hidden_size for layer in layers for cell in layer}
    if widths != {hidden_size}:
        raise request.cannot_hold(f"layers of the widths {sorted(widths)}", hint="'recurra' has a width a layer")
    for index, layer in enumerate(layers[1:], 1):
        for cell in layer:
            if cell.input_size != hidden_size * len(layer):
                raise request.cannot_hold(
                    f"an input of width {cell.input_size} in layer {index}, where the layer below gives "
                    f"{hidden_size * len(layer)}"
                )
