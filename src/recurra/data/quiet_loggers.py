"""Keeping what other packages log from a person."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep what a logger, or one below it, tells from standard error, but for errors."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


__all__ = ["quiet"]
