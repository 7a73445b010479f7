"""Configuration of the tag task."""

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
    """Which tagged sentences, and how they make parts and batches."""

    data: tuple[str, ...] = ("builtin:identifiers",)
    """Files (UTF-8; .gz and .xz too), or names of data sets. .conllu is CoNLL-U; .conll, .bio, .tsv and .txt hold one
    word a line with its tag in the last column, parted by a tab or by spaces, and an empty line behind each sentence.
    builtin:identifiers (Python's standard library, each token with its role) needs no files.
    `recurra data list` names others, such as ud-english-ewt and wnut17."""
    validation_data: tuple[str, ...] = ()
    """Files to validate on, as for data. With these, or a data set that has its own, no fraction is cut off."""
    test_data: tuple[str, ...] = ()
    """Files to test on, as for data."""
    tag_column: str | None = None
    """What the tags of CoNLL-U are: upos (where it is unset), xpos, deprel, or a feature by its name, such as
    Number. Of other files the number of a column from 2 on; unset means the last."""
    raw_words: Literal["word", "whitespace"] = "word"
    """How `recurra predict` finds the words of raw sentences: by words and punctuation marks, or by white space alone,
    for sentences that are cut into words already."""
    lowercase: bool = True
    """Make words lower case for their embedding; what reads their characters sees them as they are."""
    min_count: int = 2
    """Words that are rarer in the training part share one embedding, that of unknown words. At least 1."""
    max_vocab_size: int | None = None
    """Give this many of the most frequent words an embedding of their own. At least 1."""
    batch_size: int = 32
    """Sentences of a batch. At least 1."""

    def __post_init__(self) -> None:
        settle_names(self)
        faults = [*literal_faults(self), *example_faults(self)]
        faults += least_faults(self, {"min_count": 1, "max_vocab_size": 1})
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class ModelConfig(RecurrentOptions):
    """The tagger."""

    hidden_size: int = 256
    """Units a layer, in each direction. At least 1."""
    num_layers: int = 1
    """Recurrent layers. At least 1."""
    bidirectional: bool = True
    """Read sentences in both directions."""
    embedding_size: int | None = None
    """Width of the embedding of words; unset, it is that of vectors, if any, else 100. At least 1."""
    vectors: str | None = None
    """File of pre-trained word vectors (GloVe or word2vec text format) that the embedding begins with, or glove."""
    freeze_vectors: bool = False
    """Keep the embedding as the vectors are, also for words that they lack."""
    char_features: Literal["none", "cnn", "recurrent"] = "recurrent"
    """What reads the first 48 characters of each word, beside its embedding: nothing, a convolution (Ma and Hovy 2016),
    or a bidirectional LSTM (Lample et al. 2016)."""
    char_embedding_size: int = 30
    """Width of the embedding of characters. At least 1."""
    char_hidden_size: int = 30
    """Filters of the convolution, or units of the LSTM in each direction. At least 1."""
    output: Literal["softmax", "crf"] = "softmax"
    """What makes probabilities of scores: a softmax for each word, or a linear-chain conditional random field for all
    tags of a sentence together (Lafferty et al. 2001)."""
    constraints: Literal["auto", "none", "bio"] = "auto"
    """What tags may follow each other when sentences are tagged: bio lets I-kind stand behind B-kind and I-kind only.
    auto is bio where all training sentences keep to that, otherwise none."""
    word_dropout: float = 0.05
    """Probability that a word is taken for an unknown one; its characters stay. In [0, 1)."""
    input_dropout: float = 0.3
    """Probability that a component of what stands for a word is dropped, in [0, 1)."""
    output_dropout: float = 0.3
    """Probability that an output of the last layer is dropped, in [0, 1)."""

    def __post_init__(self) -> None:
        faults = [*literal_faults(self), *recurrent_faults(self)]
        sizes = ("embedding_size", "char_embedding_size", "char_hidden_size")
        faults += least_faults(self, dict.fromkeys(sizes, 1))
        faults += share_faults(self, ("word_dropout", "input_dropout", "output_dropout"))
        if self.vectors is None and self.freeze_vectors:
            faults.append("expected a file of vectors with freeze_vectors, got none")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class TagTraining(TrainingConfig):
    """How long, with which optimiser, and what to record on the way."""

    default_budget_s: ClassVar[float] = 120.0

    lr: float = 0.003
    """Peak learning rate. Above 0."""
    weight_decay: float = 0.01
    """Shrinks matrices, not biases; decoupled in AdamW, added to the gradient elsewhere. At least 0."""


@dataclass(frozen=True)
class TagConfig:
    """Everything that makes a run of the tag task."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TagTraining = field(default_factory=TagTraining)


SECTIONS: dict[str, type] = {"data": DataConfig, "model": ModelConfig, "training": TagTraining}
"""Sections of ``config.toml``, in its order."""
