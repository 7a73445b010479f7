"""A sentence with its predicted tags."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Entity:
    """A name that tags mark.

    Attributes:
        kind: What kind of name it is.
        begin: Its first word, from 0 on.
        end: The word behind its last.
        text: Its words, parted by spaces.
    """

    kind: str
    begin: int
    end: int
    text: str


@dataclass(frozen=True)
class TagPrediction:
    """A sentence with its predicted tags.

    Attributes:
        words: The words.
        tags: A tag for each of them.
        marks_entities: Whether tags of this kind mark entities.
        in_columns: Whether a line for a person has one word, as in the file that the sentence is from.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    marks_entities: bool = False
    in_columns: bool = False

    @cached_property
    def entities(self) -> tuple[Entity, ...]:
        """The names that the tags mark."""
        if not self.marks_entities:
            return ()
        from seqeval.metrics.sequence_labeling import get_entities

        return tuple(
            Entity(kind, begin, last + 1, " ".join(self.words[begin : last + 1]))
            for kind, begin, last in get_entities(list(self.tags))
        )

    def to_json(self) -> dict[str, Any]:
        """Return words, tags, and entities where the tags are of that kind."""
        content: dict[str, Any] = {"words": list(self.words), "tags": list(self.tags)}
        if self.marks_entities:
            content["entities"] = [vars(entity) for entity in self.entities]
        return content

    def to_line(self) -> str:
        r"""Return ``word/TAG word/TAG ...``; of a file of columns ``word\tTAG`` lines with an empty one behind."""
        pairs = zip(self.words, self.tags, strict=True)
        if self.in_columns:
            return "".join(f"{word}\t{tag}\n" for word, tag in pairs)
        return " ".join(f"{word}/{tag}" for word, tag in pairs)
