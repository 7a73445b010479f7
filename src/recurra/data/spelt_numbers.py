"""Numbers spelt out in words, made by the package num2words: which language is it, and how does another one say it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from recurra.data.cache import reported_writing, resolve_cache_dir, write_whole
from recurra.data.hashing import key_of, permutation
from recurra.errors import DataNotFoundError

NUMBER_LANGUAGES = "builtin:number-languages"
NUMBER_PAIRS = "builtin:number-pairs"
LANGUAGES = {
    "Catalan": "ca",
    "Czech": "cs",
    "Danish": "da",
    "Dutch": "nl",
    "English": "en",
    "Finnish": "fi",
    "French": "fr",
    "German": "de",
    "Hungarian": "hu",
    "Icelandic": "is",
    "Italian": "it",
    "Lithuanian": "lt",
    "Norwegian": "no",
    "Polish": "pl",
    "Portuguese": "pt",
    "Romanian": "ro",
    "Slovak": "sk",
    "Spanish": "es",
    "Swedish": "sv",
    "Turkish": "tr",
}
"""The languages of ``builtin:number-languages``, and what num2words calls them. All are written in Latin letters, and
most have a relative among the others, so that single characters do not give them away."""

_SPLITS = ("train", "validation", "test")
_HELD_OUT = 0.1
# To be counted up when anything but num2words changes what the files hold; see _written.
_RECIPE = 1
# How many numbers are drawn from each range. Spelling one out takes up to 0.15 ms, and all of it shall take no more
# than two seconds.
_LABELLED_RANGES = ((0, 100, 100), (100, 1000, 300), (1000, 10_000, 600))
_PAIRED_RANGES = ((0, 1000, 1000), (1000, 100_000, 5000))


def write_number_languages(cache_dir: str | Path | None = None) -> Path:
    """Write a thousand numbers below 10,000, each spelt out in 20 languages, to the cache, unless they are there.

    A number belongs to one split in all its languages: 800 numbers to train, 100 each to the others. All numbers below
    100 are there, 300 between them and 1,000, and 600 above.

    Returns:
        A table with the columns text, label (the language), number and split (train, validation or test), sorted by
        split, number and language: 20,000 records. Related languages share some words, so that a text may stand there
        under several labels.

    Raises:
        DataNotFoundError: When num2words is not installed.
        DataError: When the cache cannot be written.
    """

    def make() -> list[str]:
        spell = _speller(NUMBER_LANGUAGES)
        records = (
            f"{spell(number, code)}\t{language}\t{number}\t{split}\n"
            for split, numbers in _parts(_LABELLED_RANGES, "recurra number languages")
            for number in numbers
            for language, code in LANGUAGES.items()
        )
        return ["text\tlabel\tnumber\tsplit\n" + "".join(records)]

    (path,) = _written(["number-languages"], ".tsv", make, NUMBER_LANGUAGES, cache_dir)
    return path


def write_number_pairs(cache_dir: str | Path | None = None) -> tuple[Path, Path, Path]:
    """Write 6,000 numbers below 100,000 in English and French to the cache, unless they are there.

    All numbers below 1,000 are there, and 5,000 above. A number stands in one file only.

    Returns:
        The files to train on, to validate on and to test on: 4,800, 600 and 600 lines, each the English words, a tab
        and the French ones, sorted by the number.

    Raises:
        DataNotFoundError: When num2words is not installed.
        DataError: When the cache cannot be written.
    """

    def make() -> list[str]:
        spell = _speller(NUMBER_PAIRS)
        return [
            "".join(f"{spell(number, 'en')}\t{spell(number, 'fr')}\n" for number in numbers)
            for _, numbers in _parts(_PAIRED_RANGES, "recurra number pairs")
        ]

    names = [f"number-pairs-{split}" for split in _SPLITS]
    train, validation, test = _written(names, ".tsv", make, NUMBER_PAIRS, cache_dir)
    return train, validation, test


def _parts(ranges: tuple[tuple[int, int, int], ...], key: str) -> Iterator[tuple[str, list[int]]]:
    """Yield the name of each split and its numbers, ascending; the key determines all that is drawn."""
    drawn = [low + permutation(high - low, key_of(key, low, high))[:count] for low, high, count in ranges]
    numbers = np.concatenate(drawn)
    numbers = numbers[permutation(len(numbers), key_of(key, "splits"))]
    held_out = round(_HELD_OUT * len(numbers))
    validation, test, train = np.split(numbers, [held_out, 2 * held_out])
    for split, part in zip(_SPLITS, (train, validation, test), strict=True):
        yield split, np.sort(part).tolist()


def _speller(data_set: str) -> Callable[[int, str], str]:
    try:
        num2words = importlib.import_module("num2words").num2words
    except ImportError as error:
        raise _missing(data_set) from error
    return lambda number, code: num2words(number, lang=code)


def _missing(data_set: str) -> DataNotFoundError:
    return DataNotFoundError(
        f"expected the package num2words for {data_set}, got none",
        hint="install num2words; name a file of your own instead",
    )


def _written(
    names: list[str], suffix: str, make: Callable[[], list[str]], data_set: str, cache_dir: str | Path | None
) -> list[Path]:
    """Return the files of these names in the cache; ``make`` gives their texts where one is missing or damaged."""
    try:
        version = importlib.metadata.version("num2words")
    except importlib.metadata.PackageNotFoundError as error:
        raise _missing(data_set) from error
    # Making the text takes a second or two, so that files are found by what determines it, and proved by the hash of
    # their content, which ends their names.
    stems = [f"{name}-{version}-{_RECIPE}" for name in names]
    folder = resolve_cache_dir(cache_dir) / "builtin"
    found = [_find(folder, stem, suffix) for stem in stems]
    if None not in found:
        return [path for path in found if path is not None]
    contents = [text.encode("utf-8") for text in make()]
    paths = [folder / f"{stem}-{_label(content)}{suffix}" for stem, content in zip(stems, contents, strict=True)]
    with reported_writing(folder, f"{sum(map(len, contents)) / 1e6:.1f} MB"):
        for path, content in zip(paths, contents, strict=True):
            write_whole(path, content)
    return paths


def _find(folder: Path, stem: str, suffix: str) -> Path | None:
    if not folder.is_dir():
        return None
    for path in sorted(folder.glob(f"{stem}-*{suffix}")):
        if path.is_file() and path.name == f"{stem}-{_label(path.read_bytes())}{suffix}":
            return path
    return None


def _label(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


__all__ = ["LANGUAGES", "NUMBER_LANGUAGES", "NUMBER_PAIRS", "write_number_languages", "write_number_pairs"]
