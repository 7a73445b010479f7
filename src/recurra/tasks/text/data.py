"""The text of a run: corpus, parts, vocabulary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recurra.data import (
    Corpus,
    ReadIds,
    Splits,
    StreamBatches,
    TextBatch,
    Vocabulary,
    iter_evaluation,
    open_cached,
    open_corpus,
    resolve,
)
from recurra.errors import DataError, DataNotFoundError, DataTooShortError, RunError
from recurra.tasks.text.config import DataConfig
from recurra.training.files import write_json
from recurra.training.run_folder import RunFolder

Part = Literal["train", "validation", "test", "all"]

_CHARS_PER_STREAM = 8192  # evaluation reads in parallel, but each stream starts from nothing, which must not show
_MAX_STREAMS = 32


@dataclass(frozen=True)
class TextData:
    """Characters as ids, with the ranges of the parts.

    Attributes:
        vocabulary: Symbols that are known; ids above its size are unknown.
        splits: Ranges of the parts.
        num_chars: Length of the whole text.
        read_ids: Returns the ids of a range.
        fingerprint: SHA-256 of the text.
        sources: The files, as plain values.
    """

    vocabulary: Vocabulary
    splits: Splits
    num_chars: int
    read_ids: ReadIds
    fingerprint: str
    sources: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of_config(cls, config: DataConfig) -> TextData:
        """Open the text that a configuration names; the vocabulary is that of the training part.

        Raises:
            DataError: When the text cannot be used.
        """
        return cls._of_corpus(open_corpus(resolve(config.data).paths), config)

    @classmethod
    def _of_corpus(cls, corpus: Corpus, config: DataConfig) -> TextData:
        _check_length(corpus.num_chars, config)
        splits = Splits.from_fractions(corpus.num_chars, config.validation_fraction, config.test_fraction)
        vocabulary = corpus.vocabulary(splits.train[1])
        if len(vocabulary) < 3:  # the unknown symbol is one of them
            raise DataError(
                f"expected a training part with at least two distinct characters, "
                f"got {''.join(vocabulary.known)!r} over and over"
            )
        sources = tuple({**asdict(source), "path": str(source.path)} for source in corpus.sources)
        return cls(vocabulary, splits, corpus.num_chars, corpus.ids, corpus.fingerprint, sources)

    @classmethod
    def of_files(cls, files: Sequence[str], vocabulary: Vocabulary) -> TextData:
        """Open other text under a given vocabulary; all of it is one part.

        Raises:
            DataError: When the text cannot be used.
        """
        corpus = open_corpus(resolve(files).paths)
        theirs = corpus.vocabulary(corpus.num_chars)
        table = np.maximum(theirs.match(vocabulary), 0)

        def read_ids(start: int, stop: int) -> np.ndarray:
            mapped: np.ndarray = table[corpus.ids(start, stop)]
            return mapped

        whole = (0, corpus.num_chars)
        return cls(vocabulary, Splits(whole, whole, whole), corpus.num_chars, read_ids, corpus.fingerprint)

    @classmethod
    def of_run(cls, folder: RunFolder, config: DataConfig) -> TextData:
        """Open the text of a run.

        It is looked for in the cache, then in the files that it was read from when the run began, then wherever the
        run's configuration leads now.

        Raises:
            DataError: When it is gone or has changed since the run began.
        """
        path = folder.path / "data.json"
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            recorded = [Path(source["path"]) for source in stored["sources"]]
            cached = open_cached(stored["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is missing or damaged: {error!r}") from error
        return cls._of_corpus(cached or _reopen(stored["fingerprint"], recorded, config), config)

    def save(self, folder: Path) -> None:
        """Write ``vocab.json`` and ``data.json``."""
        self.vocabulary.save(folder / "vocab.json")
        content = {
            "fingerprint": self.fingerprint,
            "num_chars": self.num_chars,
            "splits": asdict(self.splits),
            "sources": self.sources,
        }
        write_json(folder / "data.json", content)

    def range(self, part: Part) -> tuple[int, int]:
        """Return where a part begins and ends."""
        return (0, self.num_chars) if part == "all" else getattr(self.splits, part)

    @property
    def num_known(self) -> int:
        """Number of symbols without the unknown one."""
        return len(self.vocabulary) - 1

    def training_batches(self, batch_size: int, bptt: int, seed: int) -> StreamBatches:
        """Return the endless batches of the training part.

        Raises:
            DataTooShortError: When it is shorter than one window of all streams.
        """
        start, stop = self.splits.train
        return StreamBatches(
            self.read_ids,
            start,
            stop,
            self.num_known,
            batch_size=batch_size,
            bptt=bptt,
            seed=seed,
            num_chars=self.num_chars,
        )

    def evaluation_batches(
        self, part: Part, bptt: int, reset_every: int | None = None, max_chars: int | None = None
    ) -> Iterator[TextBatch]:
        """Yield batches that hold every target of a part once, or of its first ``max_chars`` characters."""
        start, stop, streams = self._streams(part, max_chars)
        return iter_evaluation(
            self.read_ids,
            start,
            stop,
            self.num_known,
            batch_size=streams if reset_every is None else _MAX_STREAMS,
            bptt=bptt,
            reset_every=reset_every,
        )

    def num_evaluation_batches(self, part: Part, bptt: int, max_chars: int | None = None) -> int:
        """Return how many batches ``evaluation_batches`` yields with the state carried; 0 for an empty part."""
        start, stop, streams = self._streams(part, max_chars)
        num_steps = -(-max(stop - start - 1, 0) // streams)
        return -(-num_steps // bptt)

    def _streams(self, part: Part, max_chars: int | None) -> tuple[int, int, int]:
        """Return where the characters to evaluate begin and end, and how many pieces are read side by side."""
        start, stop = self.range(part)
        stop = stop if max_chars is None else min(stop, start + max_chars)
        return start, stop, min(max((stop - start) // _CHARS_PER_STREAM, 1), _MAX_STREAMS)


def _check_length(num_chars: int, config: DataConfig) -> None:
    """Raise when a text is too short for its parts or its batches: one message for both."""
    num_train = StreamBatches.num_chars_needed(config.batch_size, config.bptt)
    needed = Splits.num_chars_needed(config.validation_fraction, config.test_fraction, num_train)
    if num_chars < needed:
        raise DataTooShortError(
            f"expected a text of at least {needed} characters for validation_fraction={config.validation_fraction}, "
            f"test_fraction={config.test_fraction}, batch_size={config.batch_size} and bptt={config.bptt}, "
            f"got {num_chars}",
            hint="use more text, a smaller batch_size or bptt, or other fractions",
        )


def _reopen(fingerprint: str, recorded: Sequence[Path], config: DataConfig) -> Corpus:
    """Read a text again, from the recorded files or from those that the configuration names."""
    has_changed = False
    # whatever is wrong with the recorded files, the configuration may still lead to the text
    with suppress(DataError):
        corpus = open_corpus(recorded)
        if corpus.fingerprint == fingerprint:
            return corpus
        has_changed = True
    try:
        corpus = open_corpus(resolve(config.data).paths)
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
