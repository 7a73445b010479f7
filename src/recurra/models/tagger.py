"""A recurrent tagger: one tag for each word of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.cells.checks import check_number, check_size
from recurra.data import IGNORE_INDEX, UNK_ID
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers import LinearChainCRF, Recurrent, TagConstraints, viterbi
from recurra.layers.tag_checks import check_emissions, tags_to_read
from recurra.loop.checks import check_lengths
from recurra.loop.plan import valid_steps
from recurra.models.char_features import CHAR_FEATURES, CharFeatures, word_vectors

OUTPUTS = ("softmax", "crf")
"""What takes the scores of tags for probabilities: each step for itself, or all tags of a sentence together."""


class Tagger(nn.Module):
    """Words in, scores of tags out, with both sides of a word's sentence in view.

        e_t = dropout([embedding(w_t); features of the characters of w_t])
        y_t = recurrent(e_t)                      stacked layers of any cell, in both directions
        emissions_t = W dropout(y_t) + b          of which a softmax or a random field makes probabilities

    Args:
        vocab_size: Number of words.
        num_tags: Number K of tags.
        embedding_size: Width of a word's vector.
        char_features: "none", or what reads a word's characters, see :class:`recurra.models.CharFeatures`.
        char_vocab_size: Number of characters; 0 without ``char_features``.
        char_embedding_size: Width of a character's vector.
        char_hidden_size: Filters, or units of each direction, over characters.
        output: "softmax" for each step for itself; "crf" for a linear-chain conditional random field.
        constraints: Which tags may stand where, for decoding alone: the tags of real data seldom keep to all rules.
        word_dropout: Probability in [0, 1) that a word is taken for an unknown one, in training. Its characters stay.
        input_dropout: Probability that a component of e_t is dropped.
        output_dropout: The same for y_t.
        cell: Cell class or registered name.
        hidden_size: Units a layer and direction.
        num_layers: Recurrent layers.
        bidirectional: Whether sentences are read in both directions.
        dropout: Probability that an output is dropped between two layers.
        engine: Engine of the recurrent layers.
        recurrent_options: Further ones of :class:`recurra.Recurrent`, and those of the cell.

    Raises:
        ArgumentError: When a size or probability is none, or ``char_vocab_size`` does not go with ``char_features``.
        ChoiceError: When ``char_features`` or ``output`` is unknown.
        ShapeError: When the constraints are not for ``num_tags``.

    Source: Huang, Xu and Yu 2015, arXiv 1508.01991; Lample et al. 2016, arXiv 1603.01360; Ma and Hovy 2016,
    arXiv 1603.01354.
    """

    def __init__(
        self,
        vocab_size: int,
        num_tags: int,
        *,
        embedding_size: int = 100,
        char_features: Literal["none", "cnn", "recurrent"] = "none",
        char_vocab_size: int = 0,
        char_embedding_size: int = 30,
        char_hidden_size: int = 30,
        output: Literal["softmax", "crf"] = "softmax",
        constraints: TagConstraints | None = None,
        word_dropout: float = 0.0,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
        cell: str | type[nn.Module] = "lstm",
        hidden_size: int = 192,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        engine: str = "auto",
        **recurrent_options: Any,
    ) -> None:
        super().__init__()
        if recurrent_options.get("batch_first"):
            raise ArgumentError("Tagger expected no batch_first, as its words are (T, B), got batch_first=True")
        if output not in OUTPUTS:
            raise ChoiceError("output of Tagger", output, OUTPUTS)
        self.num_tags = check_size("Tagger", "num_tags", num_tags)
        self.word_dropout = check_number("Tagger", "word_dropout", word_dropout, at_least=0, below=1)
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.char_features = _build_char_features(
            char_features, char_vocab_size, char_embedding_size, char_hidden_size, engine
        )
        self.input_dropout = nn.Dropout(input_dropout)
        self.recurrent = Recurrent(
            cell,
            embedding_size + (0 if self.char_features is None else self.char_features.output_size),
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            engine=engine,
            **recurrent_options,
        )
        self.output_dropout = nn.Dropout(output_dropout)
        self.to_emissions = nn.Linear(self.recurrent.output_size, num_tags)
        self.crf = LinearChainCRF(num_tags) if output == "crf" else None
        self._set_constraints(constraints)
        self.reset_parameters()

    def _set_constraints(self, constraints: TagConstraints | None) -> None:
        """Keep what is allowed beside the weights, on their device; it follows from the tags, so it is not saved."""
        self.has_constraints = constraints is not None
        if constraints is None:
            return
        for name, mask in zip(TagConstraints._fields, constraints, strict=True):
            shape = (self.num_tags,) * (2 if name == "transitions" else 1)
            if tuple(mask.shape) != shape:
                raise ShapeError(f"Tagger expected constraints.{name} of shape {shape}, got {tuple(mask.shape)}")
            self.register_buffer(f"allowed_{name}", mask, persistent=False)

    def reset_parameters(self) -> None:
        """Draw the words' vectors and the output weights anew; other weights stay."""
        nn.init.normal_(self.embedding.weight)
        nn.init.normal_(self.to_emissions.weight, std=self.to_emissions.in_features**-0.5)
        nn.init.zeros_(self.to_emissions.bias)

    @property
    def constraints(self) -> TagConstraints | None:
        """Which tags may stand where when sentences are decoded; None allows all."""
        if not self.has_constraints:
            return None
        return TagConstraints(*(self.get_buffer(f"allowed_{name}") for name in TagConstraints._fields))

    def forward(
        self,
        words: Tensor,
        lengths: Tensor | Sequence[int],
        chars: Tensor | None = None,
        char_lengths: Tensor | None = None,
        word_index: Tensor | None = None,
    ) -> Tensor:
        """Return the scores of the tags of each word, (T, B, K); behind the lengths they mean nothing.

        Args:
            words: Ids of words. Shape (T, B), int64.
            lengths: Words of each sentence (B,), 0 allowed.
            chars: Ids of the characters of the batch's distinct words, one word a column. Shape (C, W), int64. This
                and the next two are given where the model has ``char_features``, and only there.
            char_lengths: Characters of each distinct word (W,).
            word_index: Which of the distinct words stands at a step. Shape (T, B), int64 in [0, W) within the lengths.

        Raises:
            ArgumentError: When characters are missing, or are not read.
            ShapeError: When an argument does not fit ``words``.
        """
        if words.dim() != 2:
            raise ShapeError(f"Tagger expected words of shape (time, batch), got {tuple(words.shape)}")
        known = check_lengths("Tagger", lengths, *words.shape).to(words.device)
        is_valid = valid_steps(known, len(words))
        vectors = self.embedding(self._some_unknown(words))  # (T, B, E)
        features = self._features(words, chars, char_lengths, word_index, is_valid)
        if features is not None:
            vectors = torch.cat([vectors, features], dim=2)
        output, _ = self.recurrent(self.input_dropout(vectors), lengths=known)  # (T, B, D*H)
        emissions: Tensor = self.to_emissions(self.output_dropout(output))
        return emissions

    def _some_unknown(self, words: Tensor) -> Tensor:
        if not self.training or not self.word_dropout:
            return words
        return words.masked_fill(torch.rand(words.shape, device=words.device) < self.word_dropout, UNK_ID)

    def _features(
        self,
        words: Tensor,
        chars: Tensor | None,
        char_lengths: Tensor | None,
        word_index: Tensor | None,
        is_valid: Tensor,
    ) -> Tensor | None:
        given = (chars, char_lengths, word_index)
        if self.char_features is None:
            if any(tensor is not None for tensor in given):
                raise ArgumentError("Tagger expected no chars, as it was built with char_features='none', got some")
            return None
        if chars is None or char_lengths is None or word_index is None:
            raise ArgumentError(
                "Tagger expected chars, char_lengths and word_index, as it was built with char_features, got None"
            )
        if word_index.shape != words.shape:
            raise ShapeError(
                f"Tagger expected word_index of the shape of words {tuple(words.shape)}, got {tuple(word_index.shape)}"
            )
        return word_vectors(self.char_features(chars, char_lengths), word_index, is_valid)

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | Sequence[int]) -> tuple[Tensor, int]:
        """Return what the tags cost in nats, summed over all words; and the number of words.

        Args:
            emissions: What ``forward`` returned. Shape (T, B, K).
            tags: The right tags. Shape (T, B), in [0, K) within the lengths and any integers behind them.
            lengths: Words of each sentence (B,).

        Raises:
            ShapeError: When an argument is of another shape.
            ArgumentError: When a tag within the lengths is none.
        """
        known, is_valid = check_emissions("Tagger", emissions, lengths, self.num_tags)
        num_words = int(known.sum())
        if self.crf is not None:
            return self.crf.neg_log_likelihood(emissions, tags, known).sum(), num_words
        counted = tags_to_read("Tagger", tags, is_valid, self.num_tags).masked_fill(~is_valid, IGNORE_INDEX)
        # in half precision a sum over a batch of words would lose most of its digits
        scores = emissions.to(torch.promote_types(emissions.dtype, torch.float32)).flatten(0, 1)  # (T*B, K)
        loss = functional.cross_entropy(scores, counted.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
        return loss, num_words

    @torch.no_grad()
    def decode(self, emissions: Tensor, lengths: Tensor | Sequence[int]) -> Tensor:
        """Return the best tags (T, B), ``IGNORE_INDEX`` behind the lengths.

        Of a softmax these are the best for each word; with constraints, and of a random field, the best for each
        sentence as a whole.

        Args:
            emissions: What ``forward`` returned. Shape (T, B, K).
            lengths: Words of each sentence (B,).

        Raises:
            ShapeError: When an argument is of another shape.
            ArgumentError: When the constraints allow no tags for a sentence.
        """
        known, is_valid = check_emissions("Tagger", emissions, lengths, self.num_tags)
        if self.crf is not None:
            return self.crf.decode(emissions, known, self.constraints)[0]
        if self.constraints is None:
            return emissions.argmax(2).masked_fill(~is_valid, IGNORE_INDEX)
        return viterbi(emissions.log_softmax(2), known, constraints=self.constraints)[0]


def _build_char_features(
    kind: str, vocab_size: int, embedding_size: int, hidden_size: int, engine: str
) -> CharFeatures | None:
    if kind not in ("none", *CHAR_FEATURES):
        raise ChoiceError("char_features of Tagger", kind, ("none", *CHAR_FEATURES))
    if kind == "none":
        if vocab_size:
            raise ArgumentError(
                f"Tagger expected char_features other than 'none' for char_vocab_size={vocab_size}, got 'none'"
            )
        return None
    check_size("Tagger", "char_vocab_size", vocab_size)
    return CharFeatures(vocab_size, embedding_size, hidden_size, kind, engine=engine)  # type: ignore[arg-type]
