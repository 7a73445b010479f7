"""Reading UTF-8 text files of any size in chunks, compressed ones too."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import lzma
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from recurra.errors import DataError, DataNotFoundError, EncodingError

CHUNK_BYTES = 1 << 20
_BINARY_PROBE_BYTES = 8192
_MAX_LINE_CHARS = 10_000_000
_DAMAGE = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
# First bytes of what is often mistaken for a text file; the order matters, UTF-32 starts as UTF-16 does.
_SIGNATURES = (
    (b"\xff\xfe\x00\x00", "UTF-32", "convert it first: iconv -f utf-32 -t utf-8 old.txt > new.txt"),
    (b"\xff\xfe", "UTF-16", "convert it first: iconv -f utf-16 -t utf-8 old.txt > new.txt"),
    (b"\xfe\xff", "UTF-16", "convert it first: iconv -f utf-16 -t utf-8 old.txt > new.txt"),
    (b"\x1f\x8b", "gzip", "end its name in .gz, and it is unpacked while it is read"),
    (b"\xfd7zXZ\x00", "xz", "end its name in .xz, and it is unpacked while it is read"),
    (b"PK\x03\x04", "zip", "unpack it first"),
    (b"%PDF-", "PDF", "extract its text first"),
)


def iter_text(paths: Iterable[str | Path], *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[str]:
    r"""Yield the text of one or many files, joined in the order given, in chunks.

    A byte-order mark at the start of a file is dropped; ``\r\n`` and ``\r`` become ``\n``.
    Memory does not grow with the size of the files.

    Args:
        paths: Files; those that end in ``.gz`` or ``.xz`` are unpacked while they are read.
        chunk_bytes: How many bytes of (unpacked) text are read at a time.

    Yields:
        Text, never an empty string.

    Raises:
        DataNotFoundError: When a file is not there.
        EncodingError: When a file is not UTF-8 text.
        DataError: When a file is empty, damaged, unreadable, or no file at all.
    """
    for path in paths:
        yield from TextFile(path).chunks(chunk_bytes)


def iter_lines(file: str | Path | IO[bytes]) -> Iterator[str]:
    r"""Yield the lines of a text file, or of an open binary stream such as standard input, without their ends.

    Args:
        file: A file as for ``iter_text``, or a stream of UTF-8 text; a stream may be empty.

    Raises:
        DataNotFoundError, EncodingError, DataError: As ``iter_text``; also when a line is longer than ten million
            characters, since lines are held in memory.
    """
    if isinstance(file, str | Path):
        chunks, name = TextFile(file).chunks(), str(file)
    else:
        name = "standard input"
        chunks = TextFile(name).decoded(file, CHUNK_BYTES)
    hint = "break the text into lines first, for example with fmt or fold"
    for lines in iter_line_lists(chunks, name, max_chars=_MAX_LINE_CHARS, hint=hint):
        yield from lines


def iter_line_lists(chunks: Iterable[str], name: str | Path, *, max_chars: int, hint: str) -> Iterator[list[str]]:
    r"""Yield lists of the lines of a text that comes in chunks, without their ends.

    Only ``"\n"`` ends a line, unlike for ``str.splitlines``: text holds other characters that it takes for line ends.

    Args:
        chunks: The text, in parts of any size.
        name: What errors call it.
        max_chars: Characters that a line may have, since lines are held in memory.
        hint: What to do about a longer one.

    Raises:
        DataError: When a line is longer.
    """
    rest, number = "", 1
    for chunk in chunks:
        lines = (rest + chunk).split("\n")
        if max(map(len, lines)) > max_chars:
            number += next(index for index, line in enumerate(lines) if len(line) > max_chars)
            raise DataError(
                f"expected lines of at most {max_chars:,} characters in {name}, got a longer one: line {number}",
                hint=hint,
            )
        rest = lines.pop()
        number += len(lines)
        if lines:
            yield lines
    if rest:
        yield [rest]


class TextFile:
    """One text file that is read from start to end, and hashed on the way.

    Attributes:
        path: Where the file lies.
        size_bytes: Bytes read so far, as stored (packed, with a byte-order mark).
        num_chars: Characters given out so far.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.size_bytes = 0
        self.num_chars = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of the bytes read so far: of the whole file once ``chunks`` is used up."""
        return self._hash.hexdigest()

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[str]:
        """Yield the text in chunks; see ``iter_text``."""
        self.size_bytes, self.num_chars, self._hash = 0, 0, hashlib.sha256()
        with _reported(self.path), open_regular(self.path) as raw:
            packed = _HashingReader(raw, self)
            try:
                for text in self.decoded(_unpacked(packed, self.path), chunk_bytes):
                    self.num_chars += len(text)
                    yield text
            except _DAMAGE as error:
                raise DataError(
                    f"expected {self.path} to be a whole {self.path.suffix[1:]} file, got a damaged one: {error}",
                    hint="copy or download the file again",
                ) from error
            while packed.read(chunk_bytes):  # bytes behind the packed text count for the hash
                pass
        if not self.num_chars:
            raise DataError(f"expected text in {self.path}, got an empty file")

    def decoded(self, stream: IO[bytes], chunk_bytes: int) -> Iterator[str]:
        """Yield the text of a binary stream in chunks, under the name of this file in errors."""
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        head, num_lines, at_start = b"", 0, True
        while True:
            data = stream.read(chunk_bytes)
            if len(head) < _BINARY_PROBE_BYTES:
                head += data[: _BINARY_PROBE_BYTES - len(head)]
                _check_not_binary(self.path, head)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise _encoding_error(self.path, error, num_lines, newlines) from error
            if at_start and text:
                text, at_start = text.removeprefix("\ufeff"), False
            text = newlines.decode(text, final=not data)
            num_lines += text.count("\n")
            if text:
                yield text
            if not data:
                return


class _HashingReader(io.RawIOBase):
    """Reads a binary file forwards and keeps the books of its ``TextFile``."""

    def __init__(self, raw: IO[bytes], file: TextFile) -> None:
        super().__init__()
        self._raw, self._file = raw, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]
        self._file._hash.update(memoryview(buffer)[:count])
        self._file.size_bytes += count
        return count


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"expected to read {path}, got: {error.strerror or error}")


@contextmanager
def open_regular(path: Path) -> Iterator[IO[bytes]]:
    """Open a file unbuffered, or say what is there instead of a file.

    Raises:
        DataNotFoundError: When nothing is there.
        DataError: When it is a folder, a pipe or a device, or may not be read.
    """
    try:
        # without O_NONBLOCK a pipe that nobody writes to would be waited for
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise DataNotFoundError(f"expected a text file at {path}, got nothing: no such file") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _check_regular(descriptor, path)
    except DataError:
        os.close(descriptor)
        raise
    with open(descriptor, "rb", buffering=0) as raw:
        yield raw


def _check_regular(descriptor: int, path: Path) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise DataError(f"expected a text file at {path}, got a folder", hint=f"name the files in it: {path}/*.txt")
    if not stat.S_ISREG(mode):
        raise DataError(
            f"expected a text file at {path}, got a pipe or a device", hint="write its text to a file first"
        )


def _unpacked(packed: io.RawIOBase, path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=packed, mode="rb")  # type: ignore[return-value]
    if path.suffix == ".xz":
        return lzma.LZMAFile(packed)  # type: ignore[arg-type]
    return packed  # type: ignore[return-value]


def _check_not_binary(path: Path, head: bytes) -> None:
    for signature, kind, hint in _SIGNATURES:
        if head.startswith(signature):
            raise EncodingError(f"expected UTF-8 text in {path}, got {kind}", hint=hint)
    position = head.find(b"\0")
    if position >= 0:
        raise EncodingError(
            f"expected UTF-8 text in {path}, got a binary file: byte {position + 1} is NUL",
            hint="UTF-16 text without a mark looks like this too: iconv -f utf-16le -t utf-8 old.txt > new.txt",
        )


def _encoding_error(
    path: Path, error: UnicodeDecodeError, num_lines: int, newlines: io.IncrementalNewlineDecoder
) -> EncodingError:
    valid = newlines.decode(error.object[: error.start].decode("utf-8"), final=True)
    line = num_lines + valid.count("\n") + 1
    return EncodingError(
        f"expected UTF-8 text in {path}, got byte 0x{error.object[error.start]:02x} in line {line}: {error.reason}",
        hint="convert the file first: iconv -f latin1 -t utf-8 old.txt > new.txt",
    )


__all__ = ["CHUNK_BYTES", "TextFile", "iter_line_lists", "iter_lines", "iter_text", "open_regular"]
