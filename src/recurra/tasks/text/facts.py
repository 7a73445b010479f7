"""What a run records of its text, whatever form its batches have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from recurra.data import Corpus

Part = Literal["train", "validation", "test", "all"]
PARTS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")

CountChars = Callable[[int | np.ndarray, int | np.ndarray], int]
"""Returns how many characters of the text the tokens from a start to a stop stand for, of several ranges together."""


@dataclass(frozen=True)
class TextFacts:
    """Where a text comes from.

    Attributes:
        fingerprint: SHA-256 of the text and the way it was cut into raw units.
        num_chars: Length of the whole text.
        num_files: Files to train on, to validate on, to test on, in the order of ``sources``.
        sources: The files, as plain values.
        label_names: Names of the labels of lines, by their number; empty without labels.
        notes: Lines for a person: what was dropped or stands in two parts.
    """

    fingerprint: str
    num_chars: int
    num_files: tuple[int, int, int]
    sources: tuple[dict[str, Any], ...] = ()
    label_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of_corpus(cls, corpus: Corpus, num_files: tuple[int, int, int], notes: tuple[str, ...] = ()) -> TextFacts:
        """Return the facts of a corpus."""
        sources = tuple({**asdict(source), "path": str(source.path)} for source in corpus.sources)
        num_chars = corpus.num_chars(0, corpus.num_units)
        return cls(corpus.fingerprint, num_chars, num_files, sources, corpus.label_names, notes)
