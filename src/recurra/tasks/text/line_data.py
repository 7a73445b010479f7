"""Lines, each a sequence by itself: names, titles, sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from recurra.data import (
    EOS_ID,
    LineBatches,
    Lines,
    LineSet,
    TextBatch,
    Tokenizer,
    iter_line_evaluation,
    num_cut,
    num_targets,
)
from recurra.tasks.text.config import DataConfig
from recurra.tasks.text.facts import CountChars, Part, TextFacts

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class LineData:
    """Lines as ranges of token ids.

    Attributes:
        tokenizer: What made the ids.
        parts: The lines of each part.
        max_length: Tokens of a line that are read at most.
        count_chars: Characters of ranges of tokens.
        facts: Where the text comes from.
    """

    tokenizer: Tokenizer
    parts: Mapping[Literal["train", "validation", "test"], Lines]
    max_length: int | None
    count_chars: CountChars
    facts: TextFacts
    sequences: Literal["lines"] = "lines"

    def lines(self, part: Part, max_tokens: int | None = None) -> Lines:
        """Return the lines of a part; of one with more than ``max_tokens`` tokens evenly spaced ones.

        Lines often stand in the order of their labels or of the alphabet, so the first ones would be no sample.
        """
        lines = self.parts["train" if part == "all" else part]
        if max_tokens is None:
            return lines
        spacing = -(-int(self._num_targets(lines).sum()) // max_tokens)
        return lines if spacing <= 1 else lines.take(np.arange(0, len(lines), spacing))

    def _num_targets(self, lines: Lines) -> np.ndarray:
        return num_targets(lines, self.max_length)

    def size(self, part: Part) -> int:
        """Return the number of targets in a part."""
        return int(self._num_targets(self.lines(part)).sum())

    def training_batches(self, config: DataConfig, seed: int) -> LineBatches:
        """Return the endless batches of the training part."""
        assert config.batch_size is not None
        return LineBatches(self.parts["train"], batch_size=config.batch_size, max_length=self.max_length, seed=seed)

    def evaluation_batches(
        self, part: Part, bptt: int, *, max_tokens: int | None = None, reset_every: int | None = None
    ) -> Iterator[TextBatch]:
        """Yield batches that hold every line of a part once; each line starts anew in any case."""
        lines = self.lines(part, max_tokens)
        return iter_line_evaluation(lines, batch_size=_EVALUATION_BATCH, max_length=self.max_length)

    def num_evaluation_batches(self, part: Part, bptt: int, max_tokens: int | None = None) -> int:
        """Return how many batches ``evaluation_batches`` yields; 0 for an empty part."""
        return -(-len(self.lines(part, max_tokens)) // _EVALUATION_BATCH)

    def chars_per_token(self, part: Part, max_tokens: int | None = None) -> float:
        """Return how many characters a target of a part stands for in the mean; line ends are characters."""
        lines = self.lines(part, max_tokens)
        if not len(lines):
            return float("nan")
        targets = self._num_targets(lines)
        stops = lines.starts + targets
        # a last line without an end still has one to predict
        num_chars = self.count_chars(lines.starts, np.minimum(stops, len(lines.ids)))
        return (num_chars + int((stops > len(lines.ids)).sum())) / int(targets.sum())

    def evaluation_tokens(self, part: Part, max_tokens: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the ids of the lines that ``lines`` takes, each with its end, and where each begins."""
        return self._joined(self.lines(part, max_tokens))

    def training_tokens(self, max_tokens: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the ids of training lines, each with its end, and where each begins."""
        return self._joined(self.lines("train", max_tokens))

    def _joined(self, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
        targets = self._num_targets(lines)
        ends = np.cumsum(targets)
        starts = ends - targets
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(starts, targets)
        # behind the last token of a line stands its end, which is no place of its own where the file ends without one
        is_end = within >= np.repeat(lines.lengths, targets)
        places = np.repeat(lines.starts, targets) + within
        places[is_end] = 0
        ids = lines.ids.map(lines.ids.raw[places])
        ids[is_end] = EOS_ID
        return ids, starts

    @cached_property
    def training_lines(self) -> LineSet:
        """The training lines as a set, to ask whether a written line is one of them."""
        return LineSet(self.parts["train"])

    def record(self) -> dict[str, Any]:
        """Return how the lines were shared out, as plain values."""
        digest = hashlib.sha256()
        for lines in self.parts.values():
            digest.update(len(lines).to_bytes(8, "little") + np.ascontiguousarray(lines.starts, "<i8").tobytes())
        sizes = {part: len(lines) for part, lines in self.parts.items()}
        return {"sequences": self.sequences, "num_lines": sizes, "lines_sha256": digest.hexdigest()}

    def summary(self) -> str:
        """Return the sizes of the parts, for a person."""
        train, validation, test = (len(lines) for lines in self.parts.values())
        text = (
            f"data: {train + validation + test:,} lines: {train:,} training ({self.size('train'):,} "
            f"{self.tokenizer.unit}s with line ends), {validation:,} validation, {test:,} test; "
            f"vocabulary of {len(self.tokenizer):,}"
        )
        if self.facts.label_names:
            text += f"; {len(self.facts.label_names)} labels"
        return text

    def notes(self) -> list[str]:
        """Return what of the lines is not read, for a person."""
        if self.max_length is None:
            return []
        cut = [num_cut(lines, self.max_length) for lines in self.parts.values()]
        num_lines, num_tokens = sum(lines for lines, _ in cut), sum(tokens for _, tokens in cut)
        if not num_lines:
            return []
        unit = self.tokenizer.unit
        return [f"{num_lines:,} lines are longer than {self.max_length} {unit}s; {num_tokens:,} {unit}s are cut off"]
