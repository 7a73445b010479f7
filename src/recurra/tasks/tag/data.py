"""From a configuration to the tagged sentences of a run: parts, vocabularies, tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recurra.data import (
    TaggedSentences,
    Vocabulary,
    count_shared,
    read_tagged,
    split_by_key,
    text_keys,
)
from recurra.errors import DataError, RunError
from recurra.tasks.shared.record import DataRecord, check_unchanged, fingerprint, load_record, save_record
from recurra.tasks.shared.sources import one_part, part_files
from recurra.tasks.tag.config import DataConfig
from recurra.tasks.tag.encoding import Encoded, Encoder
from recurra.tasks.tag.scores import has_entities, is_bio
from recurra.training.files import write_json
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

PARTS: tuple[Split, ...] = ("train", "validation", "test")
_VOCABULARY = "vocab.json"
_NUM_EXAMPLES = 5
_WHAT = "files or data sets of tagged words"


@dataclass(frozen=True)
class TagData:
    """The sentences of a run.

    Attributes:
        encoder: What the training part knows.
        parts: Sentences by part; the test part may be missing.
        record: What is kept of them in the run folder.
        notes: What a person should know of each part.
    """

    encoder: Encoder
    parts: Mapping[Split, Encoded]
    record: DataRecord
    notes: Mapping[Split, tuple[str, ...]]

    def size(self, split: Split) -> int:
        """Return the number of sentences of a part; 0 where there is none."""
        return len(self.parts[split]) if split in self.parts else 0


def open_data(config: DataConfig) -> TagData:
    """Read the sentences that a configuration names, and cut them into parts.

    Raises:
        DataError: When they cannot be used.
    """
    parts = _read_parts(config)
    train = parts["train"]
    encoder = Encoder.of(
        train.words,
        train.tags,
        lowercase=config.lowercase,
        min_count=config.min_count,
        max_vocab_size=config.max_vocab_size,
    )
    if len(encoder.tags) < 2:
        raise DataError(
            f"expected at least two tags in the training part, got {encoder.tags[0]!r} for all words",
            hint="tag_column says which column holds the tags",
        )
    return _encoded(config, parts, encoder)


def reopen_data(folder: RunFolder, config: DataConfig) -> TagData:
    """Read the sentences that a run was trained on.

    Raises:
        DataError: When they are gone or have changed.
        RunError: When a file of the run is missing or damaged.
    """
    parts = _read_parts(config)
    data = _encoded(config, parts, open_encoder(folder, config))
    check_unchanged(load_record(folder), data.record, config.data)
    return data


def open_files(files: Sequence[str], config: DataConfig, encoder: Encoder) -> tuple[Encoded, tuple[str, ...]]:
    """Read files as numbers of a run; and what a person should know of them.

    Raises:
        DataError: When they cannot be used, are a data set that has parts of its own, or have no tag that the run
            knows.
    """
    sentences = read_tagged(one_part(files, kind="tags", what=_WHAT), config.tag_column)
    encoded = encoder.encode(sentences.words, sentences.tags)
    assert encoded.tags is not None
    if (encoded.tags >= len(encoder.tags)).all():
        raise DataError(
            f"expected tags that the run knows in {', '.join(files)}, got {_some(encoded.unknown_tags)}",
            hint=f"the run knows {_some(encoder.tags)}",
        )
    return encoded, (*sentences.notes, *_unknown_notes(encoded, encoder.tags))


def save_data(data: TagData, folder: Path) -> None:
    """Write vocabularies, tags and data record."""
    encoder = data.encoder
    content = {"words": encoder.words.to_content(), "chars": encoder.chars.to_content(), "tags": encoder.tags}
    write_json(folder / _VOCABULARY, content)
    save_record(folder, data.record)


def open_encoder(folder: RunFolder, config: DataConfig) -> Encoder:
    """Return what ``save_data`` wrote.

    Raises:
        RunError: When it is missing or damaged.
    """
    path = folder.path / _VOCABULARY
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        words, chars = (Vocabulary.from_content(content[name], origin=str(path)) for name in ("words", "chars"))
        return Encoder(words, chars, tuple(map(str, content["tags"])), config.lowercase)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is missing or damaged: {error!r}") from error


def _read_parts(config: DataConfig) -> dict[Split, TaggedSentences]:
    paths = dict(zip(PARTS, part_files(config, kind="tags", what=_WHAT), strict=True))
    given: dict[Split, TaggedSentences] = {"train": read_tagged(paths["train"], config.tag_column)}
    for part in PARTS[1:]:
        if paths[part]:
            given[part] = read_tagged(paths[part], config.tag_column)
    if "validation" not in given:
        given = _cut(given, config)
    return {
        part: _with_shared(given["train"], sentences) if part != "train" and paths[part] else sentences
        for part, sentences in given.items()
    }


def _with_shared(train: TaggedSentences, other: TaggedSentences) -> TaggedSentences:
    """Note how many sentences of a part that was given are training sentences, too."""
    shared = count_shared(_keys(train), _keys(other))
    if not shared:
        return other
    note = f"{shared:,} of {len(other):,} sentences also stand in the training part"
    return replace(other, notes=(*other.notes, note))


def _keys(sentences: TaggedSentences) -> np.ndarray:
    return text_keys(["\n".join(words) for words in sentences.words])


def _cut(given: Mapping[Split, TaggedSentences], config: DataConfig) -> dict[Split, TaggedSentences]:
    """Cut validation, and test unless it is given, off the training part."""
    whole = given["train"]
    test_fraction = 0.0 if "test" in given else config.test_fraction
    indices = split_by_key(
        _keys(whole), config.validation_fraction, test_fraction, config.split_seed, what="sentences", who="tag"
    )
    parts = {part: _take(whole, chosen) for part, chosen in zip(PARTS, indices, strict=True) if len(chosen)}
    parts["train"] = replace(parts["train"], notes=whole.notes)  # of all that was read
    return {**parts, **{part: sentences for part, sentences in given.items() if part != "train"}}


def _take(sentences: TaggedSentences, indices: np.ndarray) -> TaggedSentences:
    chosen = indices.tolist()
    words, tags = ([column[one] for one in chosen] for column in (sentences.words, sentences.tags))
    return TaggedSentences(words, tags)


def _encoded(config: DataConfig, parts: Mapping[Split, TaggedSentences], encoder: Encoder) -> TagData:
    encoded = {part: encoder.encode(sentences.words, sentences.tags) for part, sentences in parts.items()}
    notes = {part: (*parts[part].notes, *_unknown_notes(encoded[part], encoder.tags)) for part in parts}
    columns = (column for one in parts.values() for lists in (one.words, one.tags) for column in _flat(lists))
    record = DataRecord(
        fingerprint(columns),
        {part: len(sentences) for part, sentences in parts.items()},
        (*config.data, *config.validation_data, *config.test_data),
        {"tags": list(encoder.tags)},
    )
    return TagData(encoder, encoded, record, notes)


def _flat(sentences: Sequence[Sequence[str]]) -> Iterator[str]:
    for sentence in sentences:
        yield from sentence
        yield "\n"  # no word holds one: what stands in which sentence counts, too


def _unknown_notes(encoded: Encoded, known: tuple[str, ...]) -> tuple[str, ...]:
    if not encoded.unknown_tags:
        return ()
    assert encoded.tags is not None
    count = int((encoded.tags >= len(known)).sum())
    words = "1 word has" if count == 1 else f"{count:,} words have"
    notes = [
        f"{words} a tag that no training word has ({_some(encoded.unknown_tags)}): they count as errors, and the "
        "loss leaves their sentences out"
    ]
    strange = {len(known) + index: tag for index, tag in enumerate(encoded.unknown_tags) if not is_bio(tag)}
    if strange and has_entities(known):
        count = int(np.isin(encoded.tags, list(strange)).sum())
        words = "1 word has" if count == 1 else f"{count:,} words have"
        named = _some(tuple(strange.values()))
        notes.append(f"{words} a tag that is not BIO ({named}): the figures of entities take it for O")
    return tuple(notes)


def _some(tags: Sequence[str]) -> str:
    """Return the first of some tags for a person."""
    return ", ".join(tags[:_NUM_EXAMPLES]) + (", ..." if len(tags) > _NUM_EXAMPLES else "")
