"""Sentences and their translations, from tab-separated or parallel files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from recurra.data.text_files import iter_lines
from recurra.errors import DataError


@dataclass(frozen=True)
class SentencePairs:
    """Sentences, each with its translation.

    Attributes:
        sources: What is translated; no tab, no line end, no white space at the ends, never empty.
        targets: What it is translated to, of the same number and kind.
        notes: What was left out or joined, with its count, for people.
    """

    sources: list[str]
    targets: list[str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.sources)


def read_pairs(paths: Sequence[str | Path], *, swap: bool = False) -> SentencePairs:
    r"""Read pairs of sentences.

    Either every line of every file is a source, a tab and a target; what stands behind a second tab (in newer packs of
    Tatoeba's pairs, who wrote the sentence) is left out. Or there are two files of which the first filled line holds no
    tab: line n of the one then goes with line n of the other, and tabs in them are white space.

    Pairs of which a side is empty are left out. What is left out is counted in the notes.

    Args:
        paths: UTF-8 text files; those that end in ``.gz`` or ``.xz`` are unpacked while they are read.
        swap: Take the second side as source.

    Raises:
        DataNotFoundError: When a file is not there.
        EncodingError: When a file is not UTF-8 text.
        DataError: When there is no pair, a line of a tab-separated file has no tab, or parallel files differ in their
            number of lines.
    """
    if not paths:
        raise DataError("read_pairs expected at least one file, got none")
    is_parallel = len(paths) == 2 and not any(map(_begins_with_tab, paths))
    reading = _Reading()
    rows = reading.parallel(*paths) if is_parallel else chain.from_iterable(map(reading.separated, paths))
    pairs = [pair for pair in rows if reading.is_whole(pair)]
    if not pairs:
        raise DataError(
            f"expected pairs of sentences in {', '.join(map(str, paths))}, got {reading.lines:,} empty ones"
        )
    first, second = map(list, zip(*pairs, strict=True))
    sources, targets = (second, first) if swap else (first, second)
    return SentencePairs(sources, targets, tuple(reading.notes()))


class _Reading:
    """Takes pairs out of lines and counts what is left out."""

    def __init__(self) -> None:
        self.lines = 0
        self._num_empty = 0
        self._num_further = 0

    def separated(self, path: str | Path) -> Iterator[tuple[str, str]]:
        for number, line in enumerate(iter_lines(path), start=1):
            first, tab, rest = line.partition("\t")
            if not tab and line.strip():
                raise DataError(
                    f"expected a source, a tab and a target in each line of {path}, got line {number} without a tab: "
                    f"{_shown(line)}",
                    hint="name two files without tabs where the lines of one go with those of the other",
                )
            second, tab, _ = rest.partition("\t")
            self._num_further += bool(tab)
            yield first.strip(), second.strip()

    def parallel(self, first: str | Path, second: str | Path) -> Iterator[tuple[str, str]]:
        counts = [0, 0]
        for pair in zip_longest(iter_lines(first), iter_lines(second)):
            counts = [count + (line is not None) for count, line in zip(counts, pair, strict=True)]
            if counts[0] == counts[1]:
                yield _plain(pair[0]), _plain(pair[1])
        if counts[0] != counts[1]:
            raise DataError(
                f"expected parallel files of as many lines, got {counts[0]:,} in {first} and {counts[1]:,} in {second}"
            )

    def is_whole(self, pair: tuple[str, str]) -> bool:
        self.lines += 1
        is_whole = all(pair)
        self._num_empty += not is_whole
        return is_whole

    def notes(self) -> Iterator[str]:
        if self._num_empty:
            yield f"{self._num_empty:,} of {self.lines:,} pairs left out: a side is empty"
        if self._num_further:
            yield f"{self._num_further:,} of {self.lines:,} lines have further columns, which are left out"


def _begins_with_tab(path: str | Path) -> bool:
    return "\t" in next((line for line in iter_lines(path) if line.strip()), "")


def _plain(line: str) -> str:
    return line.replace("\t", " ").strip()


def _shown(line: str, most: int = 60) -> str:
    return repr(line if len(line) <= most else f"{line[:most]}…")


__all__ = ["SentencePairs", "read_pairs"]
