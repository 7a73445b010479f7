"""Options that tasks share, and the checks of options."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from recurra.errors import ConfigError
from recurra.tasks.shared.cell_options import MODIFIERS, option_faults


@dataclass(frozen=True)
class RecurrentOptions:
    """The recurrent layers of a model."""

    cell: str = "lstm"
    """Recurrent cell by its registered name (lstm, gru, elman, ...), or module:Class for your own.
    `recurra cells` lists them."""
    cell_options: tuple[str, ...] = ()
    """Options of the cell itself and of recurra.Recurrent, as name=value: depth=5 residual=true zoneout=0.1 ..."""
    hidden_size: int = 192
    """Units a layer. At least 1."""
    num_layers: int = 2
    """Recurrent layers. At least 1."""
    dropout: float = 0.1
    """Probability that an output of a layer is dropped on its way to the next layer, in [0, 1)."""
    recurrent_dropout: float = 0.0
    """Probability that a value newly written to memory is dropped (Semeniuta et al. 2016), in [0, 1)."""
    variational_dropout: float = 0.0
    """Probability that a unit is dropped for a whole sequence where the recurrent product reads it (Gal and Ghahramani
    2016), in [0, 1)."""
    weight_dropout: float = 0.0
    """Probability that a recurrent weight is dropped for a whole batch (Merity et al. 2018), in [0, 1)."""
    zoneout: float = 0.0
    """Probability that a unit of any state keeps its old value (Krueger et al. 2017), in [0, 1).
    By states: --cell-options 'zoneout={"h": 0.05, "c": 0.5}'."""
    learn_initial_state: bool = False
    """Learn the state before the first step; otherwise it is zero."""
    init: str = "published"
    """Initial weights of the cells, gate by gate: published, orthogonal, torch, or another initialiser of torch.nn.init
    by name. With orthogonal, input matrices are Xavier uniform, recurrent ones orthogonal, and the forget bias is 1;
    published is what the cell's source says, and orthogonal where it says nothing. Cells from elsewhere initialise
    themselves."""
    engine: Literal["auto", "native", "eager", "torch"] = "auto"
    """What runs the recurrence: native is compiled code, eager a plain loop, torch its own kernels for its own cells;
    auto takes the fastest that can run the cell."""


@dataclass(frozen=True)
class ExampleOptions:
    """Which examples, and how they make parts and batches."""

    data: tuple[str, ...] = ()
    """Files, or names of data sets."""
    validation_data: tuple[str, ...] = ()
    """Files to validate on. With these, or a data set that has its own, no fraction is cut off."""
    test_data: tuple[str, ...] = ()
    """Files to test on."""
    validation_fraction: float = 0.1
    """Share of the examples to validate on, drawn at random where no files are for it. In (0, 1)."""
    test_fraction: float = 0.1
    """Share of the examples to test on, drawn at random where no files are for it. In [0, 1)."""
    split_seed: int = 1
    """Fixes which examples go to which part; equal ones always go to the same one. At least 0."""
    batch_size: int = 64
    """Examples of a batch. At least 1."""


def recurrent_faults(config: RecurrentOptions, *, refused: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with the options of recurrent layers.

    Args:
        config: The options, maybe with further ones of a task.
        refused: Names that must not stand in ``cell_options``, since the task settles them.
    """
    faults = least_faults(config, dict.fromkeys(("hidden_size", "num_layers"), 1))
    return [*faults, *share_faults(config, (*MODIFIERS, "dropout")), *option_faults(config, refused)]


def example_faults(config: ExampleOptions) -> list[str]:
    """Return what is wrong with the options of example data."""
    faults = [] if config.data else ["expected data to name at least one file or data set, got none"]
    if not 0 < config.validation_fraction < 1:
        faults.append(f"expected validation_fraction in (0, 1), got {config.validation_fraction}")
    faults += share_faults(config, ("test_fraction",))
    if config.validation_fraction + config.test_fraction >= 1:
        faults.append("expected validation_fraction and test_fraction to leave something for training")
    return faults + least_faults(config, {"batch_size": 1, "split_seed": 0})


def least_faults(config: Any, least: Mapping[str, float]) -> list[str]:
    """Return what is wrong with the fields that have a least value; unset ones are fine."""
    faults = []
    for name, bound in least.items():
        value = getattr(config, name)
        if value is not None and not value >= bound:
            faults.append(f"expected {name} of at least {bound}, got {value}")
    return faults


def share_faults(config: Any, names: Iterable[str]) -> list[str]:
    """Return what is wrong with the fields that are shares from 0 on and below 1."""
    return [
        f"expected {name} in [0, 1), got {getattr(config, name)}"
        for name in names
        if not 0 <= getattr(config, name) < 1
    ]


def settle_names(config: ExampleOptions, names: Iterable[str] = ("data", "validation_data", "test_data")) -> None:
    """Turn paths among the items of data into strings, in a configuration that is being made.

    Raises:
        ConfigError: When an item is neither a path nor a name.
    """
    for name in names:
        object.__setattr__(config, name, names_of(name, getattr(config, name)))


def names_of(what: str, data: Any) -> tuple[str, ...]:
    """Return files and names of data sets as strings.

    Raises:
        ConfigError: When an item is neither a path nor a name.
    """
    items = (data,) if isinstance(data, str | os.PathLike) else data
    is_sequence = isinstance(items, Sequence) and not isinstance(items, bytes | bytearray)
    if not is_sequence or not all(isinstance(item, str | os.PathLike) for item in items):
        raise ConfigError(f"expected {what} to be a path, a name, or a sequence of these, got {data!r}")
    names = tuple(map(os.fspath, items))
    if any(isinstance(name, bytes) for name in names):
        raise ConfigError(f"expected {what} to hold paths of text and not of bytes, got {data!r}")
    return names
