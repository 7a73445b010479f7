"""The translate task, as the training loop sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recurra.data import MAX_PADDED_STEPS, Cursor, ExampleOrder, iter_in_order
from recurra.models import Translator
from recurra.tasks.shared.record import save_record
from recurra.tasks.shared.sources import absolute
from recurra.tasks.translate.baselines import baseline_figures
from recurra.tasks.translate.building import build_model
from recurra.tasks.translate.config import (
    SECTIONS,
    DecodingConfig,
    TranslateConfig,
    TranslateTraining,
)
from recurra.tasks.translate.data import SIDES, open_pairs, reopen_pairs
from recurra.tasks.translate.evaluating import evaluation_result
from recurra.tasks.translate.parts import PairBatch, PairPart, TranslateData, build_batch
from recurra.tasks.translate.reporting import write_report
from recurra.tasks.translate.samples import sample_translations
from recurra.tasks.translate.scoring import TranslationMetric, translate_metrics
from recurra.tasks.translate.summary import summary_lines
from recurra.tasks.translate.teacher_forcing import draw_forced
from recurra.tasks.translate.translating import Search
from recurra.training.config_file import read_config
from recurra.training.protocol import Metric, Split, StepResult
from recurra.training.run_folder import RunFolder

_NUM_PICTURES = 6


class TranslateTask:
    """Write each sentence in the words of another language.

    Args:
        data: Pairs in three parts, and tokenisers.
        config: The whole configuration; of its ``training`` the task reads what the decoder is fed and the label
            smoothing.
    """

    name = "translate"
    target_unit = "tokens"
    training_class = TranslateTraining

    def __init__(self, data: TranslateData, config: TranslateConfig) -> None:
        self.data = data
        self.config = dataclasses.replace(config, decoding=_settled(config.decoding, data.parts["train"]))
        self._search = Search.of_config(self.config.decoding)
        self._order: ExampleOrder | None = None
        self._with_picture: frozenset[int] | None = None
        self._seen: dict[Split, TranslationMetric] = {}
        self._baselines: dict[Split, Mapping[str, Mapping[str, float]]] = {}

    @property
    def training(self) -> TranslateTraining:
        """How it is trained, of which the task reads what the decoder is fed and the label smoothing."""
        return self.config.training

    @classmethod
    def from_config(cls, config: TranslateConfig) -> TranslateTask:
        """Open the pairs and check that everything fits.

        Raises:
            DataError: When the pairs cannot be used.
            ConfigError: When options do not fit each other.
        """
        # the run may be resumed from another folder
        config = dataclasses.replace(config, data=absolute(config.data))
        task = cls(open_pairs(config.data), config)
        with torch.random.fork_rng(devices=[]):
            task.build_model()
        return task

    def config_sections(self) -> Mapping[str, Any]:
        """Return the dataclasses that made the task, by section of ``config.toml``; the loop adds its own."""
        return {"data": self.config.data, "model": self.config.model, "decoding": self.config.decoding}

    def save_assets(self, folder: Path) -> None:
        """Write both tokenisers and the description of the data."""
        for side, tokenizer in zip(SIDES, self.data.tokenizers, strict=True):
            (folder / side).mkdir()
            tokenizer.save(folder / side)
        save_record(folder, self.data.record)

    # ------------------------------------------------------------------ the protocol

    def batches(self, split: Split, seed: int, start: Mapping[str, int] | None = None) -> Iterator[PairBatch]:
        """Yield batches, "train" without end; see ``recurra.training.protocol.Task``."""
        if split == "train":
            return self._training_batches(seed, Cursor() if start is None else Cursor.from_json(start))
        return self._evaluation_batches(split)

    def _training_batches(self, seed: int, cursor: Cursor) -> Iterator[PairBatch]:
        order, part = self._training_order(seed), self.data.parts["train"]
        before = cursor
        for rows, after in order.iter_batches(cursor):
            num_epochs = before.epoch + before.window / order.batches_per_epoch
            no_row = np.zeros(len(rows), bool)
            yield build_batch(part, rows, after, split="train", num_epochs=num_epochs, translated=no_row)
            before = after

    def _training_order(self, seed: int) -> ExampleOrder:
        if self._order is None or self._order.seed != seed:
            keys = self.data.parts["train"].order_keys
            self._order = ExampleOrder(keys, batch_size=self.config.data.batch_size, seed=seed, name="pairs")
        return self._order

    def _evaluation_batches(self, split: Split) -> Iterator[PairBatch]:
        part, rows = self.data.parts[split], self._rows(split)
        if not len(rows):
            return
        is_translated = np.isin(rows, part.first_of_source(rows))
        size = self.config.data.batch_size
        keys, steps = part.order_keys[rows], part.steps[rows]
        for places, cursor in iter_in_order(keys, batch_size=size, max_steps=MAX_PADDED_STEPS, steps=steps):
            yield build_batch(part, rows[places], cursor, split=split, translated=is_translated[places])

    def _rows(self, split: Split) -> np.ndarray:
        """Return the pairs of a held-out part that are evaluated on while training."""
        most = self.config.decoding.max_validation_pairs if split == "validation" else None
        return self.data.parts[split].evenly(most)

    def num_batches(self, split: Split) -> int:
        """Return the number of batches in one pass over a split; 0 when it is empty."""
        num_rows = len(self.data.parts["train"]) if split == "train" else len(self._rows(split))
        return -(-num_rows // self.config.data.batch_size)

    def build_model(self) -> Translator:
        """Return a new model."""
        return build_model(self.config.model, self.data.tokenizers)

    def loss(self, model: nn.Module, batch: PairBatch, state: Any) -> StepResult:
        """Return the mean cross-entropy of the target tokens in nats; in evaluations translate, too.

        Label smoothing is for the gradient alone.
        """
        if batch.split != "train":
            search = self._search if batch.split == "test" else self._search.greedy()
            pictured = self._pictured(batch.split)
            return evaluation_result(model, batch, self.data.tgt_tokenizer, search, pictured)
        training = self.config.training
        smoothing = training.label_smoothing
        costs = model(
            batch.src,
            batch.src_lengths,
            batch.inputs,
            batch.targets,
            batch.tgt_lengths,
            draw_forced(training, batch.num_epochs, batch.targets),
            with_smoothing_cost=smoothing > 0,
        )
        num_targets = int(batch.tgt_lengths.sum())
        if not smoothing:
            return StepResult(costs.sum() / num_targets, num_targets)
        nll, spread = (cost.sum() / num_targets for cost in costs)
        return StepResult(nll, num_targets, penalty=smoothing * spread)

    def _pictured(self, split: Split) -> frozenset[int]:
        """Return the pairs whose attention is kept for pictures."""
        if self.config.model.attention == "none" or split != self._reported:
            return frozenset()
        if self._with_picture is None:
            part = self.data.parts[split]
            rows = part.first_of_source(self._rows(split))
            places = np.linspace(0, len(rows) - 1, min(_NUM_PICTURES, len(rows))).round().astype(np.int64)
            self._with_picture = frozenset(rows[places].tolist())
        return self._with_picture

    @property
    def _reported(self) -> Split:
        """The part that the report is about."""
        return "test" if len(self.data.parts["test"]) else "validation"

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Return BLEU and chrF (percent), loss (nats a target token) and perplexity (a target token)."""

        def keep(metric: TranslationMetric) -> None:
            self._seen[split] = metric

        return translate_metrics(self.data.parts[split], lowercase=self.config.data.is_lowercase, on_first=keep)

    def sample(self, model: nn.Module, seed: int) -> Sequence[str]:
        """Return some validation sentences with their translations, always the same ones."""
        return sample_translations(model, self.data, self._search)

    # ------------------------------------------------------------------ for people

    def summary(self, model: nn.Module) -> Sequence[str]:
        """Return what is worth knowing before training: sizes, vocabularies, what was left out."""
        return summary_lines(self.data, self.config.model, self.config.decoding, model)

    def baselines(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of copying the source and of always saying the most frequent target."""
        if split not in self._baselines:
            part = self.data.parts[split]
            rows = part.first_of_source(self._rows(split))
            lowercase = self.config.data.is_lowercase
            self._baselines[split] = baseline_figures(self.data.parts["train"], part, rows, lowercase=lowercase)
        return self._baselines[split]

    def report(self, folder: Path) -> Sequence[str]:
        """Write ``translations.tsv`` and pictures of attention for what the last evaluation saw."""
        splits: tuple[Split, ...] = ("test", "validation")
        for split in splits:
            metric = self._seen.get(split)
            if metric is not None:
                return write_report(metric, split, self.data, folder, lowercase=self.config.data.is_lowercase)
        return ["no new translations.tsv: nothing was evaluated"]


def _settled(config: DecodingConfig, train: PairPart) -> DecodingConfig:
    if config.max_length_ratio is not None:
        return config
    ratio = 2 * float(train.tgt_lengths.sum() / train.src_lengths.sum())
    return dataclasses.replace(config, max_length_ratio=round(max(ratio, 1.0), 2))


def resume_task(run: str | Path) -> TranslateTask:
    """Return the task of a run, for `recurra.train(task, run=..., resume=True)`.

    Raises:
        RunError: When the folder is no run.
        DataError: When the pairs are gone or have changed since the run began.
    """
    folder = RunFolder.open(run)
    config = TranslateConfig(**read_config(folder.config, SECTIONS))
    return TranslateTask(reopen_pairs(folder, config.data), config)
