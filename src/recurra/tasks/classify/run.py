"""A trained run of the classify task, for use."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import torch

from recurra.data import Tokenizer, iter_lines, resolve
from recurra.data.labelled_examples import iter_labelled
from recurra.errors import ArgumentError, RunError
from recurra.models import Classifier
from recurra.tasks.classify.building import Shape, build_model
from recurra.tasks.classify.config import SECTIONS, ClassifyConfig
from recurra.tasks.classify.data import (
    ClassifyData,
    Sequences,
    class_numbers,
    cut,
    open_tokenizer,
    reopen_data,
)
from recurra.tasks.classify.encoding import encode
from recurra.tasks.classify.examples import ARRAYS, Item, column_options, read_items
from recurra.tasks.classify.metrics import Accuracy, LossMetric, MacroF1, Outcome, Predictions
from recurra.tasks.classify.predictions import ClassifyPrediction, iter_named, predict_probs
from recurra.tasks.classify.reporting import class_table, confusion_table, shown_item
from recurra.tasks.shared.evaluation import Evaluation
from recurra.tasks.shared.loading import load_weights
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

    def iter_predictions(self, source: str | Path | IO[bytes]) -> Iterator[ClassifyPrediction]:
        """Say of which class each text of a file is, a few thousand at a time.

        Args:
            source: A file of the formats that the task trains on, labels not needed; any other text file, or a stream,
                with one text a line. An empty text has a prediction too: what the model says of nothing.

        Yields:
            A prediction for each text, in their order.

        Raises:
            DataError: When the file cannot be read.
            ArgumentError: When it holds something else than the model reads.
        """
        iterator = iter(self._iter_items(source))
        start = 0
        while chunk := list(islice(iterator, _AT_A_TIME)):
            probs = predict_probs(self.model, self._sequences(chunk), self.config.data.batch_size)
            named = (shown_item(item, start + row) for row, item in enumerate(chunk))
            yield from iter_named(named, probs, self.labels)
            start += len(chunk)

    def _iter_items(self, source: str | Path | IO[bytes]) -> Iterator[Item]:
        if not isinstance(source, str | Path):
            yield from iter_lines(source)
            return
        sources = resolve([str(source)], folders=True)
        if any(path.name.endswith(ARRAYS) for path in sources.paths):
            yield from read_items(sources, self.config.data, need_labels=False).items
            return
        sources = dataclasses.replace(sources, paths=sources.paths + sources.validation + sources.test)
        options = {"text_column": column_options(sources, self.config.data).get("text_column")}
        for chunk in iter_labelled(sources, **options, need_labels=False, keep_empty=True):
            yield from chunk.texts

    def evaluate(self, split: Split = "validation", *, files: Sequence[str] = ()) -> Evaluation:
        """Say how often the model is right.

        Args:
            split: Part of the run's own data.
            files: Labelled files, or names of data sets, to evaluate on instead; all of them, whatever parts they have.

        Returns:
            ``accuracy``, ``macro_f1`` and ``loss`` (nats per example), and tables of the classes and their confusion.

        Raises:
            DataError: When the data are gone, have changed, or have labels that the run does not know.
            RunError: When the run has no such part.
        """
        if files:
            read = read_items(resolve(files, folders=True), self.config.data)
            targets = class_numbers(read.labels or (), self.labels, ", ".join(files))
            return self._evaluate(self._sequences(read.items), targets, ", ".join(files), read.notes)
        data = self.data()
        rows = data.parts[split]
        if not len(rows):
            raise RunError(f"the run has no {split} part")
        chosen = Sequences([data.sequences.values[row] for row in rows], data.sequences.lengths[rows], 0)
        return self._evaluate(chosen, data.targets[rows], f"{split} part", ())

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
            notes = (*notes, f"{sequences.num_cut:,} examples were cut to {self.config.data.max_length:,} steps")
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
        array = np.asarray(item, np.float32)
        if array.ndim != 2 or array.shape[1] != width:
            raise ArgumentError(f"a model of numbers expected arrays of shape (n, {width}), got {array.shape}")
        return array


def open_run(run: str | Path, *, checkpoint: str | int = "best") -> ClassifyRun:
    """Load a run of the classify task; see ``recurra.load``."""
    folder = RunFolder.open(run)
    config = ClassifyConfig(**read_config(folder.config, SECTIONS))
    record = load_record(folder)
    tokenizer, labels = open_tokenizer(folder, record), tuple(record.facts["labels"])
    num_outputs = 1 if len(labels) == 2 else len(labels)
    shape = Shape(num_outputs, None if tokenizer is None else len(tokenizer), record.facts["input_size"])
    loaded = folder.checkpoints.load(str(checkpoint), weights_only=True)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, shape)
    load_weights(model, loaded.weights, loaded.path)
    return ClassifyRun(folder, config, tokenizer, labels, model.eval(), loaded.step)
