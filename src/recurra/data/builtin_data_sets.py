"""The named data sets that are written from what is installed: one row each."""

from __future__ import annotations

from pathlib import Path

from recurra.data.builtin_text import PLACE_NAMES, PYTHON_MANUAL, write_place_names, write_python_manual
from recurra.data.data_set import DataSet
from recurra.data.records import Columns

BUILTIN_PREFIX = "builtin:"


def _number_languages(cache_dir: str | Path | None) -> Path:
    from recurra.data.spelt_numbers import write_number_languages

    return write_number_languages(cache_dir)


def _number_pairs(cache_dir: str | Path | None) -> tuple[Path, Path, Path]:
    from recurra.data.spelt_numbers import write_number_pairs

    return write_number_pairs(cache_dir)


def _identifiers(cache_dir: str | Path | None) -> tuple[Path, Path, Path]:
    from recurra.data.builtin_identifiers import write_identifiers

    return write_identifiers(cache_dir)


BUILTIN_DATA_SETS = {
    PLACE_NAMES: DataSet(
        "places that time zones are named after, with their regions",
        "labels",
        write=write_place_names,
        sequences="lines",
        columns=Columns(text="place", label="region"),
    ),
    PYTHON_MANUAL: DataSet("what help() of this Python says about the language", "text", write=write_python_manual),
    "builtin:number-languages": DataSet(
        "numbers spelt out in 20 languages",
        "labels",
        write=_number_languages,
        sequences="lines",
        columns=Columns(text="text", label="label", split="split"),
    ),
    "builtin:number-pairs": DataSet("numbers spelt out in English and in French", "pairs", write=_number_pairs),
    "builtin:identifiers": DataSet("names in Python's standard library with their roles", "tags", write=_identifiers),
}

__all__ = ["BUILTIN_DATA_SETS", "BUILTIN_PREFIX"]
