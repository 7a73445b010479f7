"""A text that goes on: one stream of tokens, cut into parts in its order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recurra.data import Splits, StreamBatches, TextBatch, TokenIds, Tokenizer, iter_evaluation
from recurra.tasks.text.config import DataConfig
from recurra.tasks.text.facts import CountChars, Part, TextFacts

_TOKENS_PER_STREAM = 8192  # evaluation reads in parallel, but each stream starts from nothing, which must not show
_MAX_STREAMS = 32


@dataclass(frozen=True)
class StreamData:
    """Tokens of a text as ids, with the ranges of its parts.

    Attributes:
        tokenizer: What made the ids.
        ids: Ids of the whole text.
        splits: Ranges of the parts, in tokens.
        count_chars: Characters of ranges of tokens.
        facts: Where the text comes from.
    """

    tokenizer: Tokenizer
    ids: TokenIds
    splits: Splits
    count_chars: CountChars
    facts: TextFacts
    sequences: Literal["stream"] = "stream"

    def range(self, part: Part) -> tuple[int, int]:
        """Return where a part begins and ends, in tokens."""
        return (0, len(self.ids)) if part == "all" else getattr(self.splits, part)

    def size(self, part: Part) -> int:
        """Return the number of tokens in a part."""
        start, stop = self.range(part)
        return stop - start

    def training_batches(self, config: DataConfig, seed: int) -> StreamBatches:
        """Return the endless batches of the training part.

        Raises:
            DataTooShortError: When it is shorter than one window of all streams.
        """
        assert config.batch_size is not None
        start, stop = self.splits.train
        return StreamBatches(
            self.ids,
            start,
            stop,
            batch_size=config.batch_size,
            bptt=config.bptt,
            seed=seed,
            vary_bptt=config.vary_bptt,
            # held-out files keep their length whatever the training files have
            num_units=None if any(self.facts.num_files[1:]) else len(self.ids),
            unit=self.tokenizer.unit,
        )

    def evaluation_batches(
        self, part: Part, bptt: int, *, max_tokens: int | None = None, reset_every: int | None = None
    ) -> Iterator[TextBatch]:
        """Yield batches that hold every target of a part once, or of its first ``max_tokens`` tokens."""
        start, stop, streams = self._streams(part, max_tokens)
        batch_size = streams if reset_every is None else _MAX_STREAMS
        return iter_evaluation(self.ids, start, stop, batch_size=batch_size, bptt=bptt, reset_every=reset_every)

    def num_evaluation_batches(self, part: Part, bptt: int, max_tokens: int | None = None) -> int:
        """Return how many batches ``evaluation_batches`` yields with the state carried; 0 for an empty part."""
        start, stop, streams = self._streams(part, max_tokens)
        num_steps = -(-max(stop - start - 1, 0) // streams)
        return -(-num_steps // bptt)

    def _streams(self, part: Part, max_tokens: int | None) -> tuple[int, int, int]:
        """Return where the tokens to evaluate begin and end, and how many pieces are read side by side."""
        start, stop = self.range(part)
        stop = stop if max_tokens is None else min(stop, start + max_tokens)
        return start, stop, min(max((stop - start) // _TOKENS_PER_STREAM, 1), _MAX_STREAMS)

    def chars_per_token(self, part: Part, max_tokens: int | None = None) -> float:
        """Return how many characters a target of a part stands for in the mean; NaN when it has none."""
        start, stop, _ = self._streams(part, max_tokens)
        return self.count_chars(start + 1, stop) / (stop - start - 1) if stop - start > 1 else float("nan")

    def evaluation_tokens(self, part: Part, max_tokens: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the first ids of a part, and where sequences begin in them: nowhere in particular."""
        start, stop = self.range(part)
        return self.ids.read(start, min(stop, start + max_tokens)), None

    def training_tokens(self, max_tokens: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the last ids of the training part, and where sequences begin in them: nowhere in particular."""
        start, stop = self.splits.train
        return self.ids.read(max(start, stop - max_tokens), stop), None

    def record(self) -> dict[str, Any]:
        """Return how the text was cut, as plain values."""
        return {"sequences": self.sequences, "num_tokens": len(self.ids), "splits": asdict(self.splits)}

    def summary(self) -> str:
        """Return the sizes of the parts, for a person."""
        unit = self.tokenizer.unit
        train, validation, test = (self.size(part) for part in ("train", "validation", "test"))
        chars = "" if self.tokenizer.kind == "char" else f" ({self.facts.num_chars:,} characters)"
        return (
            f"data: {len(self.ids):,} {unit}s{chars}: {train:,} training, {validation:,} validation, {test:,} test; "
            f"vocabulary of {len(self.tokenizer):,}"
        )
