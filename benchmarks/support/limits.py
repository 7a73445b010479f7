"""A figure beside the limit that it is held against."""

from __future__ import annotations


def verdict(figure: float, *, at_most: float | None = None, at_least: float | None = None, unit: str = "") -> str:
    """Return the limit in words, and whether a figure keeps it; a missed limit is no failure of the measurement."""
    limits = []
    if at_most is not None:
        limits.append((f"at most {at_most:g}", figure <= at_most))
    if at_least is not None:
        limits.append((f"at least {at_least:g}", figure >= at_least))
    words = " and ".join(limit for limit, _ in limits)
    kept = all(is_kept for _, is_kept in limits)
    return f"limit: {words}{unit and ' ' + unit}: {'ok' if kept else 'missed'}"
