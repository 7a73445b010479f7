"""The modules that have a counterpart in other libraries, and where their weights lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from recurra.cells import (
    ElmanCell,
    ElmanReLUCell,
    ForgetBiasLSTMCell,
    GRUCell,
    GRUResetBeforeCell,
    IRNNCell,
    LSTMCell,
    NoPeepholeLSTMCell,
)
from recurra.errors import ArgumentError
from recurra.layers.conversion.kinds import BIASES, WEIGHTS
from recurra.layers.gru import GRU
from recurra.layers.lstm import LSTM
from recurra.layers.recurrent import Recurrent
from recurra.layers.rnn import RNN
from recurra.loop.parametrized import computed_names, plain_type

LAYERS: Mapping[type[torch.nn.Module], str] = {
    **dict.fromkeys((torch.nn.RNN, RNN), "rnn"),
    **dict.fromkeys((torch.nn.LSTM, LSTM), "lstm"),
    **dict.fromkeys((torch.nn.GRU, GRU), "gru"),
}
"""The kind of each layer that holds the weights itself."""

CELLS: Mapping[type[torch.nn.Module], str] = {
    **dict.fromkeys((torch.nn.RNNCell, ElmanCell, ElmanReLUCell, IRNNCell), "rnn"),
    **dict.fromkeys((torch.nn.LSTMCell, LSTMCell, ForgetBiasLSTMCell, NoPeepholeLSTMCell), "lstm"),
    **dict.fromkeys((torch.nn.GRUCell, GRUCell), "gru"),
    GRUResetBeforeCell: "gru-reset-before",
}
"""The kind of each cell, where the options are as below."""

_WANTED_OPTIONS: Mapping[type[torch.nn.Module], Mapping[str, object]] = {
    ForgetBiasLSTMCell: {"output_gate": "sigmoid"},
}
"""What options that change a cell's equations must be for it to be of that kind."""

_RECTIFIED = (ElmanReLUCell, IRNNCell)


@dataclass(frozen=True)
class Place:
    """Where the weights of one cell lie."""

    owner: torch.nn.Module
    prefix: str
    """What stands before the names in the state dict of the module that was given."""
    names: Mapping[str, str]
    """The attribute of the owner for ``weight_ih``, ``weight_hh``, and for the biases there are."""


Places = Sequence[Sequence[Place]]
"""Places by layer, and in it by direction."""


def find_places(who: str, module: torch.nn.Module) -> tuple[str, Places]:
    """Return the kind of a module, and where its weights lie.

    Raises:
        ArgumentError: When it has no counterpart, or is a ``Recurrent`` over cells that are not all alike.
    """
    module_type = _plain_type(module)
    if module_type in LAYERS:
        return LAYERS[module_type], _places_of_layer(who, module)
    if module_type is not Recurrent:
        kind, _ = _equations(who, "module", module)
        return kind, [[_place_of_cell(module, "")]]
    paths = _paths_of_cells(module)
    found = {
        path: _equations(who, f"{path} of module", module.get_submodule(path)) for layer in paths for path in layer
    }
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{' with '.join(filter(None, words))} in {path}" for path, words in found.items())
        raise ArgumentError(f"{who} expected all cells of module to have the same equations, got {listed}")
    places = [[_place_of_cell(module.get_submodule(path), f"{path}.") for path in layer] for layer in paths]
    return found[paths[0][0]][0], places


def _plain_type(module: object) -> type:
    return plain_type(module) if isinstance(module, torch.nn.Module) else type(module)


def _paths_of_cells(module: Any) -> list[list[str]]:
    suffixes = ("", "_reverse") if module.bidirectional else ("",)
    return [[f"cell_l{layer}{suffix}" for suffix in suffixes] for layer in range(module.num_layers)]


def computed_in(place: Place) -> list[str]:
    """Return the names of the weights of a place that parametrisations compute."""
    return [name for name in computed_names(place.owner) if name in place.names.values()]


def walk_places(places: Places) -> Iterator[tuple[Place, str]]:
    """Yield every weight as its place and the name of the attribute."""
    for place in (place for layer in places for place in layer):
        for name in place.names.values():
            yield place, name


def _places_of_layer(who: str, module: Any) -> Places:
    if module.proj_size:
        raise ArgumentError(f"{who} expected a layer without projection, got proj_size={module.proj_size}")
    roles = WEIGHTS + (BIASES if module.bias else ())
    suffixes = ("", "_reverse") if module.bidirectional else ("",)
    return [
        [Place(module, "", {role: f"{role}_l{layer}{suffix}" for role in roles}) for suffix in suffixes]
        for layer in range(module.num_layers)
    ]


def _place_of_cell(cell: torch.nn.Module, prefix: str) -> Place:
    # to look at a computed weight is to compute it, which may draw random numbers
    computed = computed_names(cell)
    roles = [role for role in WEIGHTS + BIASES if role in computed or getattr(cell, role, None) is not None]
    return Place(cell, prefix, {role: role for role in roles})


def _equations(who: str, what: str, cell: torch.nn.Module) -> tuple[str, str]:
    """Return the kind of a cell and the activation that weights do not tell, "" where there is but one."""
    cell_type = _plain_type(cell)
    if cell_type not in CELLS:
        layers = (*LAYERS, Recurrent) if what == "module" else ()
        names = dict.fromkeys(cls.__name__ for cls in (*layers, *CELLS))
        raise ArgumentError(
            f"{who} expected {what} to be one of {', '.join(names)}, got {cell_type.__name__}",
            hint=_hint_for(what, cell),
        )
    for option, wanted in _WANTED_OPTIONS.get(cell_type, {}).items():
        if getattr(cell, option) != wanted:
            raise ArgumentError(
                f"{who} expected {what}, a {cell_type.__name__}, to have {option}={wanted!r}, as the other libraries "
                f"compute, got {getattr(cell, option)!r}"
            )
    if CELLS[cell_type] != "rnn":
        return CELLS[cell_type], ""
    return "rnn", "relu" if cell_type in _RECTIFIED else str(getattr(cell, "nonlinearity", "tanh"))


def _hint_for(what: str, cell: torch.nn.Module) -> str:
    if isinstance(getattr(cell, "cell", None), torch.nn.Module):
        where = "module" if what == "module" else f"module.{what.partition(' ')[0]}"
        return f"give the cell inside, {where}.cell"
    known = next((base for base in _plain_type(cell).__mro__ if base in (*LAYERS, *CELLS, Recurrent)), None)
    if known is None:
        return ""
    return (
        f"it is a subclass of {known.__module__.partition('.')[0]}'s {known.__name__} and may compute something else; "
        "if it does not, convert_weights takes and gives its state dict"
    )
