"""Starting from the weights of another run: what fits, and what to say about it."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.data import Tokenizer
from recurra.errors import ConfigError
from recurra.tasks.text.run import TextRun


def check_origin(origin: TextRun, tokenizer: Tokenizer, labels: Sequence[str]) -> None:
    """Check that the tokens and labels of a run are of the kind that a new model has.

    Raises:
        ConfigError: When they are not.
    """
    faults = []
    if origin.tokenizer.kind != tokenizer.kind:
        faults.append(f"expected the weights of a run with tokenizer = {tokenizer.kind}, got {origin.tokenizer.kind}")
    if origin.labels != tuple(labels):
        ours, theirs = (", ".join(names) or "none" for names in (labels, origin.labels))
        faults.append(f"expected the weights of a run with the same labels ({ours}), got {theirs}")
    if faults:
        raise ConfigError(faults)


def origin_lines(run: str, ours: Tokenizer, theirs: Tokenizer) -> list[str]:
    """Say which symbols got their weights from another run, and which did not."""
    our_symbols, their_symbols = ours.vocabulary.known, theirs.vocabulary.known
    in_theirs, in_ours = set(their_symbols), set(our_symbols)
    new = [symbol for symbol in our_symbols if symbol not in in_theirs]
    gone = [symbol for symbol in their_symbols if symbol not in in_ours]
    lines = [f"weights from {run}: {len(our_symbols) - len(new)} of {len(our_symbols)} symbols have theirs from there"]
    if new:
        lines.append(f"  new symbols, with fresh weights: {_shown(new)}")
    if gone:
        lines.append(f"  symbols of that run that this text lacks: {_shown(gone)}")
    return lines


def _shown(symbols: Sequence[str], most: int = 40) -> str:
    shown = " ".join(map(repr, symbols[:most]))
    return shown if len(symbols) <= most else f"{shown} and {len(symbols) - most} more"
