"""JSON text as files: written whole, read with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recurra.data.cache import write_whole
from recurra.errors import DataNotFoundError, VocabularyError


def to_json_text(content: Any) -> str:
    """Return ``content`` as JSON text of one item a line that is pure UTF-8 even for lone surrogates."""
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    # what UTF-8 cannot hold turns into the escape that JSON has for it
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def parse_json(text: str, *, what: str, origin: str) -> Any:
    """Return what the JSON text says.

    Args:
        text: The text.
        what: What it is expected to hold, for errors: "a vocabulary".
        origin: Where it is from, for errors.

    Raises:
        VocabularyError: When it is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise VocabularyError(f"expected {what} in {origin}, got broken JSON: {error}") from error


def replace_text(path: str | Path, text: str) -> None:
    """Write a file as UTF-8 so that ``path`` is whole at every moment."""
    write_whole(Path(path), text.encode("utf-8"))


def read_text(path: str | Path, *, what: str) -> str:
    """Return the text of a UTF-8 file; ``what`` says for errors what it is expected to hold.

    Raises:
        DataNotFoundError: When the file is not there.
        VocabularyError: When it is not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataNotFoundError(f"expected {what} at {path}, got nothing: no such file") from error
    except UnicodeDecodeError as error:
        raise VocabularyError(f"expected {what} in {path}, got no UTF-8: {error.reason}") from error


__all__ = ["parse_json", "read_text", "replace_text", "to_json_text"]
