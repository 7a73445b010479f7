"""A language model of torch's own modules, and scoring lines with it as it is commonly written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from recurra.data import EOS_ID, IGNORE_INDEX, Tokenizer
from recurra.models import LanguageModel


class PlainLanguageModel(nn.Module):
    """Embedding, ``nn.LSTM`` and a linear layer, with the weights of one of ours; without dropout.

    Args:
        model: A model of LSTM cells with an embedding and a full softmax.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        layers = model.recurrent
        self.embedding = nn.Embedding.from_pretrained(model.embedding.weight.detach())
        self.lstm = nn.LSTM(self.embedding.embedding_dim, layers.hidden_size, layers.num_layers)
        self.decoder = nn.Linear(layers.hidden_size, model.vocab_size)
        self.decoder.load_state_dict(model.decoder.state_dict())
        for layer in range(layers.num_layers):
            for name, weight in layers.get_submodule(f"cell_l{layer}").state_dict().items():
                getattr(self.lstm, f"{name}_l{layer}").data.copy_(weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (T, B, V) of what follows each token (T, B)."""
        return self.decoder(self.lstm(self.embedding(tokens))[0])


@torch.no_grad()
def score_plainly(
    model: nn.Module, tokenizer: Tokenizer, lines: Sequence[str], *, first: int, batch_size: int
) -> list[float]:
    """Return the log-probability of each line with its end, in padded batches in the order of the lines.

    Args:
        model: Returns logits (T, B, V) of tokens (T, B).
        tokenizer: What makes its tokens.
        lines: Lines without their ends.
        first: Id that stands before each line.
        batch_size: Lines side by side.
    """
    log_probs: list[float] = []
    for begin in range(0, len(lines), batch_size):
        batch = lines[begin : begin + batch_size]
        ids = [torch.from_numpy(np.append(tokenizer.encode(line), EOS_ID)) for line in batch]
        targets = pad_sequence(ids, padding_value=IGNORE_INDEX)  # (T, B)
        before = torch.full_like(targets[:1], first)
        inputs = torch.cat([before, targets[:-1].clamp_min(0)])
        logits = model(inputs)
        nll = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
        )
        log_probs += (-nll.view_as(targets).sum(0)).tolist()
    return log_probs
