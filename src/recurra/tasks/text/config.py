"""Configuration of the text task."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

from recurra.errors import ConfigError
from recurra.tasks.shared.options import RecurrentOptions, least_faults, names_of, recurrent_faults, share_faults
from recurra.training.config import TrainingConfig, literal_faults


@dataclass(frozen=True)
class DataConfig:
    """Which text, how it is cut into tokens and parts, and how these make batches."""

    data: tuple[str, ...] = ("builtin:python-manual",)
    """Text files (UTF-8; .gz and .xz too), read one after the other, or names of data sets.
    builtin:python-manual and builtin:place-names need no files.
    `recurra data list` names others, such as tinyshakespeare, ptb and names."""
    validation_data: tuple[str, ...] = ()
    """Text files to validate on. With these, or a data set that has its own, no fraction is cut off."""
    test_data: tuple[str, ...] = ()
    """Text files to test on."""
    validation_fraction: float = 0.05
    """Share of the text to validate on, from the end but before the test part; of lines a random share. In (0, 1)."""
    test_fraction: float = 0.05
    """Share of the text to test on, at the very end; of lines a random share. In [0, 1)."""
    split_seed: int = 1
    """Fixes which lines go to which part; equal lines always go to the same one. At least 0."""
    sequences: Literal["auto", "stream", "lines"] = "auto"
    """stream reads one text that goes on; lines takes each line by itself, between a begin and an end token.
    auto is lines for data sets that are lists and wherever columns are named, otherwise stream."""
    text_column: str | None = None
    """Column that holds the text in .csv and .tsv files: its name, or its number where there is no header line."""
    label_column: str | None = None
    """Column whose value conditions each line; "file" takes the name of the line's file. Needs sequences = lines."""
    tokenizer: Literal["auto", "char", "word", "whitespace", "bpe"] = "auto"
    """What a token is: a character, a word or punctuation mark, or a subword (byte-level BPE of the training part).
    whitespace is for files that are tokenised already: tokens stand between white space.
    auto is char, or what suits a named data set."""
    lowercase: bool = False
    """Make the text lower case; not for the tokenizer bpe."""
    min_count: int | None = None
    """Tokens that are rarer in the training part are unknown; unset means 2 for word, else 1. At least 1."""
    max_vocab_size: int | None = None
    """Keep this many of the most frequent tokens, special ones not counted; of bpe all of them, unset 8,000."""
    max_length: int | None = 512
    """Tokens of a line to read at most; what is cut is counted and reported. At least 1."""
    batch_size: int | None = None
    """Parallel streams that the training part is cut into, or lines of a batch; unset means 16 streams or 64 lines."""
    bptt: int = 64
    """Time steps of a window of truncated backpropagation through time; the state is carried on. At least 1."""
    vary_bptt: bool = False
    """Draw the length of each window around bptt and scale its learning rate (Merity et al. 2018, AWD-LSTM)."""
    max_evaluation_tokens: int | None = 500_000
    """Tokens of the validation part, and of the test part, from its start, to read at most; unset reads all.
    `recurra evaluate` always reads the whole part. At least 2."""

    def __post_init__(self) -> None:
        for name in ("data", "validation_data", "test_data"):
            object.__setattr__(self, name, names_of(name, getattr(self, name)))
        faults = literal_faults(self)
        if not self.data:
            faults.append("expected data to name at least one file or data set, got none")
        if not 0 < self.validation_fraction < 1:
            faults.append(f"expected validation_fraction in (0, 1), got {self.validation_fraction}")
        if not 0 <= self.test_fraction < 1:
            faults.append(f"expected test_fraction in [0, 1), got {self.test_fraction}")
        if self.validation_fraction + self.test_fraction >= 1:
            faults.append("expected validation_fraction and test_fraction to leave something for training")
        least = dict.fromkeys(("min_count", "max_vocab_size", "max_length", "batch_size", "bptt"), 1)
        faults += least_faults(self, {**least, "max_evaluation_tokens": 2, "split_seed": 0})
        if self.label_column is not None and self.sequences == "stream":
            faults.append("expected sequences = lines with label_column, got stream")
        if self.text_column is not None and self.sequences == "stream":
            faults.append("expected sequences = lines with text_column, got stream")
        if self.lowercase and self.tokenizer == "bpe":
            faults.append("expected the tokenizer char, word or whitespace with lowercase, got bpe")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class ModelConfig(RecurrentOptions):
    """The language model."""

    input: Literal["embedding", "one-hot"] = "embedding"
    """How a symbol becomes a vector."""
    embedding_size: int | None = None
    """Width of the embedding. At least 1.
    Unset, it is that of vectors, if any, else hidden_size, but for characters at most 64 unless weights are tied."""
    vectors: str | None = None
    """File of pre-trained word vectors (GloVe or word2vec text format) that the embedding begins with, or glove."""
    freeze_vectors: bool = False
    """Keep the embedding as the vectors are, also for words that they lack."""
    embedding_dropout: float = 0.0
    """Probability that a token's whole embedding is dropped for a batch (Gal and Ghahramani 2016), in [0, 1)."""
    input_dropout: float = 0.0
    """Probability that a component of the embedding is dropped, in [0, 1)."""
    output_dropout: float = 0.1
    """Probability that an output of the last layer is dropped, in [0, 1)."""
    tie_weights: bool = False
    """Use the embedding as output matrix too; needs an embedding as wide as the layers' output."""
    adaptive_cutoffs: tuple[int, ...] = ()
    """Ranks at which a large vocabulary is cut for an adaptive softmax (Grave et al. 2017), rising.
    2000 10000 gives a head of the 2,000 most frequent tokens and two tails; nothing means a full softmax."""
    label_size: int = 16
    """Width of the embedding of labels, which joins each input. At least 1."""
    activation_regularization: float = 0.0
    """Weight of the mean square of the dropped outputs in what is minimised (Merity et al. 2018). At least 0."""
    temporal_regularization: float = 0.0
    """Weight of the mean square of the outputs' change from step to step (Merity et al. 2018). At least 0."""
    init_from: str | None = None
    """Run to take the first weights from; symbols are matched by name. This starts a new run, it resumes none."""

    def __post_init__(self) -> None:
        faults = literal_faults(self)
        faults += recurrent_faults(self, refused=("bidirectional", "merge_mode"))
        sizes = dict.fromkeys(("embedding_size", "label_size"), 1)
        penalties = dict.fromkeys(("activation_regularization", "temporal_regularization"), 0)
        faults += least_faults(self, {**sizes, **penalties})
        cuts = self.adaptive_cutoffs
        if any(cut < 1 for cut in cuts) or any(a >= b for a, b in itertools.pairwise(cuts)):
            faults.append(f"expected adaptive_cutoffs that rise from at least 1, got {' '.join(map(str, cuts))}")
        if cuts and self.tie_weights:
            faults.append("expected no adaptive_cutoffs with tie_weights, got both")
        if self.vectors is not None and self.init_from is not None:
            faults.append("expected vectors or init_from, got both")
        if self.vectors is None and self.freeze_vectors:
            faults.append("expected a file of vectors with freeze_vectors, got none")
        if self.vectors is not None and self.input == "one-hot":
            faults.append("expected input = embedding with vectors, got one-hot")
        faults += share_faults(self, ("input_dropout", "embedding_dropout", "output_dropout"))
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class SamplingConfig:
    """The samples written while the model trains."""

    temperatures: tuple[float, ...] = (0.5, 1.0, 2.0)
    """One sample is drawn at each; 0 takes the likeliest symbol, 1 the model's own distribution. At least 0."""
    sample_length: int = 200
    """Tokens a sample, at most. At least 1."""
    sample_prime: str = ""
    """What samples begin with; nothing means the start of a line."""

    def __post_init__(self) -> None:
        faults = literal_faults(self)
        faults += [
            f"expected temperatures of at least 0, got {t}" for t in self.temperatures if not 0 <= t < float("inf")
        ]
        faults += least_faults(self, {"sample_length": 1})
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
