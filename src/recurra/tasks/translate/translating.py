"""From tokens of sources to translations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recurra.data import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer
from recurra.decoding import Hypothesis, beam_search
from recurra.errors import ArgumentError
from recurra.models import Translator
from recurra.tasks.translate.config import DecodingConfig

_NEVER_WRITTEN = (PAD_ID, UNK_ID, BOS_ID)
_FURTHER_TOKENS = 10
"""Tokens that a translation may have beside its share of the source's length."""


@dataclass(frozen=True)
class Search:
    """How translations are looked for.

    Attributes:
        num_beams: Translations that are followed at the same time.
        length_penalty: See ``recurra.decoding.beam_search``.
        n_best: Translations returned of each source, at most.
        max_length: Tokens of a translation with its end, at most, so that one that is cut has just as many; None means
            ``max_length_ratio`` times the source's and ten more.
        max_length_ratio: Tokens for each of the source.
    """

    num_beams: int
    length_penalty: float
    max_length_ratio: float
    n_best: int = 1
    max_length: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_beams", "n_best", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArgumentError(f"translating expected {name} of at least 1, got {value}")
        if self.n_best > self.num_beams:
            raise ArgumentError(
                f"translating expected n_best of at most num_beams={self.num_beams}, got {self.n_best}",
                hint="follow more beams, or ask for fewer translations",
            )
        if not self.length_penalty >= 0:
            raise ArgumentError(f"translating expected length_penalty of at least 0, got {self.length_penalty}")

    @classmethod
    def of_config(cls, config: DecodingConfig) -> Search:
        """Return the search that a configuration asks for."""
        assert config.max_length_ratio is not None
        return cls(config.num_beams, config.length_penalty, config.max_length_ratio)

    def greedy(self) -> Search:
        """Return the search that takes the likeliest token at every step."""
        return dataclasses.replace(self, num_beams=1, n_best=1)

    def limits(self, lengths: Tensor) -> Tensor:
        """Return how many tokens translations of sources of so many tokens may have, ends included, (B,) int64."""
        if self.max_length is not None:
            return torch.full_like(lengths, self.max_length)
        return (lengths * self.max_length_ratio).long() + _FURTHER_TOKENS


@dataclass(frozen=True)
class Translated:
    """One translation.

    Attributes:
        text: The translation.
        ids: Its tokens, without the end.
        log_prob: Its log-probability in nats, that of its end included.
        score: ``log_prob`` after the length penalty.
        attention: How far each of its tokens, and its end, looked at each token of the source, and its end: shape
            (tokens + 1, source tokens + 1), or one row less where the length limit cut it off. None where it was not
            asked for, or the model has no attention.
        is_complete: Whether it ended by itself, and was not cut at the longest length.
    """

    text: str
    ids: tuple[int, ...]
    log_prob: float
    score: float
    attention: np.ndarray | None = None
    is_complete: bool = True


def translate(
    model: nn.Module, src: Tensor, src_lengths: Tensor, tokenizer: Tokenizer, search: Search, *, attention: bool = False
) -> list[list[Translated]]:
    """Return the best translations of each source, best first.

    Args:
        model: A ``Translator`` in evaluation mode, or what wraps one.
        src: Tokens of the sources. Shape (S, B), int64, on the model's device.
        src_lengths: Tokens of each, at least 1. Shape (B,).
        tokenizer: That of the target side.
        search: How to look for them.
        attention: Whether to keep what the model attended to.
    """
    translator = unwrapped(model)
    with torch.no_grad():
        state = translator.encode(src, src_lengths)
    found = beam_search(
        translator.step,
        state,
        translator.select,
        batch_size=src.shape[1],
        num_beams=search.num_beams,
        max_length=search.limits(src_lengths).to(src.device),
        length_penalty=search.length_penalty,
        num_best=search.n_best,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        banned=_NEVER_WRITTEN,
        keep_weights=attention,
    )
    lengths = src_lengths.tolist()
    return [
        [_translated(one, length, tokenizer) for one in hypotheses]
        for hypotheses, length in zip(found, lengths, strict=True)
    ]


def _translated(hypothesis: Hypothesis, length: int, tokenizer: Tokenizer) -> Translated:
    weights = None if hypothesis.attention is None else hypothesis.attention[:, :length].float().cpu().numpy()
    ids = tuple(hypothesis.tokens)
    return Translated(
        tokenizer.decode(ids), ids, hypothesis.log_prob, hypothesis.score, weights, hypothesis.is_complete
    )


def unwrapped(model: nn.Module) -> Translator:
    """Return the translator in what the training loop wraps around it."""
    inner = model if isinstance(model, Translator) else model.module
    assert isinstance(inner, Translator)
    return inner


class TokenNames:
    """What tokens are called in pictures; each is looked up once.

    Args:
        tokenizer: That of the tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known = dict(enumerate(tokenizer.vocabulary.symbols[: EOS_ID + 1]))

    def of(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Return the names of some tokens."""
        return tuple(map(self._name, ids))

    def _name(self, number: int) -> str:
        if number not in self._known:
            self._known[number] = self._tokenizer.decode([number])
        return self._known[number]
