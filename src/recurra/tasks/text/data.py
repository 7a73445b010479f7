"""From a configuration to the tokens of a text: corpus, parts, tokeniser."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data import (
    FILE_LABEL,
    Columns,
    Corpus,
    Sources,
    Splits,
    Tokenizer,
    find_lines,
    is_table,
    load_tokenizer,
    open_cached,
    open_corpus,
    resolve,
)
from recurra.errors import (
    ArgumentError,
    ChoiceError,
    ConfigError,
    DataError,
    DataNotFoundError,
    RunError,
    VocabularyError,
)
from recurra.tasks.shared.sources import one_part
from recurra.tasks.text.config import DataConfig
from recurra.tasks.text.facts import PARTS, TextFacts
from recurra.tasks.text.line_data import LineData
from recurra.tasks.text.parts import TextData, char_counter, cut, line_end, token_ids
from recurra.tasks.text.stream_data import StreamData
from recurra.tasks.text.tokenizing import RULES
from recurra.training.files import write_json
from recurra.training.run_folder import RunFolder

_STREAMS, _LINES = 16, 64


def open_text(config: DataConfig) -> tuple[DataConfig, TextData]:
    """Open the text that a configuration names; the tokeniser is that of the training part.

    Returns:
        The configuration with everything that was left open settled, and the text.

    Raises:
        DataError: When the text cannot be used.
    """
    sources = resolve(config.data)
    settled = settle(config, sources)
    train, validation, test = _files(settled, sources)
    corpus = _open([*train, *validation, *test], settled)
    return settled, cut(corpus, settled, (len(train), len(validation), len(test)), None)


def settle(config: DataConfig, sources: Sources) -> DataConfig:
    """Return a configuration with what "auto" and unset values stand for.

    Raises:
        ConfigError: When sequences or columns do not fit the data, or each other.
    """
    if sources.columns and sources.columns.text and config.sequences == "stream":
        raise ConfigError(f"expected sequences = lines for {' '.join(sources.names)}, a list of lines, got stream")
    text_column = config.text_column or (sources.columns.text if sources.columns else None)
    has_columns = text_column is not None or config.label_column is not None
    sequences = "lines" if has_columns else sources.sequences or "stream"
    sequences = sequences if config.sequences == "auto" else config.sequences
    _check_columns(text_column, config.label_column)
    if sequences == "lines" and config.vary_bptt:
        raise ConfigError("expected sequences = stream with vary_bptt, got lines, which are read whole")
    tokenizer = (sources.tokenizer or "char") if config.tokenizer == "auto" else config.tokenizer
    if tokenizer == "bpe" and config.min_count is not None:
        raise ConfigError("expected no min_count with tokenizer = bpe, which knows every byte; got one")
    min_count = 2 if tokenizer == "word" else None if tokenizer == "bpe" else 1
    return dataclasses.replace(
        config,
        sequences=sequences,
        text_column=text_column,
        tokenizer=tokenizer,
        batch_size=config.batch_size or (_STREAMS if sequences == "stream" else _LINES),
        min_count=config.min_count or min_count,
    )


def _check_columns(text: str | None, label: str | None) -> None:
    """Check that the columns go together, in terms of the options that name them."""
    if text is None and label not in (None, FILE_LABEL):
        raise ConfigError(f"expected text_column with label_column = {label}, got none")
    try:
        Columns(text, label)
    except ArgumentError as error:
        raise ConfigError(
            f"expected columns of one table, got text_column = {text} and label_column = {label}: {error.message}",
            hint=error.hint,
        ) from error


def open_files(files: Sequence[str], config: DataConfig, tokenizer: Tokenizer, labels: Sequence[str]) -> TextData:
    """Open other text under the tokeniser of a run; all of it is every part.

    Args:
        files: Files or names of data sets.
        config: Configuration of the run: how the text is read.
        tokenizer: Tokeniser of the run.
        labels: Names of the labels that the run knows, by their number.

    Raises:
        DataError: When the text cannot be used.
        ChoiceError: When it has a label that the run does not know.
    """
    paths = one_part(files)
    if not labels and not any(map(is_table, paths)):
        config = dataclasses.replace(config, text_column=None)  # without labels, lines are lines
    corpus = _open(paths, config)
    ids, ranges = token_ids(corpus, tokenizer, [(0, corpus.num_units)])
    count_chars = char_counter(corpus, ids, tokenizer)
    facts = TextFacts.of_corpus(corpus, (len(paths), 0, 0))
    if config.sequences == "stream":
        whole = ranges[0]
        return StreamData(tokenizer, ids, Splits(whole, whole, whole), count_chars, facts)
    lines, _ = find_lines(
        ids.raw, line_end(corpus, tokenizer), labels=_known_labels(corpus, labels) if labels else None
    )
    lines = dataclasses.replace(lines, ids=ids)
    return LineData(tokenizer, dict.fromkeys(PARTS, lines), config.max_length, count_chars, facts)


def reopen_text(folder: RunFolder, config: DataConfig) -> TextData:
    """Open the text of a run with the tokeniser that the run has.

    It is looked for in the cache, then in the files that it was read from when the run began, then wherever the
    run's configuration leads now.

    Raises:
        DataError: When it is gone, or has changed since the run began.
        RunError: When the run's description of it is missing or damaged.
    """
    path = folder.path / "data.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        recorded = [Path(source["path"]) for source in stored["sources"]]
        cached = open_cached(stored["fingerprint"])
        parts, num_files = stored["parts"], tuple(stored["num_files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is missing or damaged: {error!r}") from error
    corpus = cached or _reopen(stored["fingerprint"], recorded, config)
    data = cut(corpus, config, num_files, open_tokenizer(folder))
    if json.loads(json.dumps(data.record())) != parts:
        raise DataError(
            f"the parts of the text are not those in {path}",
            hint="fractions, seeds and files in config.toml must stay as they were when the run began",
        )
    return data


def save_text(data: TextData, folder: Path) -> None:
    """Write the tokeniser, and ``data.json``: what the text is and how it was cut."""
    data.tokenizer.save(folder)
    content: dict[str, Any] = {
        "fingerprint": data.facts.fingerprint,
        "num_chars": data.facts.num_chars,
        "tokenizer": data.tokenizer.fingerprint,
        "labels": data.facts.label_names,
        "num_files": data.facts.num_files,
        "parts": data.record(),
        "sources": data.facts.sources,
    }
    write_json(folder / "data.json", content)


def open_tokenizer(folder: RunFolder) -> Tokenizer:
    """Return the tokeniser of a run.

    Raises:
        VocabularyError: When it is not the one that the run was trained with.
        RunError: When the run's description of its data is missing or damaged.
    """
    tokenizer = load_tokenizer(folder.path)
    if tokenizer.fingerprint != _recorded(folder, "tokenizer"):
        raise VocabularyError(
            f"the tokeniser in {folder.path} is not the one that the run was trained with",
            hint="put the old vocab.json or tokenizer.json back; another tokeniser needs a new run",
        )
    return tokenizer


def open_labels(folder: RunFolder) -> tuple[str, ...]:
    """Return the names of the labels that a run knows, by their number; none for most runs."""
    return tuple(_recorded(folder, "labels"))


def _recorded(folder: RunFolder, key: str) -> Any:
    path = folder.path / "data.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is missing or damaged: {error!r}") from error


# ---------------------------------------------------------------------- corpus


def _files(config: DataConfig, sources: Sources) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the files to train on, to validate on and to test on."""
    validation = one_part(config.validation_data) if config.validation_data else sources.validation
    test = one_part(config.test_data) if config.test_data else sources.test
    return list(sources.paths), list(validation), list(test)


