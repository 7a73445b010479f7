"""Files of numbers that grow, and whose types widen with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.data.cache import write_all
from recurra.data.text_files import CHUNK_BYTES

NARROW_TYPES = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"))
WIDE_TYPES = (np.dtype("<u4"), np.dtype("<u8"))


class NumberFile:
    """A growing file of numbers that changes to a wider type when it has to.

    Args:
        path: Where the file is made.
        types: The types that it may have, narrowest first.

    Attributes:
        dtype: The type that it has now.
        length: How many numbers it holds.

    Raises:
        OSError: When it cannot be written.
    """

    def __init__(self, path: Path, types: tuple[np.dtype, ...] = NARROW_TYPES) -> None:
        self.path = path
        self.dtype = types[0]
        self.length = 0
        self._types = types
        self._descriptor = _create(path)

    def append(self, numbers: np.ndarray, largest: int) -> None:
        """Write ``numbers`` behind the others; ``largest`` is at least as large as each of them."""
        if largest > np.iinfo(self.dtype).max:
            self._widen(next(dtype for dtype in self._types if largest <= np.iinfo(dtype).max))
        write_all(self._descriptor, numbers.astype(self.dtype).tobytes())
        self.length += len(numbers)

    def flush(self) -> None:
        """Bring all to the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; nothing can be appended any more."""
        os.close(self._descriptor)

    def _widen(self, dtype: np.dtype) -> None:
        aside = self.path.with_suffix(".wider")
        wider = _create(aside)
        try:
            with open(self.path, "rb") as narrow:
                while data := narrow.read(CHUNK_BYTES):
                    write_all(wider, np.frombuffer(data, self.dtype).astype(dtype).tobytes())
        except BaseException:
            os.close(wider)
            raise
        os.replace(aside, self.path)
        os.close(self._descriptor)
        self._descriptor, self.dtype = wider, dtype


class NumberFiles:
    """The growing files of numbers of one folder; leaving the context closes them.

    Args:
        folder: Where they are made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, NumberFile] = {}

    def __enter__(self) -> NumberFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def open(self, name: str, types: tuple[np.dtype, ...] = NARROW_TYPES) -> NumberFile:
        """Make an empty file for the array ``name``."""
        file = self._files[name] = NumberFile(array_path(self._folder, name), types)
        return file

    def finish(self) -> dict[str, StoredArray]:
        """Bring all to the disk, and return what the files hold, by name."""
        for file in self._files.values():
            file.flush()
        return {name: StoredArray(file.dtype.str, file.length) for name, file in self._files.items()}


@dataclass(frozen=True)
class StoredArray:
    """An array in a file of its own.

    Attributes:
        dtype: NumPy name of its type.
        length: How many numbers it has.
    """

    dtype: str
    length: int

    def is_whole(self, folder: Path, name: str) -> bool:
        """Tell whether the file of array ``name`` in ``folder`` has the size that it must have.

        Raises:
            OSError: When it is not there.
        """
        return array_path(folder, name).stat().st_size == self.length * np.dtype(self.dtype).itemsize

    def open(self, folder: Path, name: str) -> np.ndarray:
        """Return array ``name`` of ``folder``: a read-only view of its memory map."""
        if not self.length:
            return np.zeros(0, np.dtype(self.dtype))  # no file of length 0 can be mapped
        mapped = np.memmap(array_path(folder, name), np.dtype(self.dtype), "r", shape=(self.length,))
        return np.asarray(mapped)  # the same memory; slices of it cost a tenth of slices of a np.memmap


def array_path(folder: Path, name: str) -> Path:
    """Return where array ``name`` of ``folder`` lies."""
    return folder / f"{name}.bin"


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)


__all__ = ["NARROW_TYPES", "WIDE_TYPES", "NumberFile", "NumberFiles", "StoredArray", "array_path"]
