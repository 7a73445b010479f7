"""A trained tagger, for use."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import torch

from recurra.data import is_tagged_file, iter_lines, iter_tagged, split_units
from recurra.errors import ArgumentError, DataError, RunError
from recurra.models import Tagger
from recurra.tasks.shared.evaluation import Evaluation
from recurra.tasks.shared.loading import load_weights
from recurra.tasks.tag.building import build_model
from recurra.tasks.tag.config import SECTIONS, TagConfig
from recurra.tasks.tag.data import open_encoder, open_files, reopen_data
from recurra.tasks.tag.encoding import Encoder
from recurra.tasks.tag.predicting import evaluate_sentences, predict_tags
from recurra.tasks.tag.prediction import TagPrediction
from recurra.tasks.tag.scores import has_entities
from recurra.training.config_file import read_config
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

_CHUNK = 1024  # sentences that are held at a time
_BATCH_SIZE = 64


class TagRun:
    """A tagger with what it knows of words and tags.

    Attributes:
        folder: Folder of the run.
        config: Configuration of the run.
        encoder: Its words, characters and tags.
        model: The model, in evaluation mode, on the CPU.
        step: Optimiser step of the weights.
    """

    def __init__(self, folder: RunFolder, config: TagConfig, encoder: Encoder, model: Tagger, step: int) -> None:
        self.folder, self.config, self.encoder, self.model, self.step = folder, config, encoder, model, step

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, by their number."""
        return self.encoder.tags

    def predict(
        self, sentences: Iterable[str | Sequence[str]], *, batch_size: int = _BATCH_SIZE
    ) -> list[TagPrediction]:
        """Tag some sentences.

        Args:
            sentences: Raw sentences, or the words of each.
            batch_size: Sentences that are tagged side by side.

        Raises:
            ArgumentError: When a single string is given, or ``batch_size`` is below 1.
        """
        if isinstance(sentences, str):
            raise ArgumentError(
                f"predict expected several sentences, got the string {sentences[:60]!r}", hint="give [sentence]"
            )
        if batch_size < 1:
            raise ArgumentError(f"predict expected batch_size of at least 1, got {batch_size}")
        cut = [self._words_of(one) if isinstance(one, str) else [*one] for one in sentences]
        return self._predicted(cut, batch_size)

    def iter_predictions(
        self, source: str | Path | IO[bytes], *, batch_size: int = _BATCH_SIZE
    ) -> Iterator[TagPrediction]:
        """Tag the sentences of a file as it is read.

        Args:
            source: A file that ends in ``.conllu``, ``.conll``, ``.bio`` or ``.tsv``, of which the words are read and
                the tags are not; any other is text with one raw sentence a line, as is an open binary stream. An empty
                line gives a prediction without words.
            batch_size: Sentences that are tagged side by side.

        Raises:
            DataError: When the file cannot be read, or looks like one of columns while its name says text.
        """
        in_columns = isinstance(source, str | Path) and is_tagged_file(source)
        sentences: Iterator[list[str]]
        if in_columns:
            assert isinstance(source, str | Path)
            sentences = (sentence.words for sentence in iter_tagged(source, need_tags=False))
        else:
            sentences = map(self._words_of, _lines_of_text(source))
        while chunk := list(itertools.islice(sentences, _CHUNK)):
            yield from self._predicted(chunk, batch_size, in_columns=in_columns)

    def _words_of(self, sentence: str) -> list[str]:
        return [unit for unit in split_units(sentence, self.config.data.raw_words) if unit != "\n"]

    def _predicted(
        self, sentences: Sequence[Sequence[str]], batch_size: int, *, in_columns: bool = False
    ) -> list[TagPrediction]:
        tags = predict_tags(self.model, self.encoder, sentences, batch_size=batch_size)
        marks_entities = has_entities(self.tags)
        return [
            TagPrediction(tuple(words), of_words, marks_entities, in_columns)
            for words, of_words in zip(sentences, tags, strict=True)
        ]

    def evaluate(
        self, split: Split = "validation", *, files: Sequence[str] = (), batch_size: int = _BATCH_SIZE
    ) -> Evaluation:
        """Say how well sentences are tagged.

        Args:
            split: Part of the run's own data.
            files: Files with tags, or names of data sets, to evaluate on instead.
            batch_size: Sentences that are tagged side by side.

        Raises:
            DataError: When the data are gone, have changed, or cannot be used.
            RunError: When the run has no such part.
        """
        notes: tuple[str, ...] = ()
        if files:
            encoded, notes = open_files(files, self.config.data, self.encoder)
            what = ", ".join(files)
        else:
            data = reopen_data(self.folder, self.config.data)
            if not data.size(split):
                raise RunError(f"the run has no {split} part")
            encoded, what, notes = data.parts[split], f"{split} part", data.notes[split]
        figures, scores = evaluate_sentences(self.model, encoded, self.tags, batch_size=batch_size)
        return Evaluation(what, len(encoded), "sentences", figures, scores.tables(), notes)


def _lines_of_text(source: str | Path | IO[bytes]) -> Iterator[str]:
    """Return the lines of a text; refuse a file whose first ones are words with their tags."""
    lines = iter_lines(source)
    if not isinstance(source, str | Path):
        return lines
    first = list(itertools.islice(lines, _CHUNK))
    filled = [line.split("\t") for line in first if line and not line.isspace()]
    # a tab between words of a sentence leaves several words, or none, on one side of it
    if filled and all(len(fields) > 1 and all(len(field.split()) == 1 for field in fields) for fields in filled):
        raise DataError(
            f"expected a sentence a line in {source}, got columns parted by tabs",
            hint="end its name in .conll, or pass it through standard input where each line is a sentence after all",
        )
    return itertools.chain(first, lines)


def open_run(run: str | Path, *, checkpoint: str | int = "best") -> TagRun:
    """Load a run of the tag task; see ``recurra.load``."""
    folder = RunFolder.open(run)
    config = TagConfig(**read_config(folder.config, SECTIONS))
    encoder = open_encoder(folder, config.data)
    loaded = folder.checkpoints.load(str(checkpoint), weights_only=True)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, encoder)
    load_weights(model, loaded.weights, loaded.path)
    return TagRun(folder, config, encoder, model.eval(), loaded.step)
