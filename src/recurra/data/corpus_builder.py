"""One pass over text files: ids into a file, symbols and hashes into its description."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.data.cache import write_all
from recurra.data.text_files import CHUNK_BYTES, TextFile

_NUM_CODES = 0x110000
_DTYPES = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"))


@dataclass(frozen=True)
class Source:
    """A file that a corpus was made from.

    Attributes:
        path: Where it lay, absolute.
        size_bytes: Its size as stored.
        sha256: Hash of its bytes as stored, in hexadecimal digits.
    """

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Description:
    r"""What is known of a corpus besides its ids.

    Attributes:
        fingerprint: SHA-256 of the text as UTF-8, without marks and with ``\n`` line ends: of the content only.
        num_chars: Characters in all.
        dtype: NumPy name of the type of the stored ids.
        symbols: The symbols of the ids 1, 2, ..., in the order in which they first occur.
        first_positions: Where each of them first occurs; ascending.
        sources: The files, in the order in which they were joined.
    """

    fingerprint: str
    num_chars: int
    dtype: str
    symbols: str
    first_positions: tuple[int, ...]
    sources: tuple[Source, ...]


def build_ids(paths: Sequence[Path], target: Path, *, chunk_bytes: int = CHUNK_BYTES) -> Description:
    """Read the files once and write the ids of their characters to ``target``.

    The first distinct character gets id 1, the next id 2, and so on.
    The ids are as narrow as the alphabet allows; the file is rewritten in chunks when it outgrows its type.

    Raises:
        DataError: When a file cannot be used as text.
        OSError: When ``target`` cannot be written.
    """
    numbering, digest = _Numbering(), hashlib.sha256()
    sources: list[Source] = []
    with _IdFile(target) as ids:
        for text in _iter_recorded(paths, sources, chunk_bytes):
            digest.update(text.encode("utf-8"))
            numbers = numbering.number(text)
            ids.append(numbers, largest=len(numbering.first_positions))
        ids.flush()
    return Description(
        fingerprint=digest.hexdigest(),
        num_chars=numbering.num_chars,
        dtype=ids.dtype.str,
        symbols="".join(numbering.symbols),
        first_positions=tuple(numbering.first_positions),
        sources=tuple(sources),
    )


def _iter_recorded(paths: Sequence[Path], sources: list[Source], chunk_bytes: int) -> Iterator[str]:
    for path in paths:
        file = TextFile(path)
        yield from file.chunks(chunk_bytes)
        sources.append(Source(os.path.abspath(path), file.size_bytes, file.sha256))


class _Numbering:
    """Numbers characters by first occurrence."""

    def __init__(self) -> None:
        self.symbols: list[str] = []
        self.first_positions: list[int] = []
        self.num_chars = 0
        self._id_of_code = np.zeros(_NUM_CODES, np.uint32)

    def number(self, text: str) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
        # every code point is below _NUM_CODES, and "clip" spares NumPy a check with a buffer
        numbers = np.take(self._id_of_code, codes, mode="clip")
        if not numbers.all():
            self._admit(codes, numbers)
            numbers = np.take(self._id_of_code, codes, mode="clip")
        self.num_chars += len(text)
        return numbers

    def _admit(self, codes: np.ndarray, numbers: np.ndarray) -> None:
        places = np.flatnonzero(numbers == 0)
        new, first = np.unique(codes[places], return_index=True)
        order = np.argsort(first)
        start = len(self.symbols) + 1
        self._id_of_code[new[order]] = np.arange(start, start + len(new))
        self.symbols.extend(map(chr, new[order]))
        self.first_positions.extend((self.num_chars + places[first[order]]).tolist())


class _IdFile:
    """A growing file of ids that changes to a wider type when it has to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dtype = _DTYPES[0]
        self._descriptor = _create(path)

    def __enter__(self) -> _IdFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def append(self, numbers: np.ndarray, largest: int) -> None:
        if largest > np.iinfo(self.dtype).max:
            self._widen(next(dtype for dtype in _DTYPES if largest <= np.iinfo(dtype).max))
        write_all(self._descriptor, numbers.astype(self.dtype).tobytes())

    def flush(self) -> None:
        os.fsync(self._descriptor)

    def _widen(self, dtype: np.dtype) -> None:
        aside = self.path.with_suffix(".wider")
        wider = _create(aside)
        try:
            with open(self.path, "rb") as narrow:
                while data := narrow.read(CHUNK_BYTES):
                    numbers = np.frombuffer(data, self.dtype).astype(dtype)
                    write_all(wider, numbers.tobytes())
        except BaseException:
            os.close(wider)
            raise
        os.replace(aside, self.path)
        os.close(self._descriptor)
        self._descriptor, self.dtype = wider, dtype


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)


__all__ = ["Description", "Source", "build_ids"]
