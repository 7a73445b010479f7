"""From any format into any other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from recurra.errors import ChoiceError, ShapeError
from recurra.layers.conversion import flax_format, keras_format, onnx_format, torch_format
from recurra.layers.conversion.cell_weights import Layers
from recurra.layers.conversion.kinds import KINDS
from recurra.layers.conversion.request import Request

_Read = Callable[[Request, Any], Layers]
_Write = Callable[[Request, Layers], Any]

FORMATS: Mapping[str, tuple[_Read, _Write]] = {
    **dict.fromkeys(torch_format.TEMPLATES, (torch_format.read, torch_format.write)),
    "keras": (keras_format.read, keras_format.write),
    **dict.fromkeys(flax_format.FORMATS, (flax_format.read, flax_format.write)),
    "onnx": (onnx_format.read, onnx_format.write),
}
"""What reads and writes a format, by its name."""


def convert_weights(weights: Any, kind: str, from_format: str, to_format: str) -> Any:
    """Return the weights of a recurrent layer or cell in the layout of another library.

    Numbers are moved, never computed, but for biases: two that only ever act as their sum become that sum, rounded
    once, where a library has one, and one becomes itself and zeros where it has two; Flax has zeros where there are
    none. Weights do not tell activations: a relu stays to be asked for in the library that takes them.

    Args:
        weights: Arrays in the layout of ``from_format``; see :mod:`recurra.layers.conversion`.
        kind: "rnn", "lstm", "gru" (reset gate after the product, as in torch, Flax, Keras with ``reset_after=True``,
            ONNX with ``linear_before_reset=1``) or "gru-reset-before" (Keras with False, ONNX with 0, its default).
        from_format: "torch", "torch-cell", "recurra", "keras", "flax", "flax-nnx", "flax-nnx-optimized" or "onnx".
        to_format: One of these too.

    Returns:
        Copies: torch tensors for "torch", "torch-cell" and "recurra", else arrays of NumPy.

    Raises:
        ChoiceError: When a kind or format is unknown.
        ShapeError: When an array is missing, surplus, or of another shape or type.
        ArgumentError: When the other format has no place for what is there.

    Example:
        >>> import torch
        >>> state_dict = torch.nn.LSTM(3, 4).state_dict()
        >>> kernel, recurrent_kernel, bias = convert_weights(state_dict, "lstm", "torch", "keras")
        >>> kernel.shape, recurrent_kernel.shape, bias.shape
        ((3, 16), (4, 16), (16,))
    """
    who = "convert_weights"
    _check_choice(f"kind of {who}", kind, KINDS)
    layers = read_weights(Request(who, kind, check_format(who, "from_format", from_format)), weights)
    return write_weights(Request(who, kind, check_format(who, "to_format", to_format)), layers)


def check_format(who: str, name: str, value: str) -> str:
    """Return the name of a format.

    Raises:
        ChoiceError: When it is unknown.
    """
    _check_choice(f"{name} of {who}", value, FORMATS)
    return value


def _check_choice(what: str, value: object, choices: Collection[str]) -> None:
    # what is no text may have no hash
    if not isinstance(value, str) or value not in choices:
        raise ChoiceError(what, value, choices)


def read_weights(request: Request, weights: Any) -> Layers:
    """Read weights of any format.

    Raises:
        ShapeError: When an array is missing, surplus, or of another shape or type.
        ArgumentError: When the format has no such kind.
    """
    read, _ = FORMATS[request.format]
    layers = read(request, weights)
    types = sorted({str(array.dtype) for layer in layers for cell in layer for array in cell.arrays()})
    if len(types) > 1:
        raise ShapeError(f"{request.who} expected all {request.what} to be of one type, got {', '.join(types)}")
    _check_directions(request, layers)
    return layers


def _check_directions(request: Request, layers: Layers) -> None:
    for index, layer in enumerate(layers):
        shapes = [cell.weight_ih.shape[1:] for cell in layer]
        if len(set(shapes)) > 1:
            raise ShapeError(
                f"{request.who} expected both directions of layer {index} of {request.what} to have one width of "
                f"state and input, got {', '.join(map(str, shapes))}"
            )


def write_weights(request: Request, layers: Layers) -> Any:
    """Write weights in any format.

    Raises:
        ArgumentError: When the format has no place for what is there.
    """
    _, write = FORMATS[request.format]
    return write(request, layers)
