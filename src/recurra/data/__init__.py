"""From files to batches: text, vocabularies, corpora, splits.

What needs PyTorch loads on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from recurra.data import catalog
from recurra.data.catalog import Sources, resolve
from recurra.data.copied import copied_share
from recurra.data.corpus import Corpus, Source, open_cached, open_corpus
from recurra.data.corpus_text import iter_characters, iter_line_characters
from recurra.data.downloads import fetch
from recurra.data.example_splits import count_shared, linked_keys, split_by_key, text_keys
from recurra.data.labelled_arrays import LabelledArrays, read_arrays
from recurra.data.labelled_examples import LabelledTexts, iter_labelled, read_labelled
from recurra.data.line_sets import LineSet
from recurra.data.line_splits import split_lines
from recurra.data.lines import Lines, find_lines, iter_tokens, num_cut, num_targets
from recurra.data.records import FILE_LABEL, Columns
from recurra.data.sentence_pairs import SentencePairs, read_pairs
from recurra.data.splits import Range, Splits
from recurra.data.subword_ids import Subwords, open_subwords
from recurra.data.subwords import BPETokenizer, train_bpe
from recurra.data.tables import is_table
from recurra.data.tagged_sentences import TaggedSentence, TaggedSentences, is_tagged_file, iter_tagged, read_tagged
from recurra.data.text_files import iter_lines, iter_text
from recurra.data.token_ids import TokenIds
from recurra.data.tokenization import CharTokenizer, Decoder, Tokenizer, WordTokenizer, load_tokenizer
from recurra.data.tokenizer_building import build_tokenizer, build_vocabulary
from recurra.data.units import Rule, split_units
from recurra.data.vocabulary import (
    BOS_ID,
    EOS_ID,
    LINE_END,
    PAD_ID,
    SPECIAL_SYMBOLS,
    UNK_ID,
    Vocabulary,
    table_of,
)
from recurra.data.word_vectors import WordVectors, read_vectors

if TYPE_CHECKING:
    from recurra.data.batching import IGNORE_INDEX, Cursor, TextBatch
    from recurra.data.example_order import MAX_PADDED_STEPS, ExampleOrder, iter_in_order
    from recurra.data.line_batches import LineBatches, iter_line_evaluation
    from recurra.data.padding import pad_ids, pad_rows
    from recurra.data.stream_batches import StreamBatches, iter_evaluation

_NEED_TORCH = {
    "IGNORE_INDEX": "batching",
    "Cursor": "batching",
    "TextBatch": "batching",
    "MAX_PADDED_STEPS": "example_order",
    "ExampleOrder": "example_order",
    "iter_in_order": "example_order",
    "LineBatches": "line_batches",
    "iter_line_evaluation": "line_batches",
    "pad_ids": "padding",
    "pad_rows": "padding",
    "StreamBatches": "stream_batches",
    "iter_evaluation": "stream_batches",
}


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        return getattr(importlib.import_module(f"recurra.data.{_NEED_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BOS_ID",
    "EOS_ID",
    "FILE_LABEL",
    "IGNORE_INDEX",
    "LINE_END",
    "MAX_PADDED_STEPS",
    "PAD_ID",
    "SPECIAL_SYMBOLS",
    "UNK_ID",
    "BPETokenizer",
    "CharTokenizer",
    "Columns",
    "Corpus",
    "Cursor",
    "Decoder",
    "ExampleOrder",
    "LabelledArrays",
    "LabelledTexts",
    "LineBatches",
    "LineSet",
    "Lines",
    "Range",
    "Rule",
    "SentencePairs",
    "Source",
    "Sources",
    "Splits",
    "StreamBatches",
    "Subwords",
    "TaggedSentence",
    "TaggedSentences",
    "TextBatch",
    "TokenIds",
    "Tokenizer",
    "Vocabulary",
    "WordTokenizer",
    "WordVectors",
    "build_tokenizer",
    "build_vocabulary",
    "catalog",
    "copied_share",
    "count_shared",
    "fetch",
    "find_lines",
    "is_table",
    "is_tagged_file",
    "iter_characters",
    "iter_evaluation",
    "iter_in_order",
    "iter_labelled",
    "iter_line_characters",
    "iter_line_evaluation",
    "iter_lines",
    "iter_tagged",
    "iter_text",
    "iter_tokens",
    "linked_keys",
    "load_tokenizer",
    "num_cut",
    "num_targets",
    "open_cached",
    "open_corpus",
    "open_subwords",
    "pad_ids",
    "pad_rows",
    "read_arrays",
    "read_labelled",
    "read_pairs",
    "read_tagged",
    "read_vectors",
    "resolve",
    "split_by_key",
    "split_lines",
    "split_units",
    "table_of",
    "text_keys",
    "train_bpe",
]
