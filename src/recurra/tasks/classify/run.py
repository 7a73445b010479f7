"""A trained run of the classify task, for use."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import torch

from recurra.data import Tokenizer, iter_lines, resolve
from recurra.data.example_splits import count_shared
from recurra.data.labelled_examples import iter_labelled
from recurra.errors import ArgumentError, ChoiceError, ConfigError, RunError
from recurra.models import Classifier
from recurra.tasks.classify.building import Shape, build_model
from recurra.tasks.classify.config import SECTIONS, ClassifyConfig
from recurra.tasks.classify.data import (
    ClassifyData,
    Sequences,
    class_numbers,
    cut,
    open_tokenizer,
    recorded_labels,
    reopen_data,
    training_keys,
)
from recurra.tasks.classify.encoding import encode
from recurra.tasks.classify.examples import ARRAYS, PARTS, Item, LabelledItems, columns_of_others, item_keys, read_items
from recurra.tasks.classify.metrics import Accuracy, LossMetric, MacroF1, Outcome, Predictions
from recurra.tasks.classify.predictions import ClassifyPrediction, iter_named, predict_probs
from recurra.tasks.classify.reporting import class_table, confusion_table, shown_item
from recurra.tasks.shared.evaluation import Evaluation
from recurra.tasks.shared.loading import load_weights
from recurra.tasks.shared.options import names_of
from recurra.tasks.shared.record import load_record
from recurra.training.config_file import read_config
from recurra.training.protocol import Metric, Split, StepResult
from recurra.training.run_folder import RunFolder

_AT_A_TIME = 2048
"""Texts that are read before the first of them is answered, so that a batch holds texts of like length."""

_BREAK = re.compile(r"\r\n|\r|\n")


class ClassifyRun:
    """A classifier with its classes, and what it was trained on.

    Attributes:
        folder: Folder of the run.
        config: Configuration of the run.
        tokenizer: What makes its tokens; None where it reads vectors.
        labels: Names of the classes, by their number.
        model: The model, in evaluation mode, on the CPU.
        step: Optimiser step of the weights.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: ClassifyConfig,
        tokenizer: Tokenizer | None,
        labels: tuple[str, ...],
        model: Classifier,
        step: int,
    ) -> None:
        self.folder, self.config, self.tokenizer, self.labels = folder, config, tokenizer, labels
        self.model, self.step = model, step

    def predict(self, inputs: Sequence[str] | Sequence[np.ndarray]) -> list[ClassifyPrediction]:
        """Say of which class each input is.

        Args:
            inputs: Texts, or for a model of numbers arrays of shape (n, I), n from 0 on.

        Returns:
            A prediction for each, in their order.

        Raises:
            ArgumentError: When an input is of another kind or shape.

        Example:
            ``run.predict(["a wonderful film"])[0].label``
        """
        if isinstance(inputs, str):
            raise ArgumentError(f"predict expected several texts, got the string {inputs[:60]!r}", hint="give [text]")
        items: list[Item] = list(inputs)
        if not items:
            return []
        probs = predict_probs(self.model, self._sequences(items), self.config.data.batch_size)
        return list(iter_named((shown_item(item, row) for row, item in enumerate(items)), probs, self.labels))

    def iter_predictions(
        self, source: str | Path | IO[bytes], *, text_column: str | None = None
    ) -> Iterator[ClassifyPrediction]:
        """Say of which class each text of a file is, a few thousand at a time.

        Args:
            source: A file of the formats that the task trains on, labels not needed; any other text file, or a stream,
                with one text a line. An empty text has a prediction too: what the model says of nothing.
            text_column: Column of a table that holds the text; None means the one that the data set or the run knows.

        Yields:
            A prediction for each text, in their order.

        Raises:
            DataError: When the file cannot be read.
            ArgumentError: When it is no file, or holds something else than the model reads.
            ConfigError: When a column is named and there are none.
        """
        iterator = iter(self._iter_items(source, text_column))
        start = 0
        while chunk := list(islice(iterator, _AT_A_TIME)):
            probs = predict_probs(self.model, self._sequences(chunk), self.config.data.batch_size)
            named = (shown_item(item, start + row) for row, item in enumerate(chunk))
            yield from iter_named(named, probs, self.labels)
            start += len(chunk)

    def _iter_items(self, source: str | Path | IO[bytes], text_column: str | None) -> Iterator[Item]:
        if not isinstance(source, str | Path):
            if not hasattr(source, "read"):
                raise ArgumentError(
                    f"iter_predictions expected a path or a binary stream, got {type(source).__name__}",
                    hint="predict takes texts, or arrays",
                )
            if text_column is not None:
                raise ConfigError(f"expected no text_column for a stream, whose lines are texts, got {text_column}")
            yield from iter_lines(source)
            return
        sources = resolve([str(source)], folders=True)
        columns = {"text_column": columns_of_others(sources, self.config.data, text_column).get("text_column")}
        if any(path.name.endswith(ARRAYS) for path in sources.paths):
            yield from read_items(sources, {}, need_labels=False).items
            return
        sources = dataclasses.replace(sources, paths=sources.paths + sources.validation + sources.test)
        for chunk in iter_labelled(sources, **columns, need_labels=False, keep_empty=True):
            yield from chunk.texts

    def evaluate(
        self,
        split: Split = "validation",
        *,
        files: Sequence[str] = (),
        text_column: str | None = None,
        label_column: str | None = None,
    ) -> Evaluation:
        """Say how often the model is right.

        Args:
            split: Part of the run's own data.
            files: Labelled files, or names of data sets, to evaluate on instead; all of them, whatever parts they have.
            text_column: Column of tables that holds the text; None means the one that the data set or the run knows.
                Only with files.
            label_column: The same of the label.

        Returns:
            ``accuracy``, ``macro_f1`` and ``loss`` (nats per example), and tables of the classes and their confusion.

        Raises:
            DataError: When the data are gone, have changed, or have labels that the run does not know.
            RunError: When the run has no such part.
            ChoiceError: When no run has such a part.
            ConfigError: When columns are named and there are none.
        """
        if split not in PARTS:
            raise ChoiceError("split", split, PARTS)
        names = names_of("files", files)
        if names:
            sources = resolve(names, folders=True)
            columns = columns_of_others(sources, self.config.data, text_column, label_column)
            read = read_items(sources, columns)
            targets = class_numbers(read.labels or (), self.labels, ", ".join(names))
            notes = (*read.notes, *self._overlap_notes(read))
            return self._evaluate(self._sequences(read.items), targets, ", ".join(names), notes)
        if text_column is not None or label_column is not None:
            raise ConfigError("expected no text_column and no label_column without files, got one")
        data = self.data()
        rows = data.parts[split]
        if not len(rows):
            raise RunError(f"the run has no {split} part")
        chosen = Sequences([data.sequences.values[row] for row in rows], data.sequences.lengths[rows], 0)
        return self._evaluate(chosen, data.targets[rows], f"{split} part", ())

    def _overlap_notes(self, read: LabelledItems) -> Iterator[str]:
        """Say how many of some examples the run was trained on."""
        if read.part_names is not None:
            counts = Counter(read.part_names)
            yield f"all parts together: {', '.join(f'{counts[name]:,} {name}' for name in PARTS if counts[name])}"
        train = training_keys(self.folder, self.config.data)
        if train is None:
            yield "the run's data are gone or have changed: not known how many of these are in its training part"
            return
        count = count_shared(train, item_keys(read.items))
        if count:
            verb = "stands" if count == 1 else "stand"
            yield f"{count:,} of the {len(read.items):,} examples also {verb} in the run's training part"

    def _evaluate(self, sequences: Sequences, targets: np.ndarray, what: str, notes: tuple[str, ...]) -> Evaluation:
        probs = predict_probs(self.model, sequences, self.config.data.batch_size)
        log_probs = torch.from_numpy(np.log(np.maximum(probs, np.finfo(np.float64).tiny)))
        outcome = Outcome(np.arange(len(targets)), torch.from_numpy(targets), log_probs)
        loss = torch.nn.functional.nll_loss(log_probs, outcome.targets)
        predictions = Predictions(len(self.labels))
        metrics: dict[str, Metric] = {
            "accuracy": Accuracy(predictions),
            "macro_f1": MacroF1(len(self.labels)),
            "loss": LossMetric(),
        }
        for metric in metrics.values():
            metric.update(StepResult(loss, len(targets), outputs=outcome))
        confusion = predictions.confusion()
        if sequences.num_cut:
            cut_ones = "example was" if sequences.num_cut == 1 else "examples were"
            notes = (*notes, f"{sequences.num_cut:,} {cut_ones} cut to {self.config.data.max_length:,} steps")
        return Evaluation(
            what,
            len(targets),
            "examples",
            {name: float(metric.compute()) for name, metric in metrics.items()},
            (class_table(confusion, self.labels), confusion_table(confusion, self.labels)),
            notes,
        )

    def attention(self, text: str) -> list[tuple[str, float]]:
        """Return the tokens of a text with how much each counts in the answer; together they are 1.

        Raises:
            ArgumentError: When the model has no attention, or reads numbers.
        """
        if self.tokenizer is None:
            raise ArgumentError("attention expected a model of texts, got one of numbers")
        sequences = self._sequences([text])
        with torch.no_grad():
            weights = self.model.attention_weights(*sequences.batch([0]))[:, 0]
        names = [self.tokenizer.vocabulary.symbols[token] for token in sequences.values[0]]
        return list(zip(names, weights[: len(names)].tolist(), strict=True))

    def data(self) -> ClassifyData:
        """Return the data that the run was trained on.

        Raises:
            DataError: When the data are gone or have changed.
        """
        return reopen_data(self.folder, self.config.data)

    def _sequences(self, items: Iterable[Item]) -> Sequences:
        if self.tokenizer is not None:
            return cut(encode([self._text(item) for item in items], self.tokenizer), self.config.data)
        return cut([self._array(item) for item in items], self.config.data)

    def _text(self, item: Item) -> str:
        if not isinstance(item, str):
            raise ArgumentError(f"a model of texts expected texts, got {type(item).__name__}")
        return _BREAK.sub(" ", item)  # as where the files of a run are read

    def _array(self, item: Item) -> np.ndarray:
        width = self.model.input_size
        if isinstance(item, str):
            raise ArgumentError(f"a model of numbers expected arrays of shape (n, {width}), got the text {item[:60]!r}")
        try:
            given = np.asarray(item)
        except ValueError as error:  # rows of several lengths
            raise ArgumentError(f"a model of numbers expected arrays of shape (n, {width}), got: {error}") from error
        if given.dtype.kind not in "fiub":
            raise ArgumentError(f"a model of numbers expected real numbers, got an array of {given.dtype}")
        if given.ndim != 2 or given.shape[1] != width:
            raise ArgumentError(f"a model of numbers expected arrays of shape (n, {width}), got {given.shape}")
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is found below
            array = given.astype(np.float32)
        if not np.isfinite(array).all():
            step, column = np.argwhere(~np.isfinite(array))[0]
            raise ArgumentError(
                f"a model of numbers expected finite numbers, as float32, got {given[step, column]} in step {step + 1}"
            )
        return array


def open_run(run: str | Path, *, checkpoint: str | int = "best") -> ClassifyRun:
    """Load a run of the classify task; see ``recurra.load``."""
    folder = RunFolder.open(run)
    config = ClassifyConfig(**read_config(folder.config, SECTIONS))
    record = load_record(folder)
    tokenizer, labels = open_tokenizer(folder, record), recorded_labels(folder, record)
    num_outputs, input_size = 1 if len(labels) == 2 else len(labels), record.facts.get("input_size")
    if (tokenizer is None) == (input_size is None):
        raise RunError(f"expected either a tokenizer or an input_size among the facts in data.json of {folder.path}")
    shape = Shape(num_outputs, None if tokenizer is None else len(tokenizer), input_size)
    loaded = folder.checkpoints.load(str(checkpoint), weights_only=True)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, shape)
    load_weights(model, loaded.weights, loaded.path)
    return ClassifyRun(folder, config, tokenizer, labels, model.eval(), loaded.step)
