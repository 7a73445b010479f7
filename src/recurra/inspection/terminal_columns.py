"""How many columns of a terminal texts take, and texts made to fit into so many."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = re.compile(r"\S+")


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: letters of Chinese and the like take two, marks none."""
    from rich.cells import cell_len

    return cell_len(text)


def iter_clusters(text: str) -> Iterator[tuple[str, int]]:
    """Yield each character with the marks that lie on it, and the columns that they take; their sum is the text's.

    Marks that the text begins with have nothing to lie on, and come alone, with 0 columns.
    """
    cluster = ""
    for character in text:
        if cluster and columns(character):
            yield cluster, columns(cluster)
            cluster = ""
        cluster += character
    if cluster:
        yield cluster, columns(cluster)


def shortened(text: str, most: int) -> str:
    """Return a text that takes at most so many columns, with an ellipsis where it was longer."""
    return text if columns(text) <= most else _beginning(text, most - 1).rstrip() + "…"


def _beginning(text: str, most: int) -> str:
    found, taken = "", 0
    for cluster, width in iter_clusters(text):
        taken += width
        if taken > most:
            break
        found += cluster
    return found


def padded(text: str, width: int) -> str:
    """Return a text that takes so many columns, shortened or with spaces behind it."""
    text = shortened(text, width)
    return text + " " * (width - columns(text))


def wrapped(text: str, width: int, indent: str = "") -> Iterator[str]:
    """Yield the lines of a text, broken between words, and inside words that are wider than a line.

    Args:
        text: Words with anything blank between them.
        width: Columns of a line, at least two more than the indent takes.
        indent: What every line but the first begins with.
    """
    line = ""
    for word in _WORD.findall(text):
        if line.strip() and columns(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        if line.strip():
            yield line
            line = indent
        while columns(line + word) > width:
            piece = _beginning(word, width - columns(line))
            yield line + piece
            line, word = indent, word[len(piece) :]
        line += word
    if line.strip():
        yield line
