"""Configuration of the translate task."""

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
    """Which pairs, what is done to their text, and how they make parts and batches."""

    data: tuple[str, ...] = ("builtin:number-pairs",)
    """Files (UTF-8; .gz and .xz too) of which each line is a source, a tab and its translation; or two files without
    tabs, line n of one going with line n of the other; or names of data sets.
    builtin:number-pairs (numbers spelt out in English and French) needs no files.
    `recurra data list` names others, such as eng-fra and multi30k."""
    validation_data: tuple[str, ...] = ()
    """Files to validate on, as for data. With these, or a data set that has its own, no fraction is cut off."""
    test_data: tuple[str, ...] = ()
    """Files to test on, as for data."""
    swap: bool = False
    """Translate from the second side of each pair to the first."""
    lowercase: bool = True
    """Make both sides lower case."""
    normalization: Literal["none", "ascii"] = "none"
    """ascii makes both sides lower case, strips accents, parts . ! ? from the word before and turns every other
    character into a space, as the PyTorch tutorial on translation does."""
    src_prefixes: tuple[str, ...] = ()
    """Keep only pairs whose source begins with one of these, after normalisation; a space at the end counts."""
    tgt_prefixes: tuple[str, ...] = ()
    """Keep only pairs whose target begins with one of these, after normalisation; a space at the end counts."""
    max_words: int | None = None
    """Keep only pairs of at most so many words on either side, in every part. Words are what white space parts. At
    least 1."""
    tokenizer: Literal["word", "whitespace", "char", "bpe"] = "word"
    """What a token is: a word or punctuation mark, what stands between white space, a character, or a subword
    (byte-level BPE of the training part). Each side has a vocabulary of its own."""
    tgt_tokenizer: Literal["same", "word", "whitespace", "char", "bpe"] = "same"
    """What a token of the target side is."""
    min_count: int | None = None
    """Tokens that are rarer in their side of the training part are unknown; unset means 2 for word, else 1. Nothing to
    bpe. At least 1."""
    max_vocab_size: int | None = None
    """Keep this many of the most frequent tokens of each side, special ones not counted; of bpe all of them, unset
    8,000."""
    max_length: int | None = 100
    """Pairs with more tokens on either side are left out of the training part, and counted. At least 1."""
    reverse_src: bool = False
    """Read sources from their end to their beginning (Sutskever et al. 2014)."""

    def __post_init__(self) -> None:
        settle_names(self)
        faults = [*literal_faults(self), *example_faults(self)]
        faults += least_faults(self, dict.fromkeys(("max_words", "min_count", "max_vocab_size", "max_length"), 1))
        for name in ("src_prefixes", "tgt_prefixes"):
            if any(not prefix for prefix in getattr(self, name)):
                faults.append(f"expected {name} to hold no empty text, which every sentence begins with, got one")
        if self.min_count is not None and "bpe" in (self.tokenizer, self.tgt_kind):
            faults.append("expected no min_count with the tokenizer bpe, which knows every byte, got one")
        if faults:
            raise ConfigError(faults)

    @property
    def is_lowercase(self) -> bool:
        """Whether text is in lower case, so that case does not count."""
        return self.lowercase or self.normalization == "ascii"

    @property
    def tgt_kind(self) -> str:
        """What the tokeniser of the target side is."""
        return self.tokenizer if self.tgt_tokenizer == "same" else self.tgt_tokenizer


