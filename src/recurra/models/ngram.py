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

    def log_probs(self, ids: np.ndarray, starts: np.ndarray | None = None) -> np.ndarray:
        """Return the natural logarithm of the probability of each symbol, float64 of shape ``(n,)``.

        ``starts`` are the positions where a sequence begins; without it the ids are one stream without a beginning.
        """

    def cross_entropy(self, ids: np.ndarray, starts: np.ndarray | None = None) -> float:
        """Return the mean of ``-log_probs(ids, starts)``, in nats per symbol."""


class Unigram:
    """Relative frequencies with one count added to each symbol, so that none has probability 0.

        p(w) = (c(w) + 1) / (N + V)

    Single symbols have no context, so it makes no difference where sequences begin: ``starts`` is accepted for the
    sake of the other models' callers, and not read.

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

    def fit(self, ids: np.ndarray, starts: np.ndarray | None = None) -> Unigram:
        """Count the symbols in ``ids``, shape ``(n,)``, and return the model itself."""
        used = _checked("Unigram", ids[-self.max_train :], self.vocab_size)
        self.num_used = len(used)
        counts = np.bincount(used, minlength=self.vocab_size) + 1.0
        self._log_probs = np.log(counts / counts.sum())
        return self

    def log_probs(self, ids: np.ndarray, starts: np.ndarray | None = None) -> np.ndarray:
        """Return the natural logarithm of the probability of each symbol, float64 of shape ``(n,)``."""
        if self._log_probs is None:
            raise ArgumentError("Unigram expected fit to be called before log_probs")
        log_probs: np.ndarray = self._log_probs[_checked("Unigram", ids, self.vocab_size)]
        return log_probs

    def cross_entropy(self, ids: np.ndarray, starts: np.ndarray | None = None) -> float:
        """Return the mean of ``-log_probs(ids, starts)``, in nats per symbol."""
        return _cross_entropy(self, ids, starts)


class KneserNey:
    """Interpolated n-grams with modified Kneser-Ney smoothing.

    With c the counts at the highest order, and below it the number of distinct symbols seen before an n-gram:

        p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h.) + gamma(h) p(w | h')
        gamma(h) = (D1 N1(h.) + D2 N2(h.) + D3 N3+(h.)) / c(h.)
        Y = n1 / (n1 + 2 n2),  D1 = 1 - 2 Y n2/n1,  D2 = 2 - 3 Y n3/n2,  D3 = 3 - 4 Y n4/n3

    h' is h without its first symbol. Single symbols interpolate with the uniform distribution, so that symbols never
    seen have a probability too. Contexts never seen, and the missing ones at the start of a text, back off to h'.

    Where ``starts`` says that the ids are sequences, no context reaches across a start. The first symbol of a sequence
    is predicted from the context ``<bos>``, which is a symbol of its own outside the vocabulary: it is never predicted,
    but counts among the symbols seen before an n-gram. Nothing stands before n-grams that begin with ``<bos>``, so c
    is their plain count at every order.

    Args:
        order: Length n of the n-grams.
        vocab_size: Number of ids V.
        max_train: Symbols that ``fit`` uses at most, the last ones; this bounds memory and time.

    Attributes:
        num_used: Symbols that were counted.

    Source: S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer
        Speech and Language 13, 1999, section 3; counts of n-grams that begin with ``<bos>`` as in K. Heafield et al.,
        "Scalable modified Kneser-Ney language model estimation", ACL 2013, section 3.2. Differs: discounts of 0.5, 1
        and 1.5 where the counts of counts n1 to n4 of an order contain a zero or give a discount outside its range,
        which small alphabets make common.
    """

    def __init__(self, order: int, vocab_size: int, *, max_train: int = MAX_TRAIN) -> None:
        _check_at_least_1("KneserNey", order=order, vocab_size=vocab_size, max_train=max_train)
        self.order, self.vocab_size, self.max_train, self.num_used = order, vocab_size, max_train, 0
        self._levels: list[_Level] = []

    @property
    def discounts(self) -> tuple[tuple[float, float, float], ...]:
        """D1, D2 and D3 of each order, from single symbols on."""
        return tuple(level.discounts for level in self._levels)

    def fit(self, ids: np.ndarray, starts: np.ndarray | None = None) -> KneserNey:
        """Count the n-grams in ``ids``, shape ``(n,)``, and return the model itself.

        Args:
            ids: Symbols.
            starts: Positions in ``ids`` where a sequence begins: ascending, the first is 0. Of a sequence that
                ``max_train`` cuts, the rest counts without a beginning. None makes the ids one stream, of which
                neither the beginning nor the end means anything.

        Raises:
            ArgumentError: When there is nothing to count, an id is outside ``0 .. vocab_size - 1``, or ``starts`` is
                not as said above.
        """
        _check_starts("KneserNey", starts, len(ids))
        first = max(0, len(ids) - self.max_train)
        used = _checked("KneserNey", ids[first:], self.vocab_size)
        if not len(used):
            raise ArgumentError("KneserNey expected at least one symbol to fit ids to, got none")
        self.num_used, self._levels = len(used), []
        self._count(_with_beginnings(used, starts, first, self.vocab_size))
        return self

    def _count(self, symbols: np.ndarray) -> None:
        bos = self.vocab_size
        grams = _first_grams(symbols)
        for length in range(1, self.order + 1):
            longer = grams.extended(symbols, bos) if length < self.order else None
            if longer is None:
                counts = grams.counts
            else:
                counts = np.where(grams.begins_with(bos, symbols, length), grams.counts, longer.num_left(grams))
            if length == 1:
                counts = np.where(grams.keys == bos, 0, counts)  # <bos> is a context, and never predicted
            self._levels.append(_level(grams.keys, counts, grams.num_contexts, bos + 1))
            if longer is None:
                break
            grams = longer

    def log_probs(self, ids: np.ndarray, starts: np.ndarray | None = None) -> np.ndarray:
        """Return the natural logarithm of the probability of each symbol, float64 of shape ``(n,)``.

        Args:
            ids: Symbols.
            starts: Positions in ``ids`` where a sequence begins, as for ``fit``; None makes the ids one stream.

        Raises:
            ArgumentError: When the model was not fitted, an id is outside ``0 .. vocab_size - 1``, or ``starts`` is
                not as said above.
        """
        if not self._levels:
            raise ArgumentError("KneserNey expected fit to be called before log_probs")
        _check_starts("KneserNey", starts, len(ids))
        result = np.empty(len(ids))
        for begin in range(0, len(ids), _CHUNK):
            first = max(0, begin - self.order + 1)  # symbols before begin serve as context only
            part = _checked("KneserNey", ids[first : begin + _CHUNK], self.vocab_size)
            symbols = _with_beginnings(part, starts, first, self.vocab_size)
            probs = self._probs(symbols)[symbols != self.vocab_size]
            result[begin : begin + _CHUNK] = np.log(probs[begin - first :])
        return result

    def cross_entropy(self, ids: np.ndarray, starts: np.ndarray | None = None) -> float:
        """Return the mean of ``-log_probs(ids, starts)``, in nats per symbol."""
        return _cross_entropy(self, ids, starts)

    def _probs(self, symbols: np.ndarray) -> np.ndarray:
        probs = np.full(len(symbols), 1.0 / self.vocab_size)
        context = np.zeros(len(symbols), np.int64)  # number of the context of each symbol, -1 where it was never seen
        for level in self._levels:
            seen = np.flatnonzero(context >= 0)
            keys = context[seen] * (self.vocab_size + 1) + symbols[seen]
            slots = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            hit = level.keys[slots] == keys
            probs[seen] = level.gammas[context[seen]] * probs[seen] + np.where(hit, level.alphas[slots], 0.0)
            gram = np.full(len(symbols), -1, np.int64)
            gram[seen[hit]] = slots[hit]
            # an n-gram that ends at one symbol is the context of the next
            context = np.concatenate([[-1], gram[:-1]])
        return probs


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one length in a text, in which the number V means ``<bos>``.

    An n-gram's key is the number of its context times V + 1 plus its last symbol, where the context's number is its
    rank among the (n-1)-grams: so keys of any length stay far below 2^63.
    """

    keys: np.ndarray  # sorted, distinct
    counts: np.ndarray  # of each key
    ends: np.ndarray  # for each key one position in the text where that n-gram ends
    ranks: np.ndarray  # for each position in the text the rank of the n-gram that ends there, -1 if none does
    num_contexts: int

    def extended(self, symbols: np.ndarray, bos: int) -> _Grams | None:
        """Return the n-grams that are one symbol longer, None where there are none; none goes across ``<bos>``."""
        places = np.flatnonzero((self.ranks[:-1] >= 0) & (symbols[1:] != bos)) + 1
        if not len(places):
            return None
        return _ranked(self.ranks[places - 1] * (bos + 1) + symbols[places], places, len(symbols), len(self.keys))

    def num_left(self, shorter: _Grams) -> np.ndarray:
        """Return for each n-gram that is one symbol shorter, how many distinct symbols stand before it."""
        return np.bincount(shorter.ranks[self.ends], minlength=len(shorter.keys))

    def begins_with(self, bos: int, symbols: np.ndarray, length: int) -> np.ndarray:
        """Return for each of the n-grams, which have ``length`` symbols, whether ``<bos>`` is the first."""
        firsts: np.ndarray = symbols[self.ends - (length - 1)] == bos
        return firsts


def _with_beginnings(ids: np.ndarray, starts: np.ndarray | None, first: int, bos: int) -> np.ndarray:
    """Put ``<bos>`` in front of every sequence that begins in ``ids``, a part of a text from position ``first`` on."""
    if starts is None:
        return ids
    bounds = np.searchsorted(starts, [first, first + len(ids)])
    return np.insert(ids, np.asarray(starts[bounds[0] : bounds[1]], np.int64) - first, bos)


def _first_grams(symbols: np.ndarray) -> _Grams:
    return _ranked(symbols, np.arange(len(symbols)), len(symbols), 1)


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


def _level(keys: np.ndarray, counts: np.ndarray, num_contexts: int, base: int) -> _Level:
    discounts = _discounts(counts)
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3)]
    contexts = keys // base
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


def _check_starts(who: str, starts: np.ndarray | None, num_symbols: int) -> None:
    if starts is None:
        return
    numbers = np.asarray(starts)
    if len(numbers) == num_symbols == 0:
        return
    if not len(numbers) or numbers[0] != 0:
        got = f"{numbers[0]} as the first" if len(numbers) else "none"
        raise ArgumentError(f"{who} expected starts to begin with 0, got {got}")
    behind = np.flatnonzero(numbers[1:] <= numbers[:-1])
    if len(behind):
        raise ArgumentError(f"{who} expected starts to ascend, got {numbers[behind[0] + 1]} after {numbers[behind[0]]}")
    if numbers[-1] >= num_symbols:
        raise ArgumentError(f"{who} expected starts to be below the {num_symbols} symbols, got {numbers[-1]}")


def _cross_entropy(model: CountModel, ids: np.ndarray, starts: np.ndarray | None) -> float:
    if not len(ids):
        raise ArgumentError("cross_entropy expected at least one symbol in ids, got none")
    return -float(model.log_probs(ids, starts).mean())


def _check_at_least_1(who: str, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ArgumentError(f"{who} expected {name} to be at least 1, got {number}")


__all__ = ["KneserNey", "Unigram"]
