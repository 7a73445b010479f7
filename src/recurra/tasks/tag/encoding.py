"""Tagged sentences as numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recurra.data import IGNORE_INDEX, Cursor, Vocabulary, build_vocabulary, pad_ids

MAX_CHARS = 48
"""Characters of a word that are read; longer ones are addresses and the like."""


@dataclass(frozen=True)
class Encoder:
    """What makes numbers of words, characters and tags.

    Attributes:
        words: Words that have an embedding of their own.
        chars: Characters that have one.
        tags: Names of the tags, by their number.
        lowercase: Whether ``words`` are in lower case.
    """

    words: Vocabulary
    chars: Vocabulary
    tags: tuple[str, ...]
    lowercase: bool

    @classmethod
    def of(
        cls,
        words: Sequence[Sequence[str]],
        tags: Sequence[Sequence[str]],
        *,
        lowercase: bool,
        min_count: int,
        max_vocab_size: int | None,
    ) -> Encoder:
        """Return what the training part knows.

        Raises:
            DataError: When no word is frequent enough.
        """
        forms = itertools.chain.from_iterable(words)
        known = build_vocabulary(
            (form.lower() for form in forms) if lowercase else forms, min_count=min_count, max_size=max_vocab_size
        )
        chars = build_vocabulary(char for form in itertools.chain.from_iterable(words) for char in form)
        return cls(known, chars, tuple(sorted(set(itertools.chain.from_iterable(tags)))), lowercase)

    def encode(self, words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]] | None = None) -> Encoded:
        """Return sentences as numbers; tags that are not known are numbered behind those that are.

        Args:
            words: The words of each sentence.
            tags: The tag of each word, or None where there are none.
        """
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        table: dict[str, int] = {}
        forms = np.fromiter(
            (table.setdefault(form, len(table)) for form in itertools.chain.from_iterable(words)),
            np.int64,
            int(lengths.sum()),
        )
        distinct = tuple(table)
        names = dict(zip(self.tags, range(len(self.tags)), strict=True))
        flat = () if tags is None else itertools.chain.from_iterable(tags)
        ids = np.fromiter((names.setdefault(tag, len(names)) for tag in flat), np.int64)
        return Encoded(
            distinct,
            self.words.indices([form.lower() for form in distinct] if self.lowercase else distinct),
            [self.chars.indices(form[:MAX_CHARS]) for form in distinct],
            forms,
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            None if tags is None else ids,
            tuple(names)[len(self.tags) :],
        )


@dataclass(frozen=True)
class Encoded:
    """Sentences as numbers.

    Attributes:
        distinct: The W distinct words as they stand there.
        word_ids: Their ids. Shape (W,).
        char_ids: The ids of the characters of each of them.
        forms: Which of the distinct words each word of all sentences is. Shape (n,).
        starts: Where each of the N sentences begins in ``forms``, and the end of the last. Shape (N + 1,).
        tags: The tag of each word, (n,), or None.
        unknown_tags: Names of tags that are not known, numbered behind those that are.
    """

    distinct: tuple[str, ...]
    word_ids: np.ndarray
    char_ids: list[np.ndarray]
    forms: np.ndarray
    starts: np.ndarray
    tags: np.ndarray | None = None
    unknown_tags: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Words of each sentence, int64 (N,)."""
        return np.diff(self.starts)

    def words(self, sentence: int) -> list[str]:
        """Return the words of a sentence."""
        forms = self.forms[self.starts[sentence] : self.starts[sentence + 1]]
        return [self.distinct[form] for form in forms.tolist()]

    def batch(self, sentences: np.ndarray, cursor: Cursor, *, with_chars: bool) -> TagBatch:
        """Return some sentences side by side.

        Args:
            sentences: Their numbers. Shape (B,); at least one has a word.
            cursor: Where to go on behind the batch.
            with_chars: Whether the characters of words are wanted.
        """
        places = [np.arange(self.starts[one], self.starts[one + 1]) for one in sentences.tolist()]
        padded, lengths = pad_ids(places)
        flat = padded.numpy()  # (T, B): places in forms, and 0 behind the lengths
        is_valid = np.arange(len(flat))[:, None] < lengths.numpy()
        forms = self.forms[flat]
        tags = None
        if self.tags is not None:
            tags = torch.from_numpy(np.where(is_valid, self.tags[flat], IGNORE_INDEX))
        words = torch.from_numpy(np.where(is_valid, self.word_ids[forms], 0))
        batch = TagBatch(sentences, words, lengths, tags, cursor)
        if not with_chars:
            return batch
        distinct, index = np.unique(forms[is_valid], return_inverse=True)
        chars, char_lengths = pad_ids([self.char_ids[form] for form in distinct.tolist()])
        word_index = np.zeros(forms.shape, np.int64)
        word_index[is_valid] = index
        return replace(batch, chars=chars, char_lengths=char_lengths, word_index=torch.from_numpy(word_index))


@dataclass(frozen=True)
class TagBatch:
    """Sentences side by side.

    Attributes:
        sentences: Numbers of the sentences. Shape (B,).
        words: Ids of words, int64 (T, B); ``PAD_ID`` behind the lengths.
        lengths: Words of each sentence (B,).
        tags: The right tags, int64 (T, B), ``IGNORE_INDEX`` behind the lengths; None where they are not known.
        cursor_after: Where to go on behind this batch.
        chars: Ids of the characters of the distinct words, one word a column (C, W), or None.
        char_lengths: Characters of each of them (W,), or None.
        word_index: Which of them stands at each step, int64 (T, B), or None.
    """

    sentences: np.ndarray
    words: Tensor
    lengths: Tensor
    tags: Tensor | None
    cursor_after: Cursor
    chars: Tensor | None = None
    char_lengths: Tensor | None = None
    word_index: Tensor | None = None

    starts_anew = True

    @property
    def cursor(self) -> dict[str, int]:
        """Where to go on behind this batch, as plain numbers."""
        return self.cursor_after.to_json()

    @property
    def inputs(self) -> tuple[Tensor | None, ...]:
        """What a ``Tagger`` takes."""
        return self.words, self.lengths, self.chars, self.char_lengths, self.word_index

    def to(self, device: torch.device) -> TagBatch:
        """Return the batch on a device; lengths stay on the CPU, where layers read them."""

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            words=self.words.to(device),
            tags=moved(self.tags),
            chars=moved(self.chars),
            word_index=moved(self.word_index),
        )
