"""Token ids of a corpus: raw ids and the table that maps them to a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TokenIds:
    """Ids as they are stored, and what they mean to a vocabulary.

    Args:
        raw: Stored ids, any integer type; most often a read-only memory map.
        table: Vocabulary id of every raw id, int64; None where the stored ids are vocabulary ids already.

    Example:
        >>> ids = TokenIds(np.array([1, 2, 1, 3], np.uint8), table=np.array([1, 4, 5, 1]))
        >>> ids.read(1, 4)
        array([5, 4, 1])
    """

    raw: np.ndarray
    table: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.raw)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the vocabulary ids from ``start`` to ``stop``: int64, a copy of shape ``(stop - start,)``."""
        return self.map(self.raw[start:stop])

    def map(self, raw: np.ndarray) -> np.ndarray:
        """Return the vocabulary ids of stored ids of any shape: int64, a copy in C order."""
        if self.table is None:
            return raw.astype(np.int64, order="C")  # the default keeps transposed memory
        return np.take(self.table, raw)  # in C order whatever the order of ``raw``


__all__ = ["TokenIds"]
