"""Configuration of the text task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recurra.errors import ConfigError
from recurra.training.config import TrainingConfig, literal_faults


@dataclass(frozen=True)
class DataConfig:
    """Which text, how it is split, and how it is cut into batches."""

    data: tuple[str, ...] = ("builtin:python-manual",)
    """Text files (UTF-8; .gz and .xz too), read one after the other, or names of data sets.
    Of these, builtin:python-manual is in every CPython; tinyshakespeare and grimm lie in the folder RECURRA_DATA."""
    validation_fraction: float = 0.05
    """Share of the characters, from the end but before the test part, to validate on. In (0, 1)."""
    test_fraction: float = 0.05
    """Share of the characters, at the very end, to test on. In [0, 1)."""
    batch_size: int = 16
    """Parallel streams that the training part is cut into. At least 1."""
    bptt: int = 64
    """Time steps of a window of truncated backpropagation through time; the state is carried on. At least 1."""
    max_evaluation_chars: int | None = 500_000
    """Characters of the validation part, and of the test part, from its start, to read at most; unset reads all.
    `recurra evaluate` always reads the whole part. At least 2."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", _names(self.data))
        faults = literal_faults(self)
        if not self.data:
            faults.append("expected data to name at least one file or data set, got none")
        if not 0 < self.validation_fraction < 1:
            faults.append(f"expected validation_fraction in (0, 1), got {self.validation_fraction}")
        if not 0 <= self.test_fraction < 1:
            faults.append(f"expected test_fraction in [0, 1), got {self.test_fraction}")
        if self.validation_fraction + self.test_fraction >= 1:
            faults.append("expected validation_fraction and test_fraction to leave something for training")
        faults += [
            f"expected {n} of at least 1, got {v}" for n in ("batch_size", "bptt") if (v := getattr(self, n)) < 1
        ]
        if self.max_evaluation_chars is not None and self.max_evaluation_chars < 2:
            faults.append(f"expected max_evaluation_chars of at least 2, got {self.max_evaluation_chars}")
        if faults:
            raise ConfigError(faults)


def _names(data: Any) -> tuple[str, ...]:
    """Return files and names of data sets as strings."""
    items = (data,) if isinstance(data, str | os.PathLike) else data
    is_sequence = isinstance(items, Sequence) and not isinstance(items, bytes | bytearray)
    if not is_sequence or not all(isinstance(item, str | os.PathLike) for item in items):
        raise ConfigError(f"expected data to be a path, a name, or a sequence of these, got {data!r}")
    names = tuple(map(os.fspath, items))
    if any(isinstance(name, bytes) for name in names):
        raise ConfigError(f"expected data to hold paths of text and not of bytes, got {data!r}")
    return names


@dataclass(frozen=True)
class ModelConfig:
    """The language model."""

    cell: str = "lstm"
    """Recurrent cell by its registered name (lstm, gru, elman, ...), or module:Class for your own."""
    hidden_size: int = 192
    """Units a layer. At least 1."""
    num_layers: int = 2
    """Recurrent layers. At least 1."""
    input: Literal["embedding", "one-hot"] = "embedding"
    """How a symbol becomes a vector."""
    embedding_size: int | None = None
    """Width of the embedding; unset means 64, or hidden_size if that is less or weights are tied. At least 1."""
    input_dropout: float = 0.0
    """Probability that a component of the embedding is dropped, in [0, 1)."""
    dropout: float = 0.1
    """Probability that an output of a layer is dropped on its way to the next layer, in [0, 1)."""
    output_dropout: float = 0.1
    """Probability that an output of the last layer is dropped, in [0, 1)."""
    tie_weights: bool = False
    """Use the embedding as output matrix too; needs an embedding as wide as the layers' output."""
    learn_initial_state: bool = False
    """Learn the state before the first symbol; otherwise it is zero."""
    init: str = "orthogonal"
    """Initial weights of the cells, gate by gate: orthogonal, torch, or another initialiser of torch.nn.init by name.
    With orthogonal, input matrices are Xavier uniform, recurrent ones orthogonal, and the forget bias is 1.
    Cells from elsewhere initialise themselves."""
    engine: Literal["auto", "native", "eager", "torch"] = "auto"
    """What runs the recurrence: native is compiled code, eager a plain loop, torch its own kernels for its own cells;
    auto takes the fastest that can run the cell."""
    init_from: str | None = None
    """Run to take the first weights from; symbols are matched by name. This starts a new run, it resumes none."""

    def __post_init__(self) -> None:
        faults = literal_faults(self)
        for name in ("hidden_size", "num_layers", "embedding_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                faults.append(f"expected {name} of at least 1, got {value}")
        for name in ("input_dropout", "dropout", "output_dropout"):
            if not 0 <= getattr(self, name) < 1:
                faults.append(f"expected {name} in [0, 1), got {getattr(self, name)}")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class SamplingConfig:
    """The samples written while the model trains."""

    temperatures: tuple[float, ...] = (0.5, 1.0, 2.0)
    """One sample is drawn at each; 0 takes the likeliest symbol, 1 the model's own distribution. At least 0."""
    sample_length: int = 200
    """Characters a sample. At least 1."""
    sample_prime: str = ""
    """What samples begin with; nothing means a new line."""

    def __post_init__(self) -> None:
        faults = literal_faults(self)
        faults += [
            f"expected temperatures of at least 0, got {t}" for t in self.temperatures if not 0 <= t < float("inf")
        ]
        if self.sample_length < 1:
            faults.append(f"expected sample_length of at least 1, got {self.sample_length}")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class TextConfig:
    """Everything that makes a run of the text task."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "sampling": SamplingConfig,
    "training": TrainingConfig,
}
"""Sections of ``config.toml``, in its order."""
