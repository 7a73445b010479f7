"""Configuration of the classify task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from recurra.errors import ConfigError
from recurra.tasks.shared.options import (
    ExampleOptions,
    RecurrentOptions,
    example_faults,
    least_faults,
    recurrent_faults,
    settle_names,
    share_faults,
)
from recurra.training.config import TrainingConfig, literal_faults


@dataclass(frozen=True)
class DataConfig(ExampleOptions):
    """Which examples, and how they become sequences, parts and batches."""

    data: tuple[str, ...] = ("builtin:number-languages",)
    """Tables (.csv, .tsv, .jsonl, .parquet), a folder of text files by label, a text file for each class with a text a
    line, hub:NAME, numbers (.npz: values, lengths, labels), or names of data sets.
    builtin:number-languages needs no files; imdb and names are fetched by `recurra data get`."""
    text_column: str | None = None
    """Column of a table that holds the text; unset means text, or what the data set says."""
    label_column: str | None = None
    """Column of a table that holds the label; unset means label, or what the data set says."""
    split_column: str | None = None
    """Column of a table that says train, validation or test; unset means none, or what the data set says."""
    tokenizer: Literal["auto", "char", "word", "whitespace", "bpe"] = "auto"
    """What a token is: a character, a word or punctuation mark, or a subword (byte-level BPE of the training part).
    auto is char where half of the texts have at most 40 characters, as names have, else word."""
    lowercase: bool | None = None
    """Make the text lower case; not for the tokenizer bpe. Unset means yes for word and no for others."""
    min_count: int | None = None
    """Tokens that are rarer in the training part are unknown; unset means 2 for word, else 1. At least 1."""
    max_vocab_size: int | None = None
    """Keep this many of the most frequent tokens, special ones not counted; of bpe all of them, unset 8,000."""
    max_length: int | None = None
    """Tokens of a text, or steps of numbers, to read at most; what is cut is counted and reported. At least 1.
    Unset means 400 tokens, and all steps of numbers."""
    keep: Literal["begin", "end"] = "begin"
    """Which end of a text that is longer is read."""

    def __post_init__(self) -> None:
        settle_names(self)
        faults = [*literal_faults(self), *example_faults(self)]
        faults += least_faults(self, dict.fromkeys(("min_count", "max_vocab_size", "max_length"), 1))
        if self.tokenizer == "bpe":
            given = [name for name in ("lowercase", "min_count") if getattr(self, name)]
            faults += [f"expected no {name} with the tokenizer bpe, which knows every byte, got it" for name in given]
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class ModelConfig(RecurrentOptions):
    """The classifier, and what it learns from a label."""

    model: Literal["recurrent", "cnn", "mlp"] = "recurrent"
    """What reads the sequence: recurrent layers, a convolutional network (Kim 2014), or the mean of all steps and fully
    connected layers (Iyyer et al. 2015). cnn and mlp get the width at which they have as many parameters as the
    recurrent model of the same options."""
    hidden_size: int = 128
    """Units a layer and direction. At least 1."""
    num_layers: int = 1
    """Recurrent layers, or layers of an mlp. At least 1."""
    bidirectional: bool = True
    """Read from both ends."""
    pooling: Literal["last", "mean", "max", "attention"] = "max"
    """How the outputs of all steps become one vector; last takes where each direction has read all."""
    width: int | None = None
    """Filters of each window size of a cnn, units a layer of an mlp; unset means equal parameters. At least 1."""
    embedding_size: int | None = None
    """Width of the embedding. At least 1.
    Unset, it is that of vectors, if any, else 128, and 64 for characters."""
    vectors: str | None = None
    """File of pre-trained word vectors (GloVe or word2vec text format) that the embedding begins with, or glove."""
    freeze_vectors: bool = False
    """Keep the embedding as the vectors are, also for words that they lack."""
    word_dropout: float = 0.0
    """Probability that a token is read as unknown (Iyyer et al. 2015), in [0, 1)."""
    embedding_dropout: float = 0.0
    """Probability that a token's whole embedding is dropped for a batch (Gal and Ghahramani 2016), in [0, 1)."""
    input_dropout: float = 0.1
    """Probability that a component of the embedding is dropped, in [0, 1)."""
    output_dropout: float = 0.3
    """Probability that a component of the vector that the classes are read from is dropped, in [0, 1)."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced lets each class count the same in training, however many examples it has."""
    label_smoothing: float = 0.0
    """Share of each target that is spread over all classes in training (Szegedy et al. 2016), in [0, 1)."""

    def __post_init__(self) -> None:
        faults = [*literal_faults(self), *recurrent_faults(self)]
        faults += least_faults(self, dict.fromkeys(("embedding_size", "width"), 1))
        names = ("word_dropout", "embedding_dropout", "input_dropout", "output_dropout", "label_smoothing")
        faults += share_faults(self, names)
        if self.vectors is None and self.freeze_vectors:
            faults.append("expected a file of vectors with freeze_vectors, got none")
        if self.width is not None and self.model == "recurrent":
            faults.append("expected no width with model = recurrent, whose width is hidden_size, got one")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class ClassifyTraining(TrainingConfig):
    """How long, with which optimiser, and what to record on the way."""

    default_budget_s: ClassVar[float] = 120.0

    max_steps: int | None = None
    """Optimiser steps to train for. At most one of max_steps, num_epochs, time_budget_s; none of them means 120 s."""
    lr: float = 0.002
    """Peak learning rate. Above 0."""
    weight_decay: float = 0.01
    """Shrinks matrices, not biases; decoupled in AdamW, added to the gradient elsewhere. At least 0."""


@dataclass(frozen=True)
class ClassifyConfig:
    """Everything that makes a run of the classify task."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: ClassifyTraining = field(default_factory=ClassifyTraining)


SECTIONS: dict[str, type] = {"data": DataConfig, "model": ModelConfig, "training": ClassifyTraining}
"""Sections of ``config.toml``, in its order."""
