"""A classifier of sequences: one answer for the whole of each."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.data import UNK_ID
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.models.classifier_bodies import WINDOW_SIZES, AverageBody, ConvolutionBody, RecurrentBody

BODIES = ("recurrent", "cnn", "mlp")
"""What can stand between the vectors of a sequence and its classes."""

Body = RecurrentBody | ConvolutionBody | AverageBody


class Classifier(nn.Module):
    """Sequences in, logits of their classes out.

        e_t = dropout(embedding(x_t))           of ids; vectors of numbers are taken as they are
        v = body(e)                             one vector of all valid steps: recurrent layers, a cnn or an mlp
        logits = W dropout(v) + b

    Args:
        num_outputs: Number of logits: one a class, or 1 for two classes, then that of the second.
        vocab_size: Number of symbols, for sequences of ids.
        input_size: Width of each step, for sequences of vectors.
        body: "recurrent", "cnn" (see :class:`ConvolutionBody`) or "mlp" (see :class:`AverageBody`).
        embedding_size: Width of the embedding of ids.
        hidden_size: Units a layer; filters of each window size of a cnn.
        num_layers: Recurrent layers, or layers of an mlp.
        pooling: How the steps of recurrent layers become one vector, see :class:`RecurrentBody`.
        bidirectional: Whether recurrent layers read in both directions.
        cell: Cell class or registered name.
        word_dropout: Probability that a token is read as the unknown one, in training (Iyyer et al. 2015).
        embedding_dropout: Probability that a symbol's vector is dropped wherever it stands in a batch (Gal and
            Ghahramani 2016, arXiv 1512.05287).
        input_dropout: Probability that a component of a step's vector is dropped.
        dropout: Probability that an output is dropped on its way from layer to layer.
        output_dropout: Probability that a component of v is dropped.
        recurrent_options: Further options of :class:`recurra.Recurrent`; other bodies take none.

    Raises:
        ArgumentError: When not exactly one of ``vocab_size`` and ``input_size`` is given, or options do not fit.
        ChoiceError: When ``body`` or ``pooling`` is unknown.

    Example:
        >>> model = Classifier(3, vocab_size=10, embedding_size=4, hidden_size=5)
        >>> model(torch.tensor([[4, 5], [6, 0]]), torch.tensor([2, 1])).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        num_outputs: int,
        *,
        vocab_size: int | None = None,
        input_size: int | None = None,
        body: Literal["recurrent", "cnn", "mlp"] = "recurrent",
        embedding_size: int = 128,
        hidden_size: int = 128,
        num_layers: int = 1,
        pooling: str = "max",
        bidirectional: bool = True,
        cell: str | type[nn.Module] = "lstm",
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        **recurrent_options: Any,
    ) -> None:
        super().__init__()
        if (vocab_size is None) == (input_size is None):
            got = "both" if vocab_size is not None else "neither"
            raise ArgumentError(f"Classifier expected one of vocab_size and input_size, got {got}")
        if recurrent_options.get("batch_first"):
            raise ArgumentError("Classifier expected no batch_first, as its sequences are (T, B), got True")
        if body not in BODIES:
            raise ChoiceError("body of Classifier", body, BODIES)
        if body != "recurrent" and recurrent_options:
            raise ArgumentError(
                f"Classifier expected no options of recurrent layers with body={body!r}, "
                f"got {', '.join(recurrent_options)}"
            )
        self.embedding = None if vocab_size is None else nn.Embedding(vocab_size, embedding_size)
        self.input_size = embedding_size if input_size is None else input_size
        self.word_dropout = word_dropout
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.input_dropout = input_dropout
        self.body: Body
        if body == "cnn":
            self.body = ConvolutionBody(self.input_size, hidden_size)
        elif body == "mlp":
            self.body = AverageBody(self.input_size, hidden_size, num_layers, dropout)
        else:
            self.body = RecurrentBody(
                self.input_size,
                pooling=pooling,
                cell=cell,
                hidden_size=hidden_size,
                num_layers=num_layers,
                bidirectional=bidirectional,
                dropout=dropout if num_layers > 1 else 0.0,
                **recurrent_options,
            )
        self.output_dropout = nn.Dropout(output_dropout)
        self.decoder = nn.Linear(self.body.output_size, num_outputs)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw embedding and output weights anew; those of the body stay."""
        if self.embedding is not None:
            # rows of unit norm in expectation, as in LanguageModel
            nn.init.normal_(self.embedding.weight, std=self.embedding.embedding_dim**-0.5)
        nn.init.xavier_uniform_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits (B, num_outputs) of sequences.

        Args:
            inputs: Ids (T, B) int64, or vectors (T, B, I). What stands behind the end of a row is not read.
            lengths: Valid steps of each row, 0 allowed. Shape (B,), int64, on any device.

        Raises:
            ShapeError: When ``inputs`` is not what the model was built for, or ``lengths`` not one a row.
        """
        vectors = self._vectors(inputs, lengths)
        logits: Tensor = self.decoder(self.output_dropout(self.body(vectors, lengths)))
        return logits

    def attention_weights(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return how much each step counts in the vector of its row (T, B); arguments as for ``forward``.

        Raises:
            ArgumentError: When the model has no attention.
            ShapeError: As for ``forward``.
        """
        if not isinstance(self.body, RecurrentBody):
            raise ArgumentError(
                f"attention_weights expected a model with pooling='attention', got a {type(self.body).__name__}"
            )
        return self.body.attention_weights(self._vectors(inputs, lengths), lengths)

    def _vectors(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the vectors (T, B, I) that the body reads."""
        self._check(inputs, lengths)
        if self.embedding is None:
            return functional.dropout(inputs, self.input_dropout, self.training)
        if self.training and self.word_dropout:
            is_dropped = torch.rand(inputs.shape, device=inputs.device) < self.word_dropout
            inputs = inputs.masked_fill(is_dropped, UNK_ID)
        vectors = functional.embedding(inputs, self.embedding.weight)  # (T, B, E)
        if self.training and self.embedding_dropout.p:
            # one factor a symbol, so that it is kept or dropped at all its places
            factors = self.embedding_dropout(vectors.new_ones(self.embedding.num_embeddings))
            vectors = vectors * factors[inputs].unsqueeze(-1)
        return functional.dropout(vectors, self.input_dropout, self.training)

    def _check(self, inputs: Tensor, lengths: Tensor) -> None:
        if self.embedding is not None and inputs.dim() != 2:
            raise ShapeError(f"Classifier expected inputs of shape (time, batch), got {tuple(inputs.shape)}")
        if self.embedding is None and (inputs.dim() != 3 or inputs.shape[2] != self.input_size):
            raise ShapeError(
                f"Classifier expected inputs of shape (time, batch, input_size={self.input_size}), "
                f"got {tuple(inputs.shape)}"
            )
        if lengths.shape != inputs.shape[1:2]:
            raise ShapeError(
                f"Classifier expected lengths of shape (batch={inputs.shape[1]},), got {tuple(lengths.shape)}"
            )


__all__ = ["BODIES", "WINDOW_SIZES", "Classifier"]
