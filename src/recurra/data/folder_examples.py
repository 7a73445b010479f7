"""Reading labelled examples from folders: a folder for each class, a file for each text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from recurra.data.example_blocks import EXAMPLES_AT_A_TIME, Block, WantedColumns
from recurra.data.part_names import PART_NAMES
from recurra.data.tables import MAX_FIELD_CHARS, unpacked_name
from recurra.data.text_files import TextFile
from recurra.errors import DataError

UNLABELLED = "unsup"
"""The folder in which the reviews of aclImdb lie that have no label."""


def iter_folder(folder: Path, wanted: WantedColumns) -> Iterator[Block]:
    """Yield the examples of a folder: ``LABEL/*.txt`` in it, or ``train/LABEL/*.txt``, ``test/LABEL/*.txt`` and so on.

    Labels, and texts below one, come in the order of their names. Line ends at the end of a file belong to no text.
    Texts below ``unsup``, which have no label, texts beside the parts, and other files among texts are left out and
    counted. Hidden files and what lies elsewhere are not looked at.

    Raises:
        DataError: When columns are asked for, or the folder is laid out otherwise.
    """
    for named in (wanted.text, wanted.label):
        if named is not None:
            raise DataError(
                f"expected a table for the column {named!r}, got the folder {folder}",
                hint="the labels of a folder are the names of the folders in it",
            )
    folders = _folders_in(folder)
    parts = [name for name in folders if name.lower() in PART_NAMES and _folders_in(folder / name)]
    if not parts:
        yield from _iter_classes(folder, wanted, None)
        return
    for name in folders:
        if name in parts:
            yield from _iter_classes(folder / name, wanted, name)
        elif num_texts := len(_texts_in(folder / name)[0]):
            yield Block(
                str(folder / name), "", [], [], left_out={f"texts in {folder / name}, which is no part": num_texts}
            )


def _iter_classes(folder: Path, wanted: WantedColumns, part: str | None) -> Iterator[Block]:
    labels = _folders_in(folder)
    if not any(_texts_in(folder / label)[0] for label in labels if label != UNLABELLED):
        raise DataError(
            f"expected folders of .txt files in {folder}, one for each class, got {_what_is_there(folder)}",
            hint="name the files themselves if each holds the texts of a class, one a line",
        )
    for label in labels:
        names, num_others = _texts_in(folder / label)
        left_out = {f"files in {folder} that are no .txt": num_others} if num_others else {}
        if label == UNLABELLED:
            left_out, names = {f"texts in {folder / label}, which have no label": len(names)}, []
        for begin in range(0, max(len(names), 1), EXAMPLES_AT_A_TIME):
            some = names[begin : begin + EXAMPLES_AT_A_TIME]
            texts = [_read(folder / label / name) for name in some]
            labels_of_some = [label] * len(some) if wanted.need_labels else None
            splits = [part] * len(some) if wanted.need_labels and part is not None else None
            yield Block(str(folder / label), "", some, texts, labels_of_some, splits, left_out)
            left_out = {}


def _folders_in(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _texts_in(folder: Path) -> tuple[list[str], int]:
    """Return the names of the texts in a folder, in order, and how many other things are there."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".")]
    texts = sorted(name for name in names if unpacked_name(Path(name)).suffix.lower() == ".txt")
    return texts, len(names) - len(texts)


def _read(path: Path) -> str:
    if not path.stat().st_size:
        return ""  # left to the caller, who counts empty texts
    parts, num_chars = [], 0
    for text in TextFile(path).chunks():
        parts.append(text)
        num_chars += len(text)
        if num_chars > MAX_FIELD_CHARS:
            raise DataError(
                f"expected a text of at most {MAX_FIELD_CHARS:,} characters in {path}, got a longer one",
                hint="cut the text into several files",
            )
    return "".join(parts).rstrip("\n")


def _what_is_there(folder: Path) -> str:
    names: Sequence[str] = sorted(os.listdir(folder))
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown or "an empty folder"


__all__ = ["UNLABELLED", "iter_folder"]
