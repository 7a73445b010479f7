"""Sequences of numbers with labels, read from NumPy archives."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError, DataNotFoundError

_VALUES, _LENGTHS, _LABELS = "values", "lengths", "labels"


@dataclass(frozen=True)
class LabelledArrays:
    """Sequences of numbers with their labels.

    Attributes:
        values: The sequences: each float32 of shape (length, I), all of the same I.
        labels: The label of each; None where none were asked for.
        lengths: Their lengths, at least 1: int64 of shape (n,).
    """

    values: list[np.ndarray]
    labels: list[str] | None
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def input_size(self) -> int:
        """Numbers in each step."""
        return int(self.values[0].shape[1])


def read_arrays(path: str | Path, *, need_labels: bool = True) -> LabelledArrays:
    """Read a ``.npz`` archive of labelled sequences.

    Its arrays are ``values`` of shape (N, T, I), or (N, T) for sequences of single numbers; ``labels`` of shape (N,),
    strings or whole numbers; and ``lengths`` of shape (N,), if not all sequences have T steps. What stands in
    ``values`` behind the length of a sequence is not looked at. Other arrays are not read.

    Args:
        path: The file.
        need_labels: Whether labels are read.

    Raises:
        DataNotFoundError: When the file is not there.
        DataError: When the file is no such archive, an array is missing or of another shape or type, a length is not
            from 1 to T, or a number is not finite as float32.

    Example:
        >>> path = getfixture("tmp_path") / "series.npz"
        >>> np.savez(path, values=[[1, 2, 0], [3, 4, 5]], lengths=[2, 3], labels=["up", "down"])
        >>> [values.ravel().tolist() for values in read_arrays(path).values]
        [[1.0, 2.0], [3.0, 4.0, 5.0]]
    """
    path = Path(path)
    needed = [_VALUES, _LABELS] if need_labels else [_VALUES]
    arrays = _load(path, needed)
    values = _values(arrays[_VALUES], path)
    count, num_steps, _ = values.shape
    if _LENGTHS in arrays:
        lengths = _lengths(arrays[_LENGTHS], count, num_steps, path)
    else:
        lengths = np.full(count, num_steps, np.int64)
    _check_finite(values, lengths, arrays[_VALUES], path)
    labels = _labels(arrays[_LABELS], count, path) if need_labels else None
    return LabelledArrays([row[:length] for row, length in zip(values, lengths, strict=True)], labels, lengths)


def _load(path: Path, needed: list[str]) -> dict[str, np.ndarray]:
    if not path.exists():
        raise DataNotFoundError(f"expected a .npz archive at {path}, got nothing: no such file")
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(f"expected a .npz archive at {path}, got another kind of file, or a part of one")
        with np.load(path, allow_pickle=False) as archive:
            for name in needed:
                if name not in archive.files:
                    raise DataError(
                        f"expected the array {name!r} in {path}, got {', '.join(map(repr, archive.files)) or 'none'}",
                        hint="np.savez(path, values=..., lengths=..., labels=...) writes one",
                    )
            return {name: _array(archive, name, path) for name in (*needed, _LENGTHS) if name in archive.files}
    except DataError:
        raise
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"expected {path} to be a whole .npz archive, got a damaged one: {error}") from error


def _array(archive: Any, name: str, path: Path) -> np.ndarray:
    try:
        array: np.ndarray = archive[name]
    except ValueError as error:
        raise DataError(
            f"expected numbers or strings in the array {name!r} of {path}, got: {error}",
            hint="pad sequences to one length, and give the true ones as lengths; write labels as an array of strings",
        ) from error
    return array


def _values(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(
            f"expected values of shape (sequences, steps, inputs) or (sequences, steps) in {path}, got {array.shape}"
        )
    if array.dtype.kind not in "fiub":
        raise DataError(f"expected real numbers in values of {path}, got {array.dtype}")
    with np.errstate(over="ignore"):  # numbers too large become infinite, and are found by the check
        values = array.astype(np.float32)
    return values if values.ndim == 3 else values[..., None]  # (N, T, I)


def _lengths(array: np.ndarray, count: int, num_steps: int, path: Path) -> np.ndarray:
    if array.shape != (count,):
        raise DataError(f"expected lengths of shape {(count,)} in {path}, as many as values, got {array.shape}")
    if array.dtype.kind not in "iu":
        raise DataError(f"expected whole numbers in lengths of {path}, got {array.dtype}")
    outside = np.flatnonzero((array < 1) | (array > num_steps))
    if len(outside):
        raise DataError(
            f"expected lengths from 1 to {num_steps} in {path}, the steps of values, "
            f"got lengths[{outside[0]}] = {array[outside[0]]}"
        )
    return array.astype(np.int64)


def _check_finite(values: np.ndarray, lengths: np.ndarray, array: np.ndarray, path: Path) -> None:
    counts = np.arange(values.shape[1]) < lengths[:, None]  # (N, T)
    bad = ~np.isfinite(values).all(2) & counts
    if not bad.any():
        return
    row, step = np.argwhere(bad)[0]
    number = array[row, step] if array.ndim == 2 else array[row, step][~np.isfinite(values[row, step])][0]
    raise DataError(
        f"expected finite numbers in values of {path}, got {number} in values[{row}, {step}]",
        hint="fill gaps before, for example with the number before them" if np.isnan(number) else "",
    )


def _labels(array: np.ndarray, count: int, path: Path) -> list[str]:
    if array.shape != (count,):
        raise DataError(f"expected labels of shape {(count,)} in {path}, as many as values, got {array.shape}")
    if array.dtype.kind not in "Uiub":
        raise DataError(f"expected strings or whole numbers in labels of {path}, got {array.dtype}")
    labels = [str(label).lower() if array.dtype.kind == "b" else str(label) for label in array.tolist()]
    for row, label in enumerate(labels):
        if not label.strip():
            raise DataError(f"expected a label in labels[{row}] of {path}, got {label!r}")
    return labels


__all__ = ["LabelledArrays", "read_arrays"]
