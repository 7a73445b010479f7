"""The text task, as the training loop sees it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra.data import Cursor, LineBatches, StreamBatches, TextBatch, WordVectors
from recurra.models import LanguageModel, copy_weights
from recurra.models.ngram import CountModel
from recurra.tasks.shared.vectors import find_vectors, set_vectors, vectors_line
from recurra.tasks.text.baselines import baseline_figures, fit_baselines
from recurra.tasks.text.building import build_model, vectors_of
from recurra.tasks.text.config import SECTIONS, DataConfig, ModelConfig, SamplingConfig, TextConfig
from recurra.tasks.text.data import open_text, reopen_text, save_text
from recurra.tasks.text.evaluating import predict, text_metrics
from recurra.tasks.text.origin import check_origin, origin_lines
from recurra.tasks.text.parts import TextData
from recurra.tasks.text.run import open_run
from recurra.tasks.text.samples import Sampler
from recurra.tasks.text.summary import summary_lines
from recurra.tasks.text.writing import unknown_line
from recurra.training.config_file import read_config
from recurra.training.metrics import LossMetric
from recurra.training.protocol import Split, StepResult
from recurra.training.run_folder import RunFolder


class TextTask:
    """Predict each token of a text from those before it.

    Args:
        data: Text, parts and tokeniser.
        data_config: How it is cut into batches, with nothing left open.
        model: The model.
        sampling: The samples written while it trains.
        has_weights: Whether a checkpoint will give the weights, so that none are to be taken from elsewhere.

    Raises:
        DataTooShortError: When the training part is shorter than one window of all streams.
    """

    name = "text"

    def __init__(
        self,
        data: TextData,
        data_config: DataConfig,
        model: ModelConfig | None = None,
        sampling: SamplingConfig | None = None,
        *,
        has_weights: bool = False,
    ) -> None:
        self.data = data
        self.data_config = data_config
        self.model_config = model or ModelConfig()
        self.sampling = sampling or SamplingConfig()
        self.unit = data.tokenizer.unit
        self._training: StreamBatches | LineBatches | None = None
        self._sampler: Sampler | None = None
        self._count_models: Mapping[str, CountModel] | None = None
        self._remarks: list[str] = []
        self._has_weights = has_weights
        self._vectors: WordVectors | None = None  # reading them takes seconds
        self._chars_per_token: dict[Split, float] = {}  # asked for at every row of figures
        self._training_batches(seed=0)  # too short a text is found now, not when training begins

    @classmethod
    def from_config(cls, config: TextConfig) -> TextTask:
        """Open the text and check that everything fits.

        Raises:
            DataError: When the text cannot be used.
            ConfigError: When options do not fit each other.
        """
        # the run may be resumed from another folder
        model = dataclasses.replace(config.model, init_from=_absolute(config.model.init_from))
        if model.vectors is not None:
            model = dataclasses.replace(model, vectors=find_vectors(model.vectors, model.embedding_size))
        data_config, data = open_text(config.data)
        vectors = None
        if model.vectors is not None:
            vectors = vectors_of(model, data.tokenizer)
            model = dataclasses.replace(model, embedding_size=vectors.width)
        task = cls(data, data_config, model, config.sampling)
        task._vectors = vectors
        with torch.random.fork_rng(devices=[]):
            task.build_model()
        return task

    def config_sections(self) -> Mapping[str, Any]:
        """Return the dataclasses that made the task, by section of ``config.toml``."""
        return {"data": self.data_config, "model": self.model_config, "sampling": self.sampling}

    def save_assets(self, folder: Path) -> None:
        """Write tokeniser and data description."""
        save_text(self.data, folder)

    # ------------------------------------------------------------------ the protocol

    def _training_batches(self, seed: int) -> StreamBatches | LineBatches:
        if self._training is None or self._training.seed != seed:
            self._training = self.data.training_batches(self.data_config, seed)
        return self._training

    def batches(self, split: Split, seed: int, start: Mapping[str, int] | None = None) -> Iterator[TextBatch]:
        """Yield batches, "train" without end; see ``recurra.training.protocol.Task``."""
        if split == "train":
            cursor = None if start is None else Cursor.from_json(start)
            return self._training_batches(seed).iter_batches(cursor)
        return self.data.evaluation_batches(split, self.data_config.bptt, max_tokens=self._max_tokens(split))

    def _max_tokens(self, split: Split) -> int | None:
        return None if split == "train" else self.data_config.max_evaluation_tokens

    def num_batches(self, split: Split) -> int:
        """Return the number of batches in one pass over a split; 0 when it is empty."""
        if split == "train":
            return self._training_batches(seed=0 if self._training is None else self._training.seed).batches_per_epoch
        return self.data.num_evaluation_batches(split, self.data_config.bptt, self._max_tokens(split))

    def build_model(self) -> LanguageModel:
        """Return a new model, with vectors or weights from elsewhere where the configuration says so."""
        model = build_model(self.model_config, self.data.tokenizer, len(self.data.facts.label_names))
        if not self._has_weights:
            self._remarks = [*self._copy_origin(model), *self._set_vectors(model)]
        if self.model_config.freeze_vectors:
            assert model.embedding is not None
            model.embedding.weight.requires_grad_(False)
        return model

    def _copy_origin(self, model: LanguageModel) -> list[str]:
        run, tokenizer = self.model_config.init_from, self.data.tokenizer
        if run is None:
            return []
        origin = open_run(run)
        check_origin(origin, tokenizer, self.data.facts.label_names)
        positions = tokenizer.vocabulary.match(origin.tokenizer.vocabulary)
        copy_weights(model, origin.model.state_dict(), positions.tolist())
        return origin_lines(run, tokenizer, origin.tokenizer)

    def _set_vectors(self, model: LanguageModel) -> list[str]:
        config, tokenizer = self.model_config, self.data.tokenizer
        if config.vectors is None:
            return []
        if self._vectors is None:
            self._vectors = vectors_of(config, tokenizer)
        assert model.embedding is not None
        set_vectors(model.embedding, self._vectors)
        frozen = config.freeze_vectors
        return [vectors_line(config.vectors, self._vectors, tokenizer.vocabulary, tokenizer.unit, frozen=frozen)]

    def loss(self, model: nn.Module, batch: TextBatch, state: Any) -> StepResult:
        """Return the mean cross-entropy of the targets in nats."""
        return predict(model, batch, state)

    def metrics(self, split: Split) -> Mapping[str, LossMetric]:
        """Return loss (nats per token), bits per character and perplexity (per token)."""
        if split not in self._chars_per_token:
            self._chars_per_token[split] = self.data.chars_per_token(split, self._max_tokens(split))
        return text_metrics(self._chars_per_token[split])

    def sample(self, model: nn.Module, seed: int) -> Sequence[str]:
        """Return one text a temperature, each under a line that says how much of it the training text knows."""
        assert isinstance(model, LanguageModel)
        if self._sampler is None:
            self._sampler = Sampler(self.data, self.sampling)
        return self._sampler.sample(model, seed)

    # ------------------------------------------------------------------ for people

    def summary(self, model: nn.Module) -> Sequence[str]:
        """Return what is worth knowing before training: sizes, and whether the model suits the data."""
        lines = summary_lines(self.data, self.data_config, self.model_config, model)
        unknown = self.data.tokenizer.unknown_in(self.sampling.sample_prime)
        if unknown:
            lines.append(f"sample_prime: {unknown_line(unknown)}")
        return [*lines, *self._remarks]

    def baselines(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of a unigram and a 5-gram model of the training part."""
        if self._count_models is None:
            self._count_models = fit_baselines(self.data)
        return baseline_figures(self._count_models, self.data, split, self._max_tokens(split))


def _absolute(path: str | None) -> str | None:
    return None if path is None else os.path.abspath(os.path.expanduser(path))


def resume_task(run: str | Path) -> TextTask:
    """Return the task of a run, for `recurra.train(task, run=..., resume=True)`.

    A run that has checkpoints needs neither the run that ``init_from`` names nor the file of ``vectors`` any more: its
    weights are its own by now.

    Raises:
        RunError: When the folder is no run.
        DataError: When the text is gone or has changed since the run began.
    """
    folder = RunFolder.open(run)
    config = TextConfig(**read_config(folder.config, SECTIONS))
    data = reopen_text(folder, config.data)
    has_weights = bool(folder.checkpoints.names())
    return TextTask(data, config.data, config.model, config.sampling, has_weights=has_weights)
