"""What a decoder reads where it is not given the true token: its own choice (scheduled sampling)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from recurra.models.translator_state import TranslatorState


class Decoding(Protocol):
    """What is needed of a model."""

    @property
    def input_dropout(self) -> nn.Module:
        """Drops components of embedded tokens; rests while it chooses."""

    @property
    def decoder(self) -> nn.Module:
        """The layers whose dropout rests while it chooses."""

    def advance(self, tokens: Tensor, state: TranslatorState) -> tuple[Tensor, TranslatorState, Tensor | None]:
        """Read one token a row; return vectors (N, W), the state after them and weights."""

    def likeliest(self, vectors: Tensor) -> Tensor:
        """Return the likeliest tokens (N,) after vectors (N, W)."""


@torch.no_grad()
def own_inputs(model: Decoding, inputs: Tensor, forced: Tensor, state: TranslatorState) -> Tensor:
    """Return what the decoder reads: the true tokens, and elsewhere its choice after what it has read before.

    No gradient flows through a choice. So the decoder may first choose, step by step and without gradients, only in the
    rows where it must; and then runs with gradients over all it has read at once. It chooses without dropout, as it
    does when it translates; only ``state`` is as it is given.

    Args:
        model: The model.
        inputs: The true tokens. Shape (T, B), int64.
        forced: Where they are read; the first always is. Shape (T, B), bool.
        state: The state before the first token, of one row a sentence.

    Returns:
        Shape (T, B).

    Source: Bengio, Vinyals, Jaitly and Shazeer 2015, arXiv 1506.03099. Differs: the likeliest token is read, not one
    that is drawn.
    """
    is_chosen = ~forced
    is_chosen[0] = False
    rows = is_chosen.any(0).nonzero().squeeze(1)
    is_chosen = is_chosen[:, rows]  # (T, R)
    read = inputs[:, rows]
    part = state.select(rows, rows)
    last = int(is_chosen.any(1).nonzero().max())
    with _evaluating(model.input_dropout, model.decoder):
        for step in range(last):
            vectors, part, _ = model.advance(read[step], part)
            chosen = is_chosen[step + 1].nonzero().squeeze(1)
            if len(chosen):
                read[step + 1, chosen] = model.likeliest(vectors[chosen])
    return inputs.index_copy(1, rows, read)


@contextmanager
def _evaluating(*modules: nn.Module) -> Iterator[None]:
    """Set modules and all in them to evaluation, and back to what each was."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for part, was_training in modes:
            part.training = was_training
