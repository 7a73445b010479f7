"""The classify task, as the training loop sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recurra.data import Cursor, WordVectors
from recurra.data.example_order import ExampleOrder
from recurra.errors import ConfigError
from recurra.models import Classifier
from recurra.tasks.classify.baselines import Baselines
from recurra.tasks.classify.building import Shape, build_model, settle_model
from recurra.tasks.classify.config import SECTIONS, ClassifyConfig, ClassifyTraining, DataConfig, ModelConfig
from recurra.tasks.classify.data import ClassifyBatch, ClassifyData, open_data, reopen_data, save_tokenizer
from recurra.tasks.classify.metrics import (
    Accuracy,
    LossMetric,
    MacroF1,
    Outcome,
    Predictions,
    balanced_weights,
    log_probs_of,
    objective_of,
)
from recurra.tasks.classify.reporting import write_report
from recurra.tasks.classify.summary import sample_lines, summary_lines
from recurra.tasks.shared.record import save_record
from recurra.tasks.shared.sources import absolute
from recurra.tasks.shared.vectors import find_vectors, load_vectors, set_vectors, vectors_line
from recurra.training.config_file import read_config
from recurra.training.protocol import Metric, Split, StepResult
from recurra.training.run_folder import RunFolder

_NUM_SAMPLES = 8


class ClassifyTask:
    """Say of which class each sequence is.

    Args:
        data: The examples.
        data_config: How they are read, with nothing left open.
        model: The model, with nothing left open; None for the default one.
        has_weights: Whether a checkpoint will give the weights, so that none are to be taken from elsewhere.
        vectors: Pre-trained vectors that were read already.
    """

    name = "classify"
    target_unit = "sequences"
    training_class = ClassifyTraining

    def __init__(
        self,
        data: ClassifyData,
        data_config: DataConfig,
        model: ModelConfig | None = None,
        *,
        has_weights: bool = False,
        vectors: WordVectors | None = None,
    ) -> None:
        self.data, self.data_config = data, data_config
        self.model_config = settle_model(model or ModelConfig(), data)
        self.shape = Shape.of(data)
        self._has_weights, self._vectors = has_weights, vectors
        self._order: ExampleOrder | None = None
        self._baselines = Baselines(data)
        self._predictions: dict[Split, Predictions] = {}
        self._remarks: list[str] = []
        weights = (
            balanced_weights(data.class_counts("train")) if self.model_config.class_weights == "balanced" else None
        )
        self._class_weights = None if weights is None else torch.from_numpy(weights).float()

    @classmethod
    def from_config(cls, config: ClassifyConfig) -> ClassifyTask:
        """Read the examples and check that everything fits.

        Raises:
            DataError: When the data cannot be used.
            ConfigError: When options do not fit each other.
        """
        data_config, data = open_data(absolute(config.data))
        model, vectors = config.model, None
        if data.tokenizer is None:
            _check_options_of_numbers(config)
        if model.vectors is not None:
            # the run may be resumed from another folder
            model = dataclasses.replace(model, vectors=find_vectors(model.vectors, model.embedding_size))
            vectors = _read_vectors(model, data)
            model = dataclasses.replace(model, embedding_size=vectors.width)
        task = cls(data, data_config, model, vectors=vectors)
        with torch.random.fork_rng(devices=[]):
            task.build_model()
        return task

    def config_sections(self) -> Mapping[str, Any]:
        """Return the dataclasses that made the task, by section of ``config.toml``."""
        return {"data": self.data_config, "model": self.model_config}

    def save_assets(self, folder: Path) -> None:
        """Write tokeniser and data description."""
        save_tokenizer(self.data, folder)
        save_record(folder, self.data.record())

    # ------------------------------------------------------------------ the protocol

    def batches(self, split: Split, seed: int, start: Mapping[str, int] | None = None) -> Iterator[ClassifyBatch]:
        """Yield batches, "train" without end; see ``recurra.training.protocol.Task``."""
        if split != "train":
            return self.data.evaluation_batches(split, self.data_config.batch_size)
        cursor = None if start is None else Cursor.from_json(start)
        rows = self.data.parts["train"]
        order = self._training_order(seed).iter_batches(cursor)
        return (self.data.batch(rows[chosen], after) for chosen, after in order)

    def _training_order(self, seed: int) -> ExampleOrder:
        if self._order is None or self._order.seed != seed:
            lengths = self.data.sequences.lengths[self.data.parts["train"]]
            self._order = ExampleOrder(lengths, batch_size=self.data_config.batch_size, seed=seed, who="classify")
        return self._order

    def num_batches(self, split: Split) -> int:
        """Return the number of batches in one pass over a part; 0 when it is empty."""
        return -(-len(self.data.parts[split]) // self.data_config.batch_size)

    def build_model(self) -> Classifier:
        """Return a new model, with pre-trained vectors where the configuration says so."""
        model = build_model(self.model_config, self.shape)
        config, tokenizer = self.model_config, self.data.tokenizer
        if config.vectors is not None and tokenizer is not None:
            assert model.embedding is not None
            if not self._has_weights:
                if self._vectors is None:
                    self._vectors = _read_vectors(config, self.data)
                set_vectors(model.embedding, self._vectors)
                vocabulary, frozen = tokenizer.vocabulary, config.freeze_vectors
                self._remarks = [vectors_line(config.vectors, self._vectors, vocabulary, tokenizer.unit, frozen=frozen)]
            model.embedding.weight.requires_grad_(not config.freeze_vectors)
        return model

    def loss(self, model: nn.Module, batch: ClassifyBatch, state: Any) -> StepResult:
        """Return the mean cross-entropy in nats; weights of classes and smoothing are for the gradient alone."""
        log_probs = log_probs_of(model(batch.inputs, batch.lengths))
        loss = nn.functional.nll_loss(log_probs, batch.targets)
        penalty = None
        smoothing, weights = self.model_config.label_smoothing, self._class_weights
        if model.training and (smoothing or weights is not None):
            weights = None if weights is None else weights.to(log_probs)
            penalty = objective_of(log_probs, batch.targets, weights, smoothing) - loss
        return StepResult(loss, len(batch.rows), outputs=Outcome(batch.rows, batch.targets, log_probs), penalty=penalty)

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Return accuracy, macro-F1 (the mean of F1 over the classes) and loss (nats per example)."""
        predictions = Predictions(len(self.data.labels))
        self._predictions[split] = predictions
        return {"accuracy": Accuracy(predictions), "macro_f1": MacroF1(len(self.data.labels)), "loss": LossMetric()}

    def sample(self, model: nn.Module, seed: int) -> Sequence[str]:
        """Return what the model says of some validation examples, the same ones all the time."""
        assert isinstance(model, Classifier)
        rows = self.data.parts["validation"]
        chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:_NUM_SAMPLES])
        return sample_lines(model, self.data, rows[chosen])

    def report(self, folder: Path) -> Sequence[str]:
        """Write the confusion matrix and the mistakes of the test part, else of the validation part."""
        for split in ("test", "validation"):
            predictions = self._predictions.get(split)
            if predictions is not None and len(predictions):
                return [*write_report(folder, self.data, predictions, split), *self._baselines.notes]
        return []

    # ------------------------------------------------------------------ for people

    def summary(self, model: nn.Module) -> Sequence[str]:
        """Return what is worth knowing before training: sizes, classes, and what was cut, skipped or is unknown."""
        lines = summary_lines(self.data, self.data_config, self.model_config, model)
        return [*lines, *self._remarks, *self._baselines.announcement()]

    def baselines(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of the most frequent class and of logistic regression on counts."""
        return self._baselines.figures(split)


def _check_options_of_numbers(config: ClassifyConfig) -> None:
    """Refuse options that mean nothing for sequences of numbers."""
    names = ("tokenizer", "lowercase", "min_count", "max_vocab_size")
    of_model = ("vectors", "embedding_size", "word_dropout", "embedding_dropout")
    faults = []
    for section, default, fields in ((config.data, DataConfig(), names), (config.model, ModelConfig(), of_model)):
        given = {name: getattr(section, name) for name in fields}
        faults += [
            f"expected no {name} for sequences of numbers, got {value}"
            for name, value in given.items()
            if value != getattr(default, name)
        ]
    if faults:
        raise ConfigError(faults)


def _read_vectors(config: ModelConfig, data: ClassifyData) -> WordVectors:
    assert config.vectors is not None
    assert data.tokenizer is not None
    return load_vectors(config.vectors, data.tokenizer.vocabulary, width=config.embedding_size)


def resume_task(run: str | Path) -> ClassifyTask:
    """Return the task of a run, for `recurra.train(task, run=..., resume=True)`.

    A run that has checkpoints needs the file of ``vectors`` no more: its weights are its own by now.

    Raises:
        RunError: When the folder is no run.
        DataError: When the data are gone or have changed since the run began.
    """
    folder = RunFolder.open(run)
    config = ClassifyConfig(**read_config(folder.config, SECTIONS))
    data = reopen_data(folder, config.data)
    return ClassifyTask(data, config.data, config.model, has_weights=bool(folder.checkpoints.names()))
