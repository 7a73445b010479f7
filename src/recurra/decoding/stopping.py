"""Ending a stream of text at a stop string."""

from __future__ import annotations

from recurra.errors import ArgumentError


class StopString:
    """A filter that lets pieces of text through up to a stop string, which itself is not shown.

    Text is held back only as long as it may be the beginning of the stop string; borders between pieces do not matter.
    Characters are compared one by one as Python holds them, without Unicode normalisation.

    Attributes:
        finished: True as soon as the stop string has been seen.

    Raises:
        ArgumentError: When ``stop`` is not a string or is empty.

    Example:
        >>> stream = StopString("END")
        >>> [stream.feed(piece) for piece in ("some E", "NE", "ND and more")]
        ['some ', 'EN', '']
        >>> stream.finished
        True
    """

    def __init__(self, stop: str) -> None:
        if not isinstance(stop, str) or not stop:
            raise ArgumentError(f"StopString expected stop to be a string of at least one character, got {stop!r}")
        self.finished = False
        self._stop = stop
        self._borders = _border_lengths(stop)
        self._num_matched = 0  # characters of the stop string that the text so far ends with

    def feed(self, piece: str) -> str:
        """Take the next piece of text and return what can be shown now.

        After the stop string nothing is shown any more.
        """
        shown: list[str] = []
        for character in piece:
            if self.finished:
                break
            shown.append(self._take(character))
        return "".join(shown)

    def flush(self) -> str:
        """Return what is still held back; for the end of the text, when no more can complete the stop string."""
        held = self._stop[: self._num_matched]
        self._num_matched = 0
        return held

    def _take(self, character: str) -> str:
        """Take one character and return the text that it releases.

        This is the automaton of Knuth, Morris and Pratt: on a mismatch the text's end is read again as a shorter
        beginning of the stop string, and what stands in front of that beginning is released.
        """
        released = ""
        while self._num_matched and self._stop[self._num_matched] != character:
            shorter = self._borders[self._num_matched - 1]
            released += self._stop[: self._num_matched - shorter]
            self._num_matched = shorter
        if self._stop[self._num_matched] != character:
            return released + character
        self._num_matched += 1
        if self._num_matched == len(self._stop):
            self.finished = True
            self._num_matched = 0
        return released


def _border_lengths(text: str) -> list[int]:
    """Return for every beginning of the text the length of its longest proper beginning that is also its end."""
    lengths = [0]
    for end in range(1, len(text)):
        length = lengths[-1]
        while length and text[length] != text[end]:
            length = lengths[length - 1]
        lengths.append(length + 1 if text[length] == text[end] else 0)
    return lengths
