"""A recurrent language model: what comes next, given what came before."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.errors import ConfigError
from recurra.layers import Recurrent


class LanguageModel(nn.Module):
    """Symbols in, logits of the next symbol out, with the recurrent state between calls in the caller's hands.

        e_t = dropout(embedding(x_t))        or the one-hot vector of x_t
        y_t, state = recurrent(e_t, state)   stacked layers of any cell, dropout between them
        logits_t = W dropout(y_t) + b        W is the embedding where weights are tied

    Args:
        vocab_size: Number of symbols.
        cell: Cell class or registered name.
        hidden_size: Units a layer.
        num_layers: Recurrent layers.
        input: "embedding", or "one-hot" for symbols as unit vectors.
        embedding_size: Width of the embedding; None means ``hidden_size``.
        input_dropout: Probability that a component of the input vector is dropped.
        dropout: The same for the output of each layer but the last.
        output_dropout: The same for the output of the last layer.
        tie_weights: Use the embedding as the output matrix (Press and Wolf 2017, arXiv 1608.05859; Inan et al. 2017,
            arXiv 1611.01462).
        learn_initial_state: Make the state before the first symbol a parameter.
        init: Initialisation of the cells, see ``recurra.Cell``; None leaves it to them.
        engine: Engine of the recurrent layers.
        cell_options: Further options of the cell.

    Raises:
        ConfigError: When weights are to be tied but widths do not fit.
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
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        tie_weights: bool = False,
        learn_initial_state: bool = False,
        init: str | None = None,
        engine: str = "auto",
        **cell_options: Any,
    ) -> None:
        super().__init__()
        if init is not None:
            cell_options["init"] = init
        self.vocab_size = vocab_size
        self.embedding = None if input == "one-hot" else nn.Embedding(vocab_size, embedding_size or hidden_size)
        self.input_dropout = nn.Dropout(input_dropout)
        self.recurrent = Recurrent(
            cell,
            vocab_size if self.embedding is None else self.embedding.embedding_dim,
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            engine=engine,
            learn_initial_state=learn_initial_state,
            **cell_options,
        )
        self.output_dropout = nn.Dropout(output_dropout)
        self.decoder = nn.Linear(self.recurrent.output_size, vocab_size)
        if tie_weights:
            self._tie_weights()
        self.reset_parameters()

    def _tie_weights(self) -> None:
        if self.embedding is None:
            raise ConfigError("tie_weights expected input = 'embedding', got 'one-hot'")
        if self.embedding.embedding_dim != self.recurrent.output_size:
            raise ConfigError(
                f"tie_weights expected embedding_size to be the width of the layers' output "
                f"({self.recurrent.output_size}), got {self.embedding.embedding_dim}"
            )
        self.decoder.weight = self.embedding.weight

    def reset_parameters(self) -> None:
        """Draw embedding and output weights anew; the cells' weights stay."""
        if self.embedding is not None:
            # unit-norm rows in expectation: as output weights too, they start with logits of order one
            nn.init.normal_(self.embedding.weight, std=self.embedding.embedding_dim**-0.5)
        if self.embedding is None or self.decoder.weight is not self.embedding.weight:
            nn.init.normal_(self.decoder.weight, std=self.decoder.in_features**-0.5)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits of the symbol after each one, and the state after the last.

        Args:
            tokens: Symbol ids. Shape (T, B), int64.
            state: State before the first symbol, as this method returned it; None for the initial one.

        Returns:
            Logits (T, B, V), and the state after the last step.
        """
        if self.embedding is None:
            vectors = functional.one_hot(tokens, self.vocab_size).to(self.decoder.weight.dtype)  # (T, B, V)
        else:
            vectors = self.embedding(tokens)  # (T, B, E)
        output, state = self.recurrent(self.input_dropout(vectors), state)  # (T, B, H)
        return self.decoder(self.output_dropout(output)), state

    def vocabulary_axes(self) -> dict[str, int]:
        """Return the parameters that have an axis of symbols, with that axis: for moving to another vocabulary."""
        axes = {"decoder.weight": 0, "decoder.bias": 0}
        if self.embedding is not None:
            return {**axes, "embedding.weight": 0}
        first = {name for name, _ in self.recurrent.named_parameters() if name.endswith("_l0.weight_ih")}
        return axes | {f"recurrent.{name}": 1 for name in first}


@torch.no_grad()
def copy_weights(model: LanguageModel, weights: dict[str, Tensor], positions: list[int]) -> None:
    """Copy weights of a model over another vocabulary, symbol by symbol; symbols it lacks keep their own.

    Args:
        model: Receives the weights.
        weights: State dict of a model of the same shape but for the vocabulary.
        positions: For each symbol of ``model``, its id in the other vocabulary, or -1.

    Raises:
        ConfigError: When the models differ in more than the vocabulary; every difference is named.
    """
    own = model.state_dict()
    axes = model.vocabulary_axes()
    faults = [f"{name} is missing" for name in own.keys() - weights.keys()]
    faults += [f"{name} is not in this model" for name in weights.keys() - own.keys()]
    for name in own.keys() & weights.keys():
        axis = axes.get(name)
        expected, got = list(own[name].shape), list(weights[name].shape)
        if axis is not None:
            expected[axis] = got[axis]
        if expected != got:
            faults.append(f"{name} expected shape {expected}, got {got}")
    if faults:
        raise ConfigError(sorted(faults), hint="give the model options of the run that the weights come from")
    known = [index for index, position in enumerate(positions) if position >= 0]
    theirs = torch.tensor([positions[index] for index in known])
    ours = torch.tensor(known)
    for name, tensor in own.items():
        if name in axes:
            # state_dict tensors share memory with the parameters
            tensor.index_copy_(axes[name], ours, weights[name].index_select(axes[name], theirs).to(tensor))
        else:
            tensor.copy_(weights[name])
