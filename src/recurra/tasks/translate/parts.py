"""The parts of a set of pairs as tokens, and the batches that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from recurra.data import BOS_ID, EOS_ID, IGNORE_INDEX, PAD_ID, UNK_ID, Cursor, Tokenizer, pad_ids
from recurra.tasks.shared.record import DataRecord
from recurra.tasks.translate.config import DataConfig
from recurra.training.protocol import Split

PARTS: tuple[Split, Split, Split] = ("train", "validation", "test")


@dataclass(frozen=True)
class PairPart:
    """Pairs of one part.

    Attributes:
        sources: Text of the source sides, normalised.
        targets: Text of the target sides, normalised.
        src_ids: Tokens of each source with an end behind them.
        tgt_ids: Tokens of each target with an end behind them.
    """

    sources: list[str]
    targets: list[str]
    src_ids: list[np.ndarray]
    tgt_ids: list[np.ndarray]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.sources)

    @cached_property
    def src_lengths(self) -> np.ndarray:
        """Tokens of each source, its end included: int64 of shape ``(n,)``."""
        return np.fromiter(map(len, self.src_ids), np.int64, len(self))

    @cached_property
    def tgt_lengths(self) -> np.ndarray:
        """Tokens of each target, its end included: int64 of shape ``(n,)``."""
        return np.fromiter(map(len, self.tgt_ids), np.int64, len(self))

    @cached_property
    def steps(self) -> np.ndarray:
        """Tokens of the longer side of each pair: int64 of shape ``(n,)``."""
        steps: np.ndarray = np.maximum(self.src_lengths, self.tgt_lengths)
        return steps

    @cached_property
    def order_keys(self) -> np.ndarray:
        """What to sort pairs by for little padding, the target before the source: int64 of shape ``(n,)``."""
        keys: np.ndarray = self.tgt_lengths * (int(self.src_lengths.max(initial=0)) + 1) + self.src_lengths
        return keys

    @cached_property
    def references(self) -> dict[str, list[str]]:
        """The distinct targets of each distinct source, in the order of the pairs."""
        found: dict[str, dict[str, None]] = {}
        for source, target in zip(self.sources, self.targets, strict=True):
            found.setdefault(source, {})[target] = None
        return {source: list(targets) for source, targets in found.items()}

    def first_of_source(self, rows: np.ndarray) -> np.ndarray:
        """Return those rows that are the first of theirs with their source."""
        seen: dict[str, int] = {}
        for row in rows.tolist():
            seen.setdefault(self.sources[row], row)
        return np.fromiter(seen.values(), np.int64, len(seen))

    def evenly(self, most: int | None) -> np.ndarray:
        """Return at most so many rows, evenly spread over the part."""
        if most is None or len(self) <= most:
            return np.arange(len(self))
        return np.linspace(0, len(self) - 1, most).round().astype(np.int64)

    def select(self, rows: np.ndarray) -> PairPart:
        """Return the part that has only these rows."""
        columns = (self.sources, self.targets, self.src_ids, self.tgt_ids)
        return PairPart(*([column[row] for row in rows.tolist()] for column in columns))


@dataclass(frozen=True)
class TranslateData:
    """Pairs in three parts, and what makes tokens of them.

    Attributes:
        parts: The training, the validation and the test part; the last one may be empty.
        src_tokenizer: Cuts sources.
        tgt_tokenizer: Cuts targets.
        record: What the run must find again.
        notes: What a person should know of each part, such as what was left out.
    """

    parts: dict[Split, PairPart]
    src_tokenizer: Tokenizer
    tgt_tokenizer: Tokenizer
    record: DataRecord
    notes: Mapping[Split, tuple[str, ...]]

    @property
    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """The tokenisers of both sides."""
        return self.src_tokenizer, self.tgt_tokenizer


def encode_part(
    sources: list[str], targets: list[str], tokenizers: tuple[Tokenizer, Tokenizer], config: DataConfig
) -> PairPart:
    """Return normalised pairs as tokens."""
    src_ids = encode_sources(sources, tokenizers[0], config)
    return PairPart(sources, targets, src_ids, [_ended(tokenizers[1].encode(text)) for text in targets])


def encode_sources(texts: Sequence[str], tokenizer: Tokenizer, config: DataConfig) -> list[np.ndarray]:
    """Return the tokens of normalised sources, in the direction that they are read, with an end behind them."""
    direction = -1 if config.reverse_src else 1
    return [_ended(tokenizer.encode(text)[::direction]) for text in texts]


def _ended(ids: np.ndarray) -> np.ndarray:
    # what looks like an end within a text is none
    return np.append(np.where(ids == EOS_ID, UNK_ID, ids), EOS_ID)


@dataclass(frozen=True)
class PairBatch:
    """Pairs side by side.

    Attributes:
        src: Tokens of the sources, int64 of shape ``(S, B)``; ``PAD_ID`` behind the ends.
        src_lengths: Tokens of each source, int64 of shape ``(B,)``, on the CPU.
        inputs: What the decoder reads: a beginning, then the target, int64 of shape ``(T, B)``.
        targets: What follows each of them, int64 of shape ``(T, B)``; ``IGNORE_INDEX`` where none counts.
        tgt_lengths: Tokens of each target, its end included, int64 of shape ``(B,)``, on the CPU.
        rows: Which pairs of their part these are. Shape ``(B,)``.
        is_translated: Whether each pair's source is to be translated too. Shape ``(B,)``.
        cursor_after: Where to go on behind this batch.
        num_epochs: Passes over the training part before this batch.
        split: The part.
    """

    src: Tensor
    src_lengths: Tensor
    inputs: Tensor
    targets: Tensor
    tgt_lengths: Tensor
    rows: np.ndarray
    is_translated: np.ndarray
    cursor_after: Cursor
    num_epochs: float
    split: Split

    starts_anew = True

    @property
    def cursor(self) -> dict[str, int]:
        """Where to go on behind this batch, as plain numbers."""
        return self.cursor_after.to_json()

    def to(self, device: torch.device) -> PairBatch:
        """Return the batch on a device; lengths stay on the CPU, where layers read them."""
        moved = {name: getattr(self, name).to(device) for name in ("src", "inputs", "targets")}
        return replace(self, **moved)


def build_batch(
    part: PairPart, rows: np.ndarray, cursor: Cursor, *, split: Split, num_epochs: float = 0.0, translated: np.ndarray
) -> PairBatch:
    """Return some pairs of a part as a batch.

    Args:
        part: The part.
        rows: Which pairs. Shape (B,).
        cursor: Where to go on behind the batch.
        split: Which part it is.
        num_epochs: Passes over the training part before the batch.
        translated: Whether each pair is translated too. Shape (B,).
    """
    src, src_lengths = pad_ids([part.src_ids[row] for row in rows])
    targets, tgt_lengths = pad_ids([part.tgt_ids[row] for row in rows])
    inputs = torch.cat([torch.full_like(targets[:1], BOS_ID), targets[:-1]])
    is_behind = torch.arange(len(targets)).unsqueeze(1) >= tgt_lengths  # (T, B)
    return PairBatch(
        src,
        src_lengths,
        inputs.masked_fill(is_behind, PAD_ID),
        targets.masked_fill(is_behind, IGNORE_INDEX),
        tgt_lengths,
        rows,
        translated,
        cursor,
        num_epochs,
        split,
    )
