"""Weights of other libraries into and out of modules."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.layers.conversion import torch_format
from recurra.layers.conversion.cell_weights import CellWeights
from recurra.layers.conversion.converting import check_format, read_weights, write_weights
from recurra.layers.conversion.filling import fill_places, no_parameter
from recurra.layers.conversion.places import Place, computed_in, find_places, walk_places
from recurra.layers.conversion.request import Request
from recurra.layers.recurrent import Recurrent

_WRAPPING = ("zoneout", "recurrent_dropout", "variational_dropout", "skip_through_time")


def load_weights(module: torch.nn.Module, weights: Any, from_format: str) -> None:
    """Put weights of another library into a layer or cell.

    Values are rounded where the module's type is shorter. When anything does not fit, nothing is changed.

    Args:
        module: ``torch.nn.RNN``, ``LSTM`` or ``GRU`` or Recurra's; a cell of torch of these; a cell of Recurra with the
            same equations: "elman", "elman-relu", "irnn", "lstm", "lstm-b", "lstm-np", "gru", "gru-reset-before"; or
            :class:`recurra.Recurrent` over such a cell, of which nothing but the cells is filled.
        weights: As for :func:`convert_weights`; their kind is that of the module.
        from_format: As for :func:`convert_weights`.

    Raises:
        ChoiceError: When the format is unknown.
        ShapeError: When an array is missing, surplus, or of another shape or type than the module has.
        ArgumentError: When the module is none of these, an option changes its equations, a weight is no parameter
            (``torch.nn.utils.parametrize``, ``weight_norm``, ``prune``), is on the meta device or is tied to one that
            would get other values, or a value is too large for the module's type.

    Example:
        >>> layer = torch.nn.GRU(3, 4)
        >>> load_weights(layer, export_weights(torch.nn.GRU(3, 4), "onnx"), "onnx")
    """
    who = "load_weights"
    kind, places = find_places(who, module)
    request = Request(who, kind, check_format(who, "from_format", from_format))
    fill_places(module, kind, places, read_weights(request, weights))


def export_weights(module: torch.nn.Module, to_format: str) -> Any:
    """Return the weights of a layer or cell in the layout of another library, as copies on the CPU.

    Args:
        module: As for :func:`load_weights`; weights that a parametrisation computes are taken as they are in
            evaluation, without dropout. A :class:`recurra.Recurrent` may have what other libraries lack, such as
            residual connections, only where the format is "recurra", which holds the weights of its cells alone.
        to_format: As for :func:`convert_weights`.

    Raises:
        ChoiceError: When the format is unknown.
        ShapeError: When the module's type is none of float16, float32 and float64.
        ArgumentError: When the module is none of those, an option changes its equations, a weight is computed by other
            means, or the format has no place for what the module has.

    Example:
        >>> tree = export_weights(torch.nn.LSTMCell(3, 4), "flax")
        >>> tree["ii"]["kernel"].shape, tree["hi"]["bias"].shape
        ((3, 4), (4,))
    """
    who = "export_weights"
    check_format(who, "to_format", to_format)
    if isinstance(module, Recurrent) and to_format != "recurra":
        _check_options(who, module, to_format)
    kind, places = find_places(who, module)
    for place, name in walk_places(places):
        if name not in place.owner._parameters and name not in computed_in(place):
            raise no_parameter(who, place, name)
    layers = [[_read_place(who, kind, place) for place in layer] for layer in places]
    return write_weights(Request(who, kind, to_format), layers)


def _check_options(who: str, module: Recurrent, to_format: str) -> None:
    """Check that a layer computes what its cells alone would."""
    is_used = {
        "residual": module.residual and module.num_layers > 1,
        "merge_mode": module.bidirectional and module.merge_mode != "concat",
        "projection_size": module.projection_size is not None,
        "learn_initial_state": module.learn_initial_state,
    }
    options = {name: getattr(module, name) for name, used in is_used.items() if used}
    options |= {name: value for name, value in module.modifiers.changed().items() if name in _WRAPPING}
    if options:
        listed = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise ArgumentError(
            f"{who} expected a Recurrent that {to_format!r} has a place for, got {listed}",
            hint="export one cell at a time, as module.cell_l0, and build the rest in the other library",
        )


def _read_place(who: str, kind: str, place: Place) -> CellWeights:
    computed = computed_in(place)
    values = {
        name: _evaluate(place.owner, name) if name in computed else getattr(place.owner, name)
        for name in place.names.values()
    }
    return torch_format.read_cell(Request(who, kind, "torch-cell"), values, place.names)


@torch.no_grad()
def _evaluate(owner: Any, name: str) -> Tensor:
    """Compute a weight as it is in evaluation: dropout would give a random part of it, spectral norms would move on."""
    parametrization = owner.parametrizations[name]
    modes = [(part, part.training) for part in parametrization.modules()]
    parametrization.eval()
    try:
        value: Tensor = parametrization()
    finally:
        for part, mode in modes:
            part.training = mode
    return value
