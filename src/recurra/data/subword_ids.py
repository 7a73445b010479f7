"""A corpus of characters as a memory-mapped array of subword ids, kept in the cache."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from recurra.data.cache import aside_folder, reported_writing, resolve_cache_dir, write_whole
from recurra.data.corpus import Corpus
from recurra.data.corpus_text import iter_characters
from recurra.data.number_files import NumberFiles, StoredArray, array_path
from recurra.data.splits import Range
from recurra.data.subword_units import iter_subword_units
from recurra.data.subwords import BPETokenizer
from recurra.data.token_ids import TokenIds
from recurra.errors import ArgumentError

_VERSION = 1
_IDS = "ids"


@dataclass(frozen=True)
class Subwords:
    """Subword ids of some ranges of a corpus, one range behind the other.

    Attributes:
        ids: The ids of all ranges.
        ranges: Where each range begins and ends in them.
    """

    ids: TokenIds
    ranges: tuple[Range, ...]


def open_subwords(
    corpus: Corpus, ranges: Sequence[Range], tokenizer: BPETokenizer, cache_dir: str | Path | None = None
) -> Subwords:
    """Return the subwords of some ranges of a corpus, encoded in one pass unless the cache has them.

    No subword goes across the border of a range. Memory stays bounded.

    Args:
        corpus: A corpus of characters.
        ranges: Where each range starts and stops, in characters.
        tokenizer: What encodes them.
        cache_dir: Where ids are kept; by default ``$RECURRA_CACHE``, else the user's cache folder.

    Raises:
        ArgumentError: When the units of the corpus are not characters, or a range does not lie inside it.
        DataError: When the cache folder cannot take the result.
    """
    if corpus.rule != "char":
        raise ArgumentError(f'open_subwords expected a corpus of rule "char", got one of rule "{corpus.rule}"')
    root = resolve_cache_dir(cache_dir) / f"subwords-{_VERSION}"
    ranges = tuple((int(start), int(stop)) for start, stop in ranges)
    key = hashlib.sha256(json.dumps([corpus.fingerprint, tokenizer.fingerprint, ranges]).encode()).hexdigest()
    border_file = root / f"{key}.json"
    dtype = np.dtype("<u2" if len(tokenizer) <= 1 << 16 else "<u4")
    borders = _read_borders(border_file, len(ranges))
    if borders is None or not _holds(root, key, StoredArray(dtype.str, borders[-1])):
        num_chars = sum(stop - start for start, stop in ranges)
        with (
            reported_writing(root, f"at most {num_chars * 4 * dtype.itemsize / 1e6:.1f} MB"),
            aside_folder(root) as aside,
        ):
            borders = _write_ids(corpus, ranges, tokenizer, aside, dtype)
            # what is there under this name is the same, or damaged; the borders come last and say that all is whole
            os.replace(array_path(aside, _IDS), array_path(root, key))
            write_whole(border_file, json.dumps({"borders": borders}).encode())
    return Subwords(TokenIds(StoredArray(dtype.str, borders[-1]).open(root, key)), tuple(pairwise(borders)))


def _write_ids(
    corpus: Corpus, ranges: Sequence[Range], tokenizer: BPETokenizer, folder: Path, dtype: np.dtype
) -> list[int]:
    """Write the ids of all ranges, and return how many there are up to the beginning and end of each range."""
    borders = [0]
    with NumberFiles(folder) as files:
        file = files.open(_IDS, (dtype,))
        for start, stop in ranges:
            for units in iter_subword_units(iter_characters(corpus, start, stop)):
                file.append(tokenizer.encode_pieces(units), largest=len(tokenizer) - 1)
            borders.append(file.length)
        files.finish()
    return borders


def _read_borders(path: Path, num_ranges: int) -> list[int] | None:
    try:
        borders = json.loads(path.read_bytes())["borders"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, or damaged: the ids are made anew
    numbers = isinstance(borders, list) and all(type(border) is int for border in borders)
    whole = numbers and len(borders) == num_ranges + 1 and borders == sorted(borders) and borders[0] == 0
    return borders if whole else None


def _holds(folder: Path, name: str, ids: StoredArray) -> bool:
    return array_path(folder, name).exists() and ids.is_whole(folder, name)


__all__ = ["Subwords", "open_subwords"]
