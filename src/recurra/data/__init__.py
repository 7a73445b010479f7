"""From files to batches: text, vocabularies, corpora, splits.

What needs PyTorch loads on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.data import catalog
from recurra.data.catalog import Sources, resolve
from recurra.data.copied import copied_share
from recurra.data.corpus import Corpus, Source, known_ids, open_cached, open_corpus
from recurra.data.splits import Splits
from recurra.data.text_files import iter_text
from recurra.data.vocabulary import UNKNOWN_ID, UNKNOWN_SYMBOL, Vocabulary

if TYPE_CHECKING:
    from recurra.data.batching import IGNORE_INDEX, Cursor, ReadIds, StreamBatches, TextBatch, iter_evaluation

_NEED_TORCH = ("IGNORE_INDEX", "Cursor", "ReadIds", "StreamBatches", "TextBatch", "iter_evaluation")


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        from recurra.data import batching

        return getattr(batching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "IGNORE_INDEX",
    "UNKNOWN_ID",
    "UNKNOWN_SYMBOL",
    "Corpus",
    "Cursor",
    "ReadIds",
    "Source",
    "Sources",
    "Splits",
    "StreamBatches",
    "TextBatch",
    "Vocabulary",
    "catalog",
    "copied_share",
    "iter_evaluation",
    "iter_text",
    "known_ids",
    "open_cached",
    "open_corpus",
    "resolve",
]