def _open(paths: Sequence[Path], config: DataConfig) -> Corpus:
    # lines of two files must never join, so files are read as records even without columns
    columns = Columns(text=config.text_column, label=config.label_column) if config.sequences == "lines" else None
    assert config.tokenizer != "auto"
    return open_corpus(paths, rule=RULES[config.tokenizer], lowercase=config.lowercase, columns=columns)


def _reopen(fingerprint: str, recorded: Sequence[Path], config: DataConfig) -> Corpus:
    """Read a text again, from the recorded files or from those that the configuration names."""
    has_changed = False
    # whatever is wrong with the recorded files, the configuration may still lead to the text
    with suppress(DataError):
        corpus = _open(recorded, config)
        if corpus.fingerprint == fingerprint:
            return corpus
        has_changed = True
    try:
        train, validation, test = _files(config, resolve(config.data))
        corpus = _open([*train, *validation, *test], config)
    except DataNotFoundError:
        if not has_changed:
            raise
    else:
        if corpus.fingerprint == fingerprint:
            return corpus
    raise DataError(
        f"the text of {', '.join(config.data)} has changed since the run began",
        hint="put the old text back, or start a new run from these weights with --init-from",
    )


def _known_labels(corpus: Corpus, labels: Sequence[str]) -> np.ndarray:
    """Return the number that a run gives to the label of each line."""
    assert corpus.line_labels is not None
    unknown = [name for name in corpus.label_names if name not in labels]
    if unknown:
        raise ChoiceError("the labels of the text", unknown[0], labels)
    numbers: np.ndarray = np.array([labels.index(name) for name in corpus.label_names], np.int64)[corpus.line_labels]
    return numbers
