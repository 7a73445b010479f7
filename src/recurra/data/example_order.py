"""In which order examples of different length come, and in which batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from recurra.data.batching import Cursor, check_at_least
from recurra.data.hashing import key_of, permutation
from recurra.errors import DataTooShortError

# Examples of a batch are drawn from a pool of so many batches that they are about equally long: 50 leave little
# padding, and still the batches of a pass are other ones each time.
_BATCHES_OF_POOL = 50

MAX_PADDED_STEPS = 2**17
"""Steps, padding included, that a batch of an evaluation or a prediction should have at most: one long example among
many must not take all memory. It leaves batches of 128 examples of 1,000 steps whole."""


class ExampleOrder:
    """An endless stream of batches for training: every example once a pass, in an order of its own.

    A pass shuffles the examples, sorts each 50 batches of them by length, cuts these into batches and shuffles the
    batches; ``seed``, ``name`` and the number of the pass determine all of it. The last batch that is cut may be
    smaller.

    Args:
        lengths: Steps of each example. Shape (n,).
        batch_size: Examples of a batch, B.
        seed: Any integer of at least 0.
        name: What the examples are; streams of other names have other orders.
        who: Who asks, for messages.

    Raises:
        ArgumentError: When ``batch_size`` is below 1, or ``seed`` below 0.
        DataTooShortError: When there is no example.
    """

    def __init__(
        self, lengths: np.ndarray, *, batch_size: int, seed: int = 0, name: str = "examples", who: str = "ExampleOrder"
    ) -> None:
        _check(who, lengths, batch_size)
        check_at_least(who, 0, seed=seed)
        self.batch_size, self.seed, self.name = batch_size, seed, name
        self._lengths, self._who = lengths, who

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one pass."""
        return -(-len(self._lengths) // self.batch_size)

    def iter_batches(self, cursor: Cursor | None = None) -> Iterator[tuple[np.ndarray, Cursor]]:
        """Yield batches from ``cursor`` on without end: the same ones as a stream that came there from the beginning.

        Yields:
            Indices of the examples of a batch, the longest first, and the cursor behind it.

        Raises:
            ArgumentError: When the cursor lies behind the end of a pass, as one from other settings may.
        """
        cursor = cursor or Cursor()
        cursor.check_inside(self._who, self.batches_per_epoch, "data and batch_size")
        return self._iter_from(cursor)

    def _iter_from(self, cursor: Cursor) -> Iterator[tuple[np.ndarray, Cursor]]:
        while True:
            examples, batches = self._order(cursor.epoch)
            for window in range(cursor.window, len(batches)):
                begin = int(batches[window]) * self.batch_size
                cursor = Cursor(cursor.epoch, window).following(len(batches))
                yield examples[begin : begin + self.batch_size], cursor

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the order of the examples, and that of the batches that are cut from it."""
        examples = permutation(len(self._lengths), key_of(f"recurra {self.name} of pass", self.seed, epoch))
        pools = np.arange(len(examples)) // (_BATCHES_OF_POOL * self.batch_size)
        # stable: equally long ones stay shuffled
        examples = examples[np.lexsort((-self._lengths[examples], pools))]
        return examples, permutation(self.batches_per_epoch, key_of("recurra batches of pass", self.seed, epoch))


def iter_in_order(
    lengths: np.ndarray, *, batch_size: int, max_steps: int | None = None, steps: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, Cursor]]:
    """Return batches that hold every example exactly once, the longest ones first; see ``ExampleOrder``.

    Args:
        lengths: Steps of each example, or any other key to sort by. Shape (n,).
        batch_size: Examples of a batch; some may have fewer.
        max_steps: Steps of a batch, padding included: T * B. One that would have more is split; an example that has
            more by itself is a batch of its own. None sets no bound.
        steps: Steps of each example where ``lengths`` are another key. Shape (n,).

    Raises:
        ArgumentError: When ``batch_size`` or ``max_steps`` is below 1.
        DataTooShortError: When there is no example.
    """
    _check("iter_in_order", lengths, batch_size)
    check_at_least("iter_in_order", 1, max_steps=max_steps)
    order = np.argsort(-lengths, kind="stable")
    starts = range(0, len(order), batch_size)
    groups: Iterator[np.ndarray] = (order[begin : begin + batch_size] for begin in starts)
    if max_steps is not None:
        groups = _split(groups, lengths if steps is None else steps, max_steps)
    return ((group, Cursor(0, count + 1)) for count, group in enumerate(groups))


def _split(groups: Iterable[np.ndarray], steps: np.ndarray, max_steps: int) -> Iterator[np.ndarray]:
    """Yield the groups, those with too many padded steps in parts."""
    for group in groups:
        while len(group):
            padded = np.maximum.accumulate(steps[group]) * np.arange(1, len(group) + 1)
            fitting = max(int(np.searchsorted(padded, max_steps, side="right")), 1)
            yield group[:fitting]
            group = group[fitting:]


def _check(who: str, lengths: np.ndarray, batch_size: int) -> None:
    check_at_least(who, 1, batch_size=batch_size)
    if not len(lengths):
        raise DataTooShortError(f"{who} expected at least 1 example, got none")


__all__ = ["MAX_PADDED_STEPS", "ExampleOrder", "iter_in_order"]
