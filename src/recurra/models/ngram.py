"""Baselines that count: single symbols, and n-grams with modified Kneser-Ney smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recurra.errors import ArgumentError

MAX_TRAIN = 5_000_000
_CHUNK = 1 << 19
# used for an order whose counts of counts are too few to estimate discounts from
_DEFAULT_DISCOUNTS = (0.5, 1.0, 1.5)


class CountModel(Protocol):
    """What both baselines offer."""

    num_used: int

    def log_probs(self, ids: np.ndarray) -> np.ndarray:
        """Return the natural logarithm of the probability of each symbol, float64 of shape ``(n,)``."""

    def cross_entropy(self, ids: np.ndarray) -> float:
        """Return the mean of ``-log_probs(ids)``, in nats per symbol."""


class Unigram:
    """Relative frequencies with one count added to each symbol, so that none has probability 0.

        p(w) = (c(w) + 1) / (N + V)

    Args:
        vocab_size: Number of ids V.
        max_train: Symbols that ``fit`` uses at most, the last ones.

    Attributes:
        num_used: Symbols that were counted.
    """

    def __init__(self, vocab_size: int, *, max_train: int = MAX_TRAIN) -> None:
        _check_at_least_1("Unigram", vocab_size=vocab_size, max_train=max_train)
        self.vocab_size, self.max_train, self.num_used = vocab_size, max_train, 0
        self._log_probs: np.ndarray | None = None

    def fit(self, ids: np.ndarray) -> Unigram:
        """Count the symbols in ``ids``, shape ``(n,)``, and return the model itself."""
        used = _checked("Unigram", ids[-self.max_train :], self.vocab_size)
        self.num_used = len(used)
        counts = np.bincount(used, minlength=self.vocab_size) + 1.0
        self._log_probs = np.log(counts / counts.sum())
        return self

    def log_probs(self, ids: np.ndarray) -> np.ndarray:
        """Return the natural logarithm of the probability of each symbol, float64 of shape ``(n,)``."""
        if self._log_probs is None:
            raise ArgumentError("Unigram expected fit to be called before log_probs")
        log_probs: np.ndarray = self._log_probs[_checked("Unigram", ids, self.vocab_size)]
        return log_probs

    def cross_entropy(self, ids: np.ndarray) -> float:
        """Return the mean of ``-log_probs(ids)``, in nats per symbol."""
        return _cross_entropy(self, ids)


class KneserNey:
    """Interpolated n-grams with modified Kneser-Ney smoothing.

    With c the counts at the highest order, and below it the number of distinct symbols seen before an n-gram:

        p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h.) + gamma(h) p(w | h')
        gamma(h) = (D1 N1(h.) + D2 N2(h.) + D3 N3+(h.)) / c(h.)
        Y = n1 / (n1 + 2 n2),  D1 = 1 - 2 Y n2/n1,  D2 = 2 - 3 Y n3/n2,  D3 = 3 - 4 Y n4/n3

    h' is h without its first symbol. Single symbols interpolate with the uniform distribution, so that symbols never
    seen have a probability too. Contexts never seen, and the missing ones at the start of a text, back off to h'.

    Args:
        order: Length n of the n-grams.
        vocab_size: Number of ids V.
        max_train: Symbols that ``fit`` uses at most, the last ones; this bounds memory and time.

    Attributes:
        num_used: Symbols that were counted.

    Source: S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer
        Speech and Language 13, 1999, section 3. Differs: discounts of 0.5, 1 and 1.5 where the counts of counts n1
        to n4 of an order contain a zero or give a discount outside its range, which small alphabets make common.
    """

    def __init__(self, order: int, vocab_size: int, *, max_train: int = MAX_TRAIN) -> None:
        _check_at_least_1("KneserNey", order=order, vocab_size=vocab_size, max_train=max_train)
        self.order, self.vocab_size, self.max_train, self.num_used = order, vocab_size, max_train, 0
        self._levels: list[_Level] = []

    @property
    def discounts(self) -> tuple[tuple[float, float, float], ...]:
        """D1, D2 and D3 of each order, from single symbols on."""
        return tuple(level.discounts for level in self._levels)

    def fit(self, ids: np.ndarray) -> KneserNey:
        """Count the n-grams in ``ids``, shape ``(n,)``, and return the model itself.

        Raises:
            ArgumentError: When there is nothing to count, or an id is outside ``0 .. vocab_size - 1``.
        """
        used = _checked("KneserNey", ids[-self.max_train :], self.vocab_size)
        if not len(used):
            raise ArgumentError("KneserNey expected at least one symbol to fit ids to, got none")
        self.num_used, self._levels = len(used), []
        grams = _first_grams(used, self.vocab_size)
        for length in range(1, self.order + 1):
            longer = grams.extended(used, self.vocab_size) if length < self.order and len(used) > length else None
            counts = grams.counts if longer is None else longer.num_left(grams)
            self._levels.append(_level(grams.keys, counts, grams.num_contexts, self.vocab_size))
            if longer is None:
                break
            grams = longer
        return self

    def log_probs(self, ids: np.ndarray) -> np.ndarray:
        """Return the natural logarithm of the probability of each symbol, float64 of shape ``(n,)``.

        Raises:
            ArgumentError: When the model was not fitted, or an id is outside ``0 .. vocab_size - 1``.
        """
        if not self._levels:
            raise ArgumentError("KneserNey expected fit to be called before log_probs")
        result = np.empty(len(ids))
        for begin in range(0, len(ids), _CHUNK):
            before = min(begin, self.order - 1)  # symbols that serve as context only
            part = _checked("KneserNey", ids[begin - before : begin + _CHUNK], self.vocab_size)
            result[begin : begin + _CHUNK] = np.log(self._probs(part)[before:])
        return result

    def cross_entropy(self, ids: np.ndarray) -> float:
        """Return the mean of ``-log_probs(ids)``, in nats per symbol."""
        return _cross_entropy(self, ids)

    def _probs(self, ids: np.ndarray) -> np.ndarray:
        probs = np.full(len(ids), 1.0 / self.vocab_size)
        context = np.zeros(len(ids), np.int64)  # number of the context of each symbol, -1 where it was never seen
        for level in self._levels:
            seen = np.flatnonzero(context >= 0)
            keys = context[seen] * self.vocab_size + ids[seen]
            slots = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            hit = level.keys[slots] == keys
            probs[seen] = level.gammas[context[seen]] * probs[seen] + np.where(hit, level.alphas[slots], 0.0)
            gram = np.full(len(ids), -1, np.int64)
            gram[seen[hit]] = slots[hit]
            # an n-gram that ends at one symbol is the context of the next
            context = np.concatenate([[-1], gram[:-1]])
        return probs


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one length in a text.

    An n-gram's key is the number of its context times V plus its last symbol, where the context's number is its rank
    among the (n-1)-grams: so keys of any length stay far below 2^63.
    """

    keys: np.ndarray  # sorted, distinct
    counts: np.ndarray  # of each key
    ends: np.ndarray  # for each key one position in the text where that n-gram ends
    ranks: np.ndarray  # for each position in the text the rank of the n-gram that ends there, -1 if none does
    num_contexts: int

    def extended(self, ids: np.ndarray, vocab_size: int) -> _Grams:
        """Return the n-grams that are one symbol longer."""
        places = np.flatnonzero(self.ranks[:-1] >= 0) + 1
        return _ranked(self.ranks[places - 1] * vocab_size + ids[places], places, len(ids), len(self.keys))

    def num_left(self, shorter: _Grams) -> np.ndarray:
        """Return for each n-gram that is one symbol shorter, how many distinct symbols stand before it."""
        return np.bincount(shorter.ranks[self.ends], minlength=len(shorter.keys))


def _first_grams(ids: np.ndarray, vocab_size: int) -> _Grams:
    return _ranked(ids, np.arange(len(ids)), len(ids), 1)


def _ranked(keys: np.ndarray, places: np.ndarray, length: int, num_contexts: int) -> _Grams:
    distinct, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    ranks = np.full(length, -1, np.int64)
    ranks[places] = inverse
    return _Grams(distinct, counts, places[first], ranks, num_contexts)


@dataclass(frozen=True)
class _Level:
    """What one order adds to a probability: ``p = alpha(hw) + gamma(h) p_lower``."""

    keys: np.ndarray
    alphas: np.ndarray  # of each key
    gammas: np.ndarray  # of each context
    discounts: tuple[float, float, float]


def _level(keys: np.ndarray, counts: np.ndarray, num_contexts: int, vocab_size: int) -> _Level:
    discounts = _discounts(counts)
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3)]
    contexts = keys // vocab_size
    totals = np.bincount(contexts, counts, num_contexts)
    taken_totals = np.bincount(contexts, taken, num_contexts)
    # a context that was seen at the very end, or only ever first in the text, has no total: it backs off wholly
    gammas = np.divide(taken_totals, totals, out=np.ones(num_contexts), where=totals > 0)
    totals[totals == 0] = 1.0
    return _Level(keys, (counts - taken) / totals[contexts], gammas, discounts)


def _discounts(counts: np.ndarray) -> tuple[float, float, float]:
    n1, n2, n3, n4 = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return _DEFAULT_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    d1, d2, d3 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
    return (d1, d2, d3) if 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3 else _DEFAULT_DISCOUNTS


def _checked(who: str, ids: np.ndarray, vocab_size: int) -> np.ndarray:
    numbers = np.asarray(ids).astype(np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < vocab_size):
        wrong = int(numbers[(numbers < 0) | (numbers >= vocab_size)][0])
        raise ArgumentError(f"{who} expected ids from 0 to {vocab_size - 1}, got {wrong}")
    return numbers


def _cross_entropy(model: CountModel, ids: np.ndarray) -> float:
    if not len(ids):
        raise ArgumentError("cross_entropy expected at least one symbol in ids, got none")
    return -float(model.log_probs(ids).mean())


def _check_at_least_1(who: str, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ArgumentError(f"{who} expected {name} to be at least 1, got {number}")


__all__ = ["KneserNey", "Unigram"]
