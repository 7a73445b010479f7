"""Options of the cell and of its layers, as they are written on a command line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.tasks.shared.options import RecurrentOptions

MODIFIERS = ("recurrent_dropout", "variational_dropout", "weight_dropout", "zoneout")
"""What every cell can be given that has a key of its own."""

_OF_THE_TASK = {"input_size", "vocab_size", "num_labels", "batch_first", "dtype", "device"}


def read_options(given: tuple[str, ...]) -> dict[str, Any]:
    """Return options by name; a value is what JSON makes of it (number, true, list, ...), or else the text itself.

    Args:
        given: Each ``name=value``.
    """
    pairs = (option.split("=", 1) for option in given)
    return {name.replace("-", "_"): _value(text) for name, text in pairs}


def option_faults(config: RecurrentOptions, refused: Iterable[str] = ()) -> list[str]:
    """Say what is wrong with the options that a model's configuration names.

    Args:
        config: The model's options.
        refused: Names that mean nothing to the model.
    """
    shapeless = [option for option in config.cell_options if "=" not in option[1:]]
    if shapeless:
        return [f"expected cell_options as name=value, got {', '.join(shapeless)}"]
    names = [option.split("=", 1)[0].replace("-", "_") for option in config.cell_options]
    keys = {field.name for field in dataclasses.fields(config)}
    faults = [
        f"expected {name} as a key of its own and not in cell_options" for name in names if name in keys - {"zoneout"}
    ]
    faults += [f"expected each of cell_options once, got {name} again" for name in set(names) if names.count(name) > 1]
    faults += [f"expected no {name} in cell_options of such a model, got it" for name in refused if name in names]
    faults += [
        f"expected no {name} in cell_options, as the task knows it, got it" for name in names if name in _OF_THE_TASK
    ]
    if "zoneout" in names and config.zoneout:
        faults.append("expected zoneout once, got it in cell_options too")
    return faults


def layer_options(config: RecurrentOptions) -> dict[str, Any]:
    """Return what the recurrent layers are given beside sizes, layers, dropout, init and engine."""
    given = {name: getattr(config, name) for name in MODIFIERS if getattr(config, name)}
    return given | read_options(config.cell_options)


def recurrent_keywords(config: RecurrentOptions) -> dict[str, Any]:
    """Return all options of recurrent layers as ``recurra.Recurrent`` takes them, but for the width of the input.

    Raises:
        ChoiceError: When there is no such cell.
    """
    from recurra.cells import Cell, find_cell  # a help text is printed without PyTorch

    keywords: dict[str, Any] = {
        "cell": config.cell,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        "dropout": config.dropout if config.num_layers > 1 else 0.0,
        "learn_initial_state": config.learn_initial_state,
        "engine": config.engine,
    }
    if issubclass(find_cell(config.cell), Cell):
        keywords["init"] = config.init
    return keywords | layer_options(config)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
