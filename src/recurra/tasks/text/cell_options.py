"""Options of the cell and of its layers, as they are written on a command line."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.tasks.text.config import ModelConfig

MODIFIERS = ("recurrent_dropout", "variational_dropout", "weight_dropout", "zoneout")
"""What every cell can be given that has a key of its own."""

_NOT_FORWARD = {"bidirectional", "batch_first", "merge_mode"}
_OF_THE_TASK = {"input_size", "vocab_size", "num_labels", "dtype", "device"}


def read_options(given: tuple[str, ...]) -> dict[str, Any]:
    """Return options by name; a value is what JSON makes of it (number, true, list, ...), or else the text itself.

    Args:
        given: Each ``name=value``.
    """
    pairs = (option.split("=", 1) for option in given)
    return {name.replace("-", "_"): _value(text) for name, text in pairs}


def option_faults(config: ModelConfig) -> list[str]:
    """Say what is wrong with the options that a model's configuration names."""
    shapeless = [option for option in config.cell_options if "=" not in option[1:]]
    if shapeless:
        return [f"expected cell_options as name=value, got {', '.join(shapeless)}"]
    names = [option.split("=", 1)[0].replace("-", "_") for option in config.cell_options]
    keys = {field.name for field in dataclasses.fields(config)}
    faults = [
        f"expected {name} as a key of its own and not in cell_options" for name in names if name in keys - {"zoneout"}
    ]
    faults += [f"expected each of cell_options once, got {name} again" for name in set(names) if names.count(name) > 1]
    faults += [
        f"expected no {name} in cell_options of a model that reads forward, got it" for name in _NOT_FORWARD & {*names}
    ]
    faults += [f"expected no {name} in cell_options, as the task knows it, got it" for name in _OF_THE_TASK & {*names}]
    if "zoneout" in names and config.zoneout:
        faults.append("expected zoneout once, got it in cell_options too")
    return faults


def layer_options(config: ModelConfig) -> dict[str, Any]:
    """Return all options that the recurrent layers are given beside those that the language model names."""
    given = {name: getattr(config, name) for name in MODIFIERS if getattr(config, name)}
    return given | read_options(config.cell_options)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
