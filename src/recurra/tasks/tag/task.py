"""The tag task, as the training loop sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra.data import MAX_PADDED_STEPS, Cursor, ExampleOrder, WordVectors, iter_in_order
from recurra.models import Tagger
from recurra.tasks.shared.sources import absolute
from recurra.tasks.shared.vectors import find_vectors, set_vectors, vectors_line
from recurra.tasks.tag.baselines import baseline_figures
from recurra.tasks.tag.building import build_model, settle
from recurra.tasks.tag.config import SECTIONS, DataConfig, ModelConfig, TagConfig, TagTraining
from recurra.tasks.tag.data import TagData, open_data, reopen_data, save_data
from recurra.tasks.tag.encoding import TagBatch
from recurra.tasks.tag.metrics import TagCollector, tag_metrics
from recurra.tasks.tag.predicting import evaluate_batch
from recurra.tasks.tag.reporting import MISTAKES, write_report
from recurra.tasks.tag.samples import Sampler
from recurra.tasks.tag.summary import summary_lines
from recurra.training.config_file import read_config
from recurra.training.metrics import LossMetric
from recurra.training.protocol import Metric, Split, StepResult
from recurra.training.run_folder import RunFolder


class TagTask:
    """Give each word of a sentence its tag.

    Args:
        data: Sentences, parts and vocabularies.
        data_config: How they make batches.
        model: The model, with nothing left open.
        vectors: Pre-trained vectors that a new model begins with, where the model's configuration names some and no
            checkpoint will give the weights.
    """

    name = "tag"
    target_unit = "words"
    training_class = TagTraining

    def __init__(
        self, data: TagData, data_config: DataConfig, model: ModelConfig, *, vectors: WordVectors | None = None
    ) -> None:
        self.data, self.data_config, self.model_config = data, data_config, model
        self._vectors = vectors
        self._order: ExampleOrder | None = None
        self._collectors: dict[Split, TagCollector] = {}
        self._baselines: dict[Split, dict[str, dict[str, float]]] = {}
        self._sampler: Sampler | None = None

    @classmethod
    def from_config(cls, config: TagConfig) -> TagTask:
        """Read the sentences and check that everything fits.

        Raises:
            DataError: When the sentences cannot be used.
            ConfigError: When options do not fit each other.
        """
        model = config.model
        if model.vectors is not None:  # the run may be resumed from another folder
            model = replace(model, vectors=find_vectors(model.vectors, model.embedding_size))
        data_config = absolute(config.data)
        data = open_data(data_config)
        model, vectors = settle(model, data.encoder, data.parts["train"])
        task = cls(data, data_config, model, vectors=vectors)
        with torch.random.fork_rng(devices=[]):
            task.build_model()
        return task

    def config_sections(self) -> Mapping[str, Any]:
        """Return the dataclasses that made the task, by section of ``config.toml``."""
        return {"data": self.data_config, "model": self.model_config}

    def save_assets(self, folder: Path) -> None:
        """Write vocabularies, tags and data description."""
        save_data(self.data, folder)

    # ------------------------------------------------------------------ the protocol

    def batches(self, split: Split, seed: int, start: Mapping[str, int] | None = None) -> Iterator[TagBatch]:
        """Yield batches, "train" without end; see ``recurra.training.protocol.Task``."""
        encoded = self.data.parts[split]
        if split == "train":
            cursor = None if start is None else Cursor.from_json(start)
            order = self._training_order(seed).iter_batches(cursor)
        else:
            size = self.data_config.batch_size
            order = iter_in_order(encoded.lengths, batch_size=size, max_steps=MAX_PADDED_STEPS)
        with_chars = self.model_config.char_features != "none"
        return (encoded.batch(sentences, behind, with_chars=with_chars) for sentences, behind in order)

    def _training_order(self, seed: int) -> ExampleOrder:
        if self._order is None or self._order.seed != seed:
            lengths = self.data.parts["train"].lengths
            self._order = ExampleOrder(
                lengths, batch_size=self.data_config.batch_size, seed=seed, name="sentences", who="tag"
            )
        return self._order

    def num_batches(self, split: Split) -> int:
        """Return the number of batches in one pass over a split; 0 when it is empty.

        Evaluations split batches of long sentences, and may have more.
        """
        return -(-self.data.size(split) // self.data_config.batch_size)

    def build_model(self) -> Tagger:
        """Return a new model, with vectors where the configuration says so."""
        model = build_model(self.model_config, self.data.encoder)
        if self._vectors is not None:
            set_vectors(model.embedding, self._vectors)
        if self.model_config.freeze_vectors:
            model.embedding.weight.requires_grad_(False)
        return model

    def loss(self, model: nn.Module, batch: TagBatch, state: Any) -> StepResult:
        """Return the mean loss of the words in nats, and in evaluations the predicted tags."""
        return evaluate_batch(model, batch, len(self.data.encoder.tags), wants_tags=not model.training)

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Return F1, precision, recall and accuracy where tags mark entities, else accuracy; and loss, nats a word."""
        if split == "train":
            return {"loss": LossMetric()}
        self._collectors[split] = TagCollector(self.data.parts[split], self.data.encoder.tags)
        return tag_metrics(self._collectors[split])

    def sample(self, model: nn.Module, seed: int) -> Sequence[str]:
        """Return some validation sentences, always the same, with their predicted tags."""
        assert isinstance(model, Tagger)
        if self._sampler is None:
            self._sampler = Sampler(self.data.parts["validation"], self.data.encoder)
        return [self._sampler.sample(model)]

    def summary(self, model: nn.Module) -> Sequence[str]:
        """Return what is worth knowing before training."""
        lines = summary_lines(self.data, self.model_config, model)
        if self._vectors is not None and self.model_config.vectors is not None:
            words = self.data.encoder.words
            frozen = self.model_config.freeze_vectors
            lines.append(vectors_line(self.model_config.vectors, self._vectors, words, "word", frozen=frozen))
        return lines

    def baselines(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of giving each word the tag that it has most often in the training part."""
        if split not in self._baselines:
            parts, tags = self.data.parts, self.data.encoder.tags
            self._baselines[split] = baseline_figures(parts["train"], parts[split], tags)
        return self._baselines[split]

    def report(self, folder: Path) -> Sequence[str]:
        """Write the confusion of tags and the mistakes of the final evaluation, of the test part where there is one."""
        splits: tuple[Split, ...] = ("test", "validation")
        for split in splits:
            collector = self._collectors.get(split)
            if collector is not None and collector.is_complete:
                return write_report(collector.scores, collector.encoded, split, folder)
        return [f"no new {MISTAKES} and plots/confusion.png: nothing was evaluated"]


def resume_task(run: str | Path) -> TagTask:
    """Return the task of a run, for `recurra.train(task, run=..., resume=True)`.

    A run that has checkpoints does not need the file of ``vectors`` any more: its weights are its own by now.

    Raises:
        RunError: When the folder is no run.
        DataError: When the sentences are gone or have changed.
    """
    folder = RunFolder.open(run)
    config = TagConfig(**read_config(folder.config, SECTIONS))
    data = reopen_data(folder, config.data)
    vectors = None
    if not folder.checkpoints.names():
        _, vectors = settle(config.model, data.encoder, data.parts["train"])
    return TagTask(data, config.data, config.model, vectors=vectors)
