"""What is known of a named data set: its files, how they are to be read, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recurra.data.records import Columns

Kind = Literal["text", "labels", "tags", "pairs", "series", "vectors"]
"""What a data set holds: text, labelled texts, tagged words, pairs of sentences, series of numbers, word vectors."""
Written = Path | tuple[Path, Path, Path]
"""The file of a built-in data set, or its files to train, to validate and to test on."""


@dataclass(frozen=True)
class Layout:
    """One way in which the files of a data set may lie below a folder of data sets.

    The last part of a path may be a pattern. A file may also be there with ``.gz`` or ``.xz`` behind its name.

    Attributes:
        train: Files to train on, or all files of a data set without parts.
        validation: Files to validate on.
        test: Files to test on.
        columns: What to read where the files are tables, or how they are labelled.
        is_folder: Whether ``train`` is one folder, which is to be read as a whole.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    columns: Columns | None = None
    is_folder: bool = False


@dataclass(frozen=True)
class RemoteFile:
    """A file that is fetched for a data set.

    Attributes:
        address: Where it lies: http, https or file.
        num_bytes: About how large it is, for a person.
        checksum: ``"sha256:..."`` or ``"md5:..."``, or None where it is not known.
        members: Of an archive (``.zip``, ``.tar.gz``, ``.tgz``): patterns of the files in it that are unpacked.
        stored_as: What the file is called here, where that is not the last part of the address.
    """

    address: str
    num_bytes: int
    checksum: str | None = None
    members: tuple[str, ...] = ()
    stored_as: str | None = None

    @property
    def name(self) -> str:
        """What the file is called here."""
        return self.stored_as or self.address.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Remote:
    """Where a data set can be fetched from, and on what terms.

    Attributes:
        files: What is fetched.
        home: Page of those who made the data set, or who publish it.
        licence: Name of the licence, or "none stated".
        terms: What the publisher asks for, in a sentence; may be empty.
        citation: What to cite; may be empty.
    """

    files: tuple[RemoteFile, ...]
    home: str
    licence: str
    terms: str = ""
    citation: str = ""

    @property
    def num_bytes(self) -> int:
        """About how much is fetched."""
        return sum(file.num_bytes for file in self.files)


@dataclass(frozen=True)
class DataSet:
    """A named data set.

    Attributes:
        about: What it is, in a few words.
        kind: What it holds.
        layouts: How its files may lie; the first that is there is used. Empty for a built-in data set.
        write: Of a built-in data set: writes it to a cache folder unless it is there.
        tokenizer: "whitespace" for text that is cut into tokens already, or None.
        sequences: "lines" where each line is a sequence by itself, or None.
        columns: Of a built-in data set: what to read of its tables.
        remote: Where to fetch it from; None for a built-in data set.
    """

    about: str
    kind: Kind
    layouts: tuple[Layout, ...] = ()
    write: Callable[[str | Path | None], Written] | None = None
    tokenizer: Literal["whitespace"] | None = None
    sequences: Literal["lines"] | None = None
    columns: Columns | None = None
    remote: Remote | None = None


__all__ = ["DataSet", "Kind", "Layout", "Remote", "RemoteFile", "Written"]
