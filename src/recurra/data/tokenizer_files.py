"""The file of a tokeniser that is a rule and a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recurra.data.json_files import parse_json, read_text, replace_text, to_json_text
from recurra.data.vocabulary import Vocabulary
from recurra.errors import ChoiceError, VocabularyError

VOCABULARY_FILE = "vocab.json"
SUBWORDS_FILE = "tokenizer.json"
VOCABULARY_KINDS = ("char", "word", "whitespace")
_FORMAT = "recurra-tokenizer"
_VERSION = 1


def save_tokenizer(folder: str | Path, kind: str, lowercase: bool, vocabulary: Vocabulary) -> None:
    """Write ``vocab.json`` into ``folder``: the kind, whether text is put in lower case, and the vocabulary."""
    head = {"format": _FORMAT, "version": _VERSION, "kind": kind, "lowercase": lowercase}
    replace_text(Path(folder) / VOCABULARY_FILE, to_json_text({**head, "vocabulary": vocabulary.to_content()}))


def read_tokenizer(folder: str | Path) -> tuple[str, bool, Vocabulary]:
    """Return kind, lower case and vocabulary from the ``vocab.json`` of ``folder``.

    Raises:
        DataNotFoundError: When the file is not there.
        VocabularyError: When it holds something else, or was written by another version.
        ChoiceError: When its kind is none of the known ones.
    """
    path = Path(folder) / VOCABULARY_FILE
    content = parse_json(read_text(path, what="a tokenizer"), what="a tokenizer", origin=str(path))
    if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
        # before there were other tokenisers, the file was a vocabulary: that says what is wrong with it
        Vocabulary.from_content(content, origin=str(path))
        raise VocabularyError(f"expected a tokenizer in {path}, got a vocabulary alone")
    if content.get("version") != _VERSION:
        got = content.get("version")
        raise VocabularyError(f"expected a tokenizer of version {_VERSION} in {path}, got version {got!r}")
    kind, lowercase = content.get("kind"), content.get("lowercase")
    if kind not in VOCABULARY_KINDS:
        raise ChoiceError(f"the kind of the tokenizer in {path}", kind, VOCABULARY_KINDS)
    if not isinstance(lowercase, bool):
        raise VocabularyError(f"expected lowercase to be true or false in {path}, got {lowercase!r}")
    return kind, lowercase, Vocabulary.from_content(content.get("vocabulary"), origin=str(path))


__all__ = ["SUBWORDS_FILE", "VOCABULARY_FILE", "VOCABULARY_KINDS", "read_tokenizer", "save_tokenizer"]
