"""Ids to text where every id has a text of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recurra.errors import VocabularyError


class SymbolDecoder:
    """Turns ids into text one by one.

    Args:
        texts: The text of every id; an empty one leaves nothing.
        join: Gives a text as it stands behind those before it, for example with a space in front; by default as it is.
    """

    def __init__(self, texts: Sequence[str], join: Callable[[str], str] = str) -> None:
        self._texts, self._join = texts, join

    def feed(self, token_id: int) -> str:
        """Return the text of ``token_id``.

        Raises:
            VocabularyError: When the id is not one of the vocabulary.
        """
        if not 0 <= token_id < len(self._texts):
            raise VocabularyError(f"Decoder expected an id from 0 to {len(self._texts) - 1}, got {token_id}")
        text = self._texts[token_id]
        return self._join(text) if text else ""

    def flush(self) -> str:
        """Return nothing: every id is a whole text."""
        return ""


__all__ = ["SymbolDecoder"]
