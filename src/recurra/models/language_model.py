"""A recurrent language model: what comes next, given what came before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.errors import ArgumentError, ConfigError, ShapeError
from recurra.layers import Recurrent
from recurra.models.output_layers import AdaptiveSoftmax, FullSoftmax, OutputLayer, nll_where_counted
from recurra.models.penalties import activation_penalty


class Prediction(NamedTuple):
    """How well a model predicted given targets.

    Attributes:
        nll: What each target costs in nats, zero where it does not count. Shape (T, B).
        penalty: What training adds to the loss beside it, a scalar; None where there is nothing.
        output: Of the last layer, before its dropout. Shape (T, B, H).
    """

    nll: Tensor
    penalty: Tensor | None
    output: Tensor


class LanguageModel(nn.Module):
    """Symbols in, logits of the next symbol out, with the recurrent state between calls in the caller's hands.

        e_t = dropout(embedding(x_t))        or the one-hot vector of x_t, and the embedding of the sequence's label
        y_t, state = recurrent(e_t, state)   stacked layers of any cell, dropout between them
        logits_t = W dropout(y_t) + b        W is the embedding where weights are tied

    Args:
        vocab_size: Number of symbols.
        cell: Cell class or registered name.
        hidden_size: Units a layer.
        num_layers: Recurrent layers.
        input: "embedding", or "one-hot" for symbols as unit vectors.
        embedding_size: Width of the embedding; None means ``hidden_size``.
        embedding_dropout: Probability that a symbol's vector is dropped wherever it stands in a batch (Gal and
            Ghahramani 2016, arXiv 1512.05287; Merity et al. 2018, arXiv 1708.02182, section 4.3). Tied output weights
            are not dropped.
        input_dropout: Probability that a component of the input vector is dropped; labels are not.
        dropout: The same for the output of each layer but the last.
        output_dropout: The same for the output of the last layer.
        tie_weights: Use the embedding as the output matrix (Press and Wolf 2017, arXiv 1608.05859; Inan et al. 2017,
            arXiv 1611.01462).
        adaptive_cutoffs: First ids of the tails of an adaptive softmax, see :class:`AdaptiveSoftmax`; none means one
            softmax over all symbols.
        num_labels: Number of labels that sequences may have; 0 means that they have none.
        label_size: Width of a label's embedding, which joins every input vector.
        activation_regularization: Weight of the outputs' mean square in the penalty, see
            ``recurra.models.penalties``.
        temporal_regularization: Weight of the mean square of the outputs' change from step to step.
        learn_initial_state: Make the state before the first symbol a parameter.
        init: Initialisation of the cells, see ``recurra.Cell``; None leaves it to them.
        engine: Engine of the recurrent layers.
        cell_options: Further options of the cell.

    Raises:
        ConfigError: When weights are to be tied but widths or the output layer do not fit, or cutoffs do not.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        cell: str | type[nn.Module] = "lstm",
        hidden_size: int = 256,
        num_layers: int = 2,
        input: Literal["embedding", "one-hot"] = "embedding",
        embedding_size: int | None = None,
        embedding_dropout: float = 0.0,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        tie_weights: bool = False,
        adaptive_cutoffs: Sequence[int] = (),
        num_labels: int = 0,
        label_size: int = 16,
        activation_regularization: float = 0.0,
        temporal_regularization: float = 0.0,
        learn_initial_state: bool = False,
        init: str | None = None,
        engine: str = "auto",
        **cell_options: Any,
    ) -> None:
        super().__init__()
        for name in ("bidirectional", "batch_first"):
            if cell_options.get(name):
                raise ArgumentError(
                    f"LanguageModel expected no {name}, as it predicts what comes after each step of (T, B), "
                    f"got {name}={cell_options[name]!r}"
                )
        if init is not None:
            cell_options["init"] = init
        self.vocab_size = vocab_size
        self.activation_regularization = activation_regularization
        self.temporal_regularization = temporal_regularization
        self.embedding = None if input == "one-hot" else nn.Embedding(vocab_size, embedding_size or hidden_size)
        self.label_embedding = nn.Embedding(num_labels, label_size) if num_labels else None
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.input_dropout = nn.Dropout(input_dropout)
        width = vocab_size if self.embedding is None else self.embedding.embedding_dim
        self.recurrent = Recurrent(
            cell,
            width + (label_size if num_labels else 0),
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            engine=engine,
            learn_initial_state=learn_initial_state,
            **cell_options,
        )
        self.output_dropout = nn.Dropout(output_dropout)
        self.decoder = _build_decoder(self.recurrent.output_size, vocab_size, adaptive_cutoffs)
        if tie_weights:
            self._tie_weights()
        self.reset_parameters()

    def _tie_weights(self) -> None:
        if self.embedding is None:
            raise ConfigError("tie_weights expected input = 'embedding', got 'one-hot'")
        if isinstance(self.decoder, AdaptiveSoftmax):
            raise ConfigError("tie_weights expected no adaptive_cutoffs, as its tails are narrower, got some")
        if self.embedding.embedding_dim != self.recurrent.output_size:
            raise ConfigError(
                f"tie_weights expected embedding_size to be the width of the layers' output "
                f"({self.recurrent.output_size}), got {self.embedding.embedding_dim}"
            )
        self.decoder.weight = self.embedding.weight

    def reset_parameters(self) -> None:
        """Draw embeddings and output weights anew; the cells' weights stay."""
        tied = None if self.embedding is None else self.embedding.weight
        if tied is not None:
            # unit-norm rows in expectation: as output weights too, they start with logits of order one
            nn.init.normal_(tied, std=tied.shape[1] ** -0.5)
        for parameter in self.decoder.parameters():
            if parameter.ndim == 1:
                nn.init.zeros_(parameter)
            elif parameter is not tied:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        if self.label_embedding is not None:
            nn.init.normal_(self.label_embedding.weight, std=self.label_embedding.embedding_dim**-0.5)

    def forward(
        self,
        tokens: Tensor,
        state: Any = None,
        *,
        lengths: Any = None,
        labels: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> tuple[Tensor | Prediction, Any]:
        """Return the logits of the symbol after each one, or what given symbols cost; and the state after the last.

        Args:
            tokens: Symbol ids. Shape (T, B), int64.
            state: State before the first symbol, as this method returned it; None for the initial one.
            lengths: Valid steps of each row (B,); None means all. What is behind them comes into no state.
            labels: Each row's label, for a model that has them. Shape (B,), int64.
            targets: The symbols that follow, or ``IGNORE_INDEX``. Shape (T, B), int64. The softmax is computed only
                where they count.

        Returns:
            Logits (T, B, V), of an adaptive softmax logarithms of probabilities; or with ``targets`` a ``Prediction``.
            And the state after each row's last step.

        Raises:
            ArgumentError: When labels are missing, or the model has none.
            ShapeError: When ``labels`` or ``targets`` are not of the shape that ``tokens`` ask for.
        """
        self._check_labels(tokens, labels)
        output, state = self.recurrent(self._vectors(tokens, labels), state, lengths=lengths)  # (T, B, H)
        dropped = self.output_dropout(output)
        if targets is None:
            return self.decoder.logits(dropped), state
        if targets.shape != tokens.shape:
            raise ShapeError(
                f"LanguageModel expected targets of the shape of tokens {tuple(tokens.shape)}, "
                f"got {tuple(targets.shape)}"
            )
        nll = nll_where_counted(self.decoder, dropped, targets)
        return Prediction(nll, self._penalty(output, dropped, lengths), output), state

    def _check_labels(self, tokens: Tensor, labels: Tensor | None) -> None:
        if self.label_embedding is None:
            if labels is not None:
                raise ArgumentError("LanguageModel expected no labels, as it was built with num_labels=0, got some")
        elif labels is None:
            raise ArgumentError(
                f"LanguageModel expected labels in [0, {self.label_embedding.num_embeddings}), one a row, got none"
            )
        elif labels.shape != tokens.shape[1:]:
            raise ShapeError(
                f"LanguageModel expected labels of shape {tuple(tokens.shape[1:])}, one a row, "
                f"got {tuple(labels.shape)}"
            )

    def _vectors(self, tokens: Tensor, labels: Tensor | None) -> Tensor:
        """Return the inputs of the recurrent layers (T, B, I)."""
        if self.embedding is None:
            first = next(self.decoder.parameters())
            vectors: Tensor = functional.one_hot(tokens, self.vocab_size).to(first.dtype)  # (T, B, V)
        else:
            vectors = self.embedding(tokens)  # (T, B, E)
        if self.training and self.embedding_dropout.p:
            # one factor a symbol, so that it is kept or dropped at all its places
            factors = self.embedding_dropout(vectors.new_ones(self.vocab_size))
            vectors = vectors * factors[tokens].unsqueeze(-1)
        vectors = self.input_dropout(vectors)
        if self.label_embedding is None:
            return vectors
        label = self.label_embedding(labels).expand(len(tokens), -1, -1)  # (T, B, label_size)
        return torch.cat([vectors, label], dim=-1)

    def _penalty(self, output: Tensor, dropped: Tensor, lengths: Any) -> Tensor | None:
        activation, temporal = self.activation_regularization, self.temporal_regularization
        if not self.training or not (activation or temporal):
            return None
        return activation_penalty(output, dropped, lengths, activation=activation, temporal=temporal)

    def vocabulary_axes(self) -> dict[str, int]:
        """Return the parameters that have an axis of symbols, with that axis: for moving to another vocabulary.

        Symbols come first on it; behind them, a one-hot model's first weights have the columns of the labels.
        The parameters of an adaptive softmax are not among them: its symbols cannot be moved.
        """
        axes = {f"decoder.{name}": axis for name, axis in self.decoder.symbol_axes().items()}
        if self.embedding is not None:
            return {**axes, "embedding.weight": 0}
        named = (name for name, _ in self.recurrent.named_parameters())
        # with zoneout and the like the cell lies deeper
        first = [name for name in named if name.startswith("cell_l0.") and name.endswith(".weight_ih")]
        return axes | {f"recurrent.{name}": 1 for name in first}


def _build_decoder(input_size: int, vocab_size: int, cutoffs: Sequence[int]) -> OutputLayer:
    return AdaptiveSoftmax(input_size, vocab_size, cutoffs) if cutoffs else FullSoftmax(input_size, vocab_size)
