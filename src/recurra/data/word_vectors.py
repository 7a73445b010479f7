"""Reading pre-trained word vectors, for the words that are wanted."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.text_files import iter_line_lists, iter_text
from recurra.errors import ArgumentError, DataError, EncodingError, VocabularyError

# a row of 4096 numbers with ten digits each has a hundredth of that
_MAX_ROW_CHARS = 1 << 22
_BINARY_PROBE_BYTES = 8192
_NUM_EXAMPLES = 3
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class WordVectors:
    """What a file of word vectors knows about some symbols.

    Attributes:
        matrix: One row a symbol, float32 of shape ``(len(symbols), width)``; zeros where none was found.
        found: Whether there is a vector for the symbol, bool of shape ``(len(symbols),)``.
        num_rows: Rows in the file.
        num_exact: Symbols that stand in the file as they are.
        num_lowered: Symbols that stand there in lower case only.
    """

    matrix: np.ndarray
    found: np.ndarray
    num_rows: int
    num_exact: int
    num_lowered: int

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self.matrix.shape[1])


def read_vectors(path: str | Path, symbols: Sequence[str]) -> WordVectors:
    """Read the vectors of some symbols from a text file.

    Two formats are known, and told apart by the first line. GloVe: rows of a word and its numbers, separated by single
    spaces. word2vec: the same behind a line with the number of rows and the number of numbers in a row. Words may hold
    spaces, unless the second part of such a word is a number. The file is read row by row, and memory holds the rows
    of the symbols only; of all others no more than the number of fields is checked. Of several rows for a word the
    first counts; empty lines are passed over.

    Args:
        path: The file; one that ends in ``.gz`` or ``.xz`` is unpacked while it is read.
        symbols: What vectors are wanted for. A symbol that is not in the file is looked for in lower case.

    Returns:
        The vectors, in the order of ``symbols``.

    Raises:
        ArgumentError: When there are no symbols.
        DataNotFoundError: When the file is not there.
        EncodingError: When it is not UTF-8 text.
        DataError: When it has no rows, rows of different width or another number of rows than it says, when a value
            that is wanted is no finite number, or when it is binary, damaged or unreadable.
        VocabularyError: When the file has a vector for none of the symbols.
    """
    if not len(symbols):
        raise ArgumentError("read_vectors expected at least one symbol, got none")
    wanted = {*symbols, *(symbol.lower() for symbol in symbols)}
    rows = _Rows(Path(path), wanted)
    try:
        hint = "word vectors are read from text with one word a line"
        for lines in iter_line_lists(iter_text([path]), path, max_chars=_MAX_ROW_CHARS, hint=hint):
            rows.read(lines)
    except EncodingError as error:
        _check_not_word2vec_binary(rows.path, error)
        raise
    rows.finish()
    return _collect(rows, symbols)


class _Rows:
    """The rows of one file that are wanted, as they are read."""

    def __init__(self, path: Path, wanted: Set[str]) -> None:
        self.path, self.wanted = path, wanted
        self.line = 0  # lines read so far
        self.num_rows = 0
        self.num_announced: int | None = None  # rows that the first line speaks of, in word2vec's format
        self.width = 0  # 0 until it is known
        self.vectors: dict[str, np.ndarray] = {}
        self.examples: list[str] = []  # the first words of the file

    def read(self, lines: list[str]) -> None:
        if not self.line and lines:
            lines = self._read_first(lines)
        width, wanted, vectors = self.width, self.wanted, self.vectors
        for row in lines:
            self.line += 1
            # nearly every row takes this way: one word, and single spaces
            if row.count(" ") == width and not row.endswith(" "):
                word = row[: row.index(" ")]
            elif not row or row.isspace():
                continue
            else:
                word = self._odd_word(row)
            self.num_rows += 1
            if word in wanted and word not in vectors:
                vectors[word] = self._vector(row)
            if self.num_rows <= _NUM_EXAMPLES:
                self.examples.append(word)

    def finish(self) -> None:
        if not self.num_rows:
            raise DataError(f"expected rows of word vectors in {self.path}, got none behind the first line")
        if self.num_announced not in (None, self.num_rows):
            raise DataError(
                f"expected {self.num_announced} rows in {self.path}, as its first line says, got {self.num_rows}",
                hint="copy or download the file again",
            )

    def _read_first(self, lines: list[str]) -> list[str]:
        """Find out the format from the first line, and return the lines that hold rows."""
        fields = _fields(lines[0])
        if len(fields) == 2 and all(field.isascii() and field.isdigit() for field in fields):
            self.line, self.num_announced, self.width = 1, int(fields[0]), int(fields[1])
            if not self.width:
                raise DataError(f"expected vectors of at least one number in {self.path}, got a width of 0 in line 1")
            return lines[1:]
        first_number = next((index for index, field in enumerate(fields) if index and _is_number(field)), None)
        if first_number is None:
            raise DataError(
                f"expected a word and its numbers in line 1 of {self.path}, got {_shortened(lines[0])!r}",
                hint="word vectors are read from text in the format of GloVe or word2vec",
            )
        self.width = len(fields) - first_number
        self.line = 1
        self._vector(lines[0])  # whether wanted or not, it tells vectors from other files
        self.line = 0
        return lines

    def _odd_word(self, row: str) -> str:
        """Return the word of a row that does not hold one separator a number."""
        fields = _fields(row)
        num_words = len(fields) - self.width
        # the word itself may hold spaces, but a number in its second place is one too many
        if num_words < 1 or (num_words > 1 and _is_number(fields[1])):
            raise DataError(
                f"expected {self.width} numbers behind the word in line {self.line} of {self.path}, "
                f"got {len(fields) - 1}",
                hint="the file may be torn: copy or download it again",
            )
        return " ".join(fields[:num_words])

    def _vector(self, row: str) -> np.ndarray:
        fields = _fields(row)[-self.width :]
        try:
            vector = np.array(list(map(float, fields)))
        except ValueError:
            vector = np.array([np.nan])
        if not (np.abs(vector) <= _LARGEST).all():
            wrong = next(field for field in fields if not _is_finite(field))
            raise DataError(f"expected finite numbers in line {self.line} of {self.path}, got {wrong!r}")
        return vector.astype(np.float32)


def _collect(rows: _Rows, symbols: Sequence[str]) -> WordVectors:
    matrix = np.zeros((len(symbols), rows.width), np.float32)
    found = np.zeros(len(symbols), bool)
    num_exact = 0
    for index, symbol in enumerate(symbols):
        exact = rows.vectors.get(symbol)
        vector = rows.vectors.get(symbol.lower()) if exact is None else exact
        if vector is not None:
            matrix[index], found[index] = vector, True
            num_exact += exact is not None
    if not found.any():
        raise VocabularyError(
            f"expected {rows.path} to hold some of the {len(symbols)} symbols, such as {_examples(symbols)}; "
            f"got rows for others, such as {_examples(rows.examples)}",
            hint="vectors of words need a vocabulary of words, in the same language and spelling",
        )
    return WordVectors(matrix, found, rows.num_rows, num_exact, int(found.sum()) - num_exact)


def _examples(words: Sequence[str]) -> str:
    # special symbols such as <unk> say nothing about a vocabulary
    telling = [word for word in words[:100] if not (word.startswith("<") and word.endswith(">"))]
    return ", ".join(repr(_shortened(word)) for word in (telling or words)[:_NUM_EXAMPLES])


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def _fields(row: str) -> list[str]:
    # not str.split(): words of real files hold characters that it takes for white space
    return [field for field in row.replace("\t", " ").split(" ") if field]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_finite(field: str) -> bool:
    return _is_number(field) and abs(float(field)) <= _LARGEST  # False for nan, too


def _check_not_word2vec_binary(path: Path, error: EncodingError) -> None:
    opened: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opened(path, "rb") as file:
        head: bytes = file.read(_BINARY_PROBE_BYTES)
    first, _, rest = head.partition(b"\n")
    sizes = first.split()
    if len(sizes) == 2 and all(size.isdigit() for size in sizes) and b"\0" in rest:
        raise DataError(
            f"expected word vectors as text in {path}, got the binary format of word2vec",
            hint="write them as text first, for example with gensim: KeyedVectors.load_word2vec_format(old, "
            "binary=True).save_word2vec_format(new)",
        ) from error


__all__ = ["WordVectors", "read_vectors"]
