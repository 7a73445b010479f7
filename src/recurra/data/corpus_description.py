"""What is known of a corpus besides its arrays, and its form as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from recurra.data.number_files import StoredArray
from recurra.data.records import Columns
from recurra.data.units import RULES, Rule
from recurra.errors import ChoiceError

_FORMAT = "recurra-corpus"
VERSION = 2


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
class Reading:
    """How files become units.

    Attributes:
        rule: How text is cut.
        lowercase: Whether units are in lower case.
        columns: Which columns hold text and label, for files that are read record by record; None for plain text.

    Raises:
        ChoiceError: When the rule is not among the known ones.
    """

    rule: Rule = "char"
    lowercase: bool = False
    columns: Columns | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ChoiceError("rule", self.rule, RULES)

    @property
    def is_plain(self) -> bool:
        """Whether the units are the characters of the text as they are."""
        return self.rule == "char" and not self.lowercase and self.columns is None

    @property
    def ends_lines(self) -> bool:
        """Whether a last line without end gets one when another file follows, so that no two lines join."""
        return self.rule != "char" or self.columns is not None

    @property
    def has_labels(self) -> bool:
        """Whether lines have labels."""
        return self.columns is not None and self.columns.label is not None


@dataclass(frozen=True)
class Description:
    r"""What is known of a corpus besides its arrays.

    Attributes:
        fingerprint: SHA-256 of the text, of how it was read and of where its files end.
        reading: How it was read.
        num_chars: Characters in all.
        symbols: The symbols of the raw ids 1, 2, ..., in the order in which they first occur.
        borders: Units up to the end of each file.
        label_names: The labels of the numbers 0, 1, ..., in the order in which they first occur.
        num_joined: Records whose text held line ends, which became spaces.
        arrays: The stored arrays by name.
        sources: The files, in the order in which they were joined.
    """

    fingerprint: str
    reading: Reading
    num_chars: int
    symbols: tuple[str, ...]
    borders: tuple[int, ...]
    label_names: tuple[str, ...]
    num_joined: int
    arrays: dict[str, StoredArray]
    sources: tuple[Source, ...]

    def to_json(self) -> bytes:
        """Return the description as JSON."""
        content = {"format": _FORMAT, "version": VERSION, **vars(self)}
        # asdict on the whole would copy every symbol
        content["reading"] = asdict(self.reading)
        content["arrays"] = {name: asdict(array) for name, array in self.arrays.items()}
        content["sources"] = [asdict(source) for source in self.sources]
        # what UTF-8 cannot hold, as paths may, turns into the escape that JSON has for it
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")

    @classmethod
    def from_json(cls, data: bytes) -> Description:
        """Read what ``to_json`` gave.

        Raises:
            ValueError: When it is something else; or KeyError, or TypeError.
        """
        content: dict[str, Any] = json.loads(data)
        if not isinstance(content, dict) or content.pop("format") != _FORMAT or content.pop("version") != VERSION:
            raise ValueError("another format")
        reading = dict(content["reading"])
        columns = reading.pop("columns")
        content["reading"] = Reading(**reading, columns=columns and Columns(**columns))
        content["arrays"] = {name: StoredArray(**array) for name, array in content["arrays"].items()}
        content["sources"] = tuple(Source(**source) for source in content["sources"])
        for name in ("symbols", "borders", "label_names"):
            content[name] = tuple(content[name])
        return cls(**content)


__all__ = ["VERSION", "Description", "Reading", "Source"]