@dataclass(frozen=True)
class ModelConfig(RecurrentOptions):
    """The encoder and the decoder."""

    cell: str = "gru"
    """Recurrent cell by its registered name (gru, lstm, elman, ...), or module:Class for your own.
    `recurra cells` lists them."""
    hidden_size: int = 256
    """Units a layer, of the encoder in each direction. At least 1."""
    num_layers: int = 1
    """Layers of the encoder and of the decoder, where these are not given apart. At least 1."""
    encoder_layers: int | None = None
    """Layers of the encoder; unset means num_layers. At least 1."""
    decoder_layers: int | None = None
    """Layers of the decoder; unset means num_layers. At least 1."""
    bidirectional: bool = True
    """Let the encoder read the source from both ends."""
    attention: Literal["none", "additive", "dot", "general"] = "additive"
    """How the decoder looks at the source: by additive attention (Bahdanau et al. 2015), by the dot product with a
    projection of it (general) or, where the widths agree, with itself (dot; Luong et al. 2015), or not at all: then the
    decoder begins with the encoder's final state (Sutskever et al. 2014)."""
    context_input: bool = False
    """Without attention: give the encoder's final state to every step of the decoder and to its output (Cho et al.
    2014)."""
    input_feeding: bool = False
    """With attention or context_input: give what came out of a step to the next one (Luong et al. 2015). The decoder is
    then run step by step, which is slower."""
    bridge: Literal["linear", "copy"] = "linear"
    """How the encoder's last states become the decoder's first ones: by a learned map, or as they are, which needs an
    encoder that is not bidirectional and as many layers on both sides."""
    embedding_size: int | None = None
    """Width of the embeddings of both sides; unset means hidden_size. At least 1."""
    input_dropout: float = 0.2
    """Probability that a component of an embedding is dropped, in [0, 1)."""
    dropout: float = 0.2
    """Probability that an output of a layer is dropped on its way to the next layer, in [0, 1)."""
    output_dropout: float = 0.2
    """Probability that a component is dropped in front of the output layer, in [0, 1)."""
    tie_weights: bool = False
    """Use the embedding of the target side as output matrix too; without attention it must be as wide as the decoder's
    output."""

    def __post_init__(self) -> None:
        faults = [*literal_faults(self), *recurrent_faults(self, refused=("bidirectional", "merge_mode"))]
        faults += least_faults(self, dict.fromkeys(("encoder_layers", "decoder_layers", "embedding_size"), 1))
        faults += share_faults(self, ("input_dropout", "output_dropout"))
        if self.attention == "none" and self.input_feeding and not self.context_input:
            faults.append("expected attention or context_input with input_feeding, got none")
        if self.attention != "none" and self.context_input:
            faults.append(f"expected attention = none with context_input, got {self.attention}")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class DecodingConfig:
    """How translations are found."""

    num_beams: int = 5
    """Translations that are followed at the same time; 1 always takes the likeliest token. At least 1."""
    length_penalty: float = 1.0
    """How much longer translations are preferred: scores are log-probabilities over ((5 + length) / 6) to this power
    (Wu et al. 2016). At least 0."""
    max_length_ratio: float | None = None
    """Tokens of a translation, at most, for each token of its source, beside ten more. Above 0. Unset, it is twice
    that of the training part."""
    max_validation_pairs: int = 2000
    """Pairs of the validation part, evenly spread over it, that are translated while the model trains, without beams.
    The test part is translated once, in whole and with beams. At least 1."""

    def __post_init__(self) -> None:
        faults = least_faults(self, {"num_beams": 1, "length_penalty": 0, "max_validation_pairs": 1})
        if self.max_length_ratio is not None and not self.max_length_ratio > 0:
            faults.append(f"expected max_length_ratio above 0, got {self.max_length_ratio}")
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True)
class TranslateTraining(TrainingConfig):
    """How long, with which optimiser, what the decoder is fed, and what to record on the way."""

    default_budget_s: ClassVar[float] = 120.0

    optimizer: Literal["sgd", "rmsprop", "adam", "adamw"] = "adamw"
    """How weights follow gradients."""
    lr: float = 0.003
    """Peak learning rate. Above 0."""
    weight_decay: float = 0.01
    """Shrinks matrices, not biases; decoupled in AdamW, added to the gradient elsewhere. At least 0."""
    teacher_forcing_ratio: float = 1.0
    """Probability that the decoder is fed the true token of the step before, at the beginning of training; otherwise it
    is fed its own likeliest one. In [0, 1]."""
    teacher_forcing_unit: Literal["step", "sequence"] = "step"
    """What is drawn for: each step by itself (Bengio et al. 2015), or a whole sequence at once."""
    teacher_forcing_decay: Literal["constant", "linear", "exponential", "inverse-sigmoid"] = "constant"
    """How the probability moves to teacher_forcing_final_ratio, where it stays (Bengio et al. 2015)."""
    teacher_forcing_epochs: float = 10.0
    """Passes over the training part after which it is there. Above 0."""
    teacher_forcing_final_ratio: float = 0.5
    """Where it moves to, in [0, 1]; above 0 for exponential. Nothing to constant."""
    label_smoothing: float = 0.0
    """Share of each target's probability that is spread over all tokens in what is minimised (Szegedy et al. 2016), in
    [0, 1)."""

    def __post_init__(self) -> None:
        faults: list[str] = []
        try:
            super().__post_init__()
        except ConfigError as error:
            faults += error.faults
        for name in ("teacher_forcing_ratio", "teacher_forcing_final_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                faults.append(f"expected {name} in [0, 1], got {getattr(self, name)}")
        if not self.teacher_forcing_epochs > 0:
            faults.append(f"expected teacher_forcing_epochs above 0, got {self.teacher_forcing_epochs}")
        faults += share_faults(self, ("label_smoothing",))
        faults += self._exponential_faults()
        if faults:
            raise ConfigError(faults)

    def _exponential_faults(self) -> list[str]:
        if self.teacher_forcing_decay != "exponential":
            return []
        return [
            f"expected {name} above 0 with teacher_forcing_decay = exponential, got {getattr(self, name)}"
            for name in ("teacher_forcing_ratio", "teacher_forcing_final_ratio")
            if getattr(self, name) == 0
        ]


@dataclass(frozen=True)
class TranslateConfig:
    """Everything that makes a run of the translate task."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    training: TranslateTraining = field(default_factory=TranslateTraining)


SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "decoding": DecodingConfig,
    "training": TranslateTraining,
}
"""Sections of ``config.toml``, in its order."""
