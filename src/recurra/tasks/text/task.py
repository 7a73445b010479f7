"""The text task, as the training loop sees it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra.data import Cursor, StreamBatches, TextBatch, Vocabulary
from recurra.decoding import SamplingPolicy
from recurra.errors import DataError
from recurra.models import LanguageModel, copy_weights
from recurra.models.ngram import CountModel
from recurra.tasks.text.baselines import baseline_figures, fit_baselines
from recurra.tasks.text.config import SECTIONS, DataConfig, ModelConfig, SamplingConfig, TextConfig
from recurra.tasks.text.data import TextData
from recurra.tasks.text.evaluating import predict, text_metrics
from recurra.tasks.text.run import build_model, open_run
from recurra.tasks.text.summary import summary_lines
from recurra.tasks.text.words import distinct_words, known_word_share
from recurra.tasks.text.writing import Writer, unknown_line, write_text
from recurra.training.config_file import read_config
from recurra.training.metrics import LossMetric
from recurra.training.protocol import Split, StepResult
from recurra.training.run_folder import RunFolder

_MAX_CHARS_FOR_WORDS = 20_000_000
_CHARS_AT_ONCE = 1 << 20


class TextTask:
    """Predict each character of a text from those before it.

    Args:
        data: Text, parts and vocabulary.
        data_config: How it is cut into batches.
        model: The model.
        sampling: The samples written while it trains.

    Raises:
        DataTooShortError: When the training part is shorter than one window of all streams.
    """

    name = "text"

    def __init__(
        self,
        data: TextData,
        data_config: DataConfig | None = None,
        model: ModelConfig | None = None,
        sampling: SamplingConfig | None = None,
    ) -> None:
        self.data = data
        self.data_config = data_config or DataConfig()
        self.model_config = model or ModelConfig()
        self.sampling = sampling or SamplingConfig()
        self._streams: StreamBatches | None = None
        self._known_words: frozenset[str] | None = None
        self._count_models: Mapping[str, CountModel] | None = None
        self._origin: list[str] = []
        self._training_batches(seed=0)  # too short a text is found now, not when training begins

    @classmethod
    def from_config(cls, config: TextConfig) -> TextTask:
        """Open the text and check that everything fits.

        Raises:
            DataError: When the text cannot be used.
            ConfigError: When options do not fit each other.
        """
        model = config.model
        if model.init_from is not None:
            # the run may be resumed from another folder
            model = dataclasses.replace(model, init_from=os.path.abspath(os.path.expanduser(model.init_from)))
        task = cls(TextData.of_config(config.data), config.data, model, config.sampling)
        with torch.random.fork_rng(devices=[]):
            task.build_model()
        return task

    def config_sections(self) -> Mapping[str, Any]:
        """Return the dataclasses that made the task, by section of ``config.toml``."""
        return {"data": self.data_config, "model": self.model_config, "sampling": self.sampling}

    def save_assets(self, folder: Path) -> None:
        """Write vocabulary and data description."""
        self.data.save(folder)

    # ------------------------------------------------------------------ the protocol

    def _training_batches(self, seed: int) -> StreamBatches:
        if self._streams is None or self._streams.seed != seed:
            self._streams = self.data.training_batches(self.data_config.batch_size, self.data_config.bptt, seed)
        return self._streams

    def batches(self, split: Split, seed: int, start: Mapping[str, int] | None = None) -> Iterator[TextBatch]:
        """Yield windows of parallel streams, "train" without end; see ``recurra.training.protocol.Task``."""
        if split == "train":
            cursor = None if start is None else Cursor.from_json(start)
            return self._training_batches(seed).iter_batches(cursor)
        return self.data.evaluation_batches(split, self.data_config.bptt, max_chars=self._max_chars(split))

    def _max_chars(self, split: Split) -> int | None:
        return None if split == "train" else self.data_config.max_evaluation_chars

    def num_batches(self, split: Split) -> int:
        """Return the number of batches in one pass over a split; 0 when it is empty."""
        if split == "train":
            return self._training_batches(seed=0 if self._streams is None else self._streams.seed).windows_per_epoch
        return self.data.num_evaluation_batches(split, self.data_config.bptt, self._max_chars(split))

    def build_model(self) -> LanguageModel:
        """Return a new model, with the weights of the run that ``init_from`` names where there is one."""
        model = build_model(self.model_config, len(self.data.vocabulary))
        if self.model_config.init_from is not None:
            origin = open_run(self.model_config.init_from)
            positions = self.data.vocabulary.match(origin.vocabulary)
            copy_weights(model, origin.model.state_dict(), positions.tolist())
            self._origin = origin_lines(self.model_config.init_from, self.data.vocabulary, origin.vocabulary)
        return model

    def loss(self, model: nn.Module, batch: TextBatch, state: Any) -> StepResult:
        """Return the mean cross-entropy of the targets in nats."""
        return predict(model, batch, state)

    def metrics(self) -> Mapping[str, LossMetric]:
        """Return loss, bits per character and perplexity."""
        return text_metrics()

    def sample(self, model: nn.Module, seed: int) -> Sequence[str]:
        """Return one text a temperature, each under a line with the share of its words that the training text knows."""
        assert isinstance(model, LanguageModel)
        samples = []
        for temperature in self.sampling.temperatures:
            policy = SamplingPolicy(temperature=temperature)
            writer = Writer(model, self.data.vocabulary, policy, seed=seed)
            if self.sampling.sample_prime:
                writer.read(self.sampling.sample_prime)
            text = writer.visible(self.sampling.sample_prime) + write_text(writer, self.sampling.sample_length)[0]
            share = known_word_share(text, self.known_words)
            known = "no words" if share != share else f"{share:.0%} of its words are in the training text"
            samples.append(f"[temperature {temperature:g}: {known}]\n{text}")
        return samples

    # ------------------------------------------------------------------ for people

    @property
    def known_words(self) -> frozenset[str]:
        """The distinct words of the training part, or of its first 20 million characters."""
        if self._known_words is None:
            start, stop = self.data.splits.train
            stop = min(stop, start + _MAX_CHARS_FOR_WORDS)
            ranges = ((begin, min(begin + _CHARS_AT_ONCE, stop)) for begin in range(start, stop, _CHARS_AT_ONCE))
            decode = self.data.vocabulary.decode
            self._known_words = distinct_words(decode(self.data.read_ids(*each)) for each in ranges)
        return self._known_words

    def summary(self, model: nn.Module) -> Sequence[str]:
        """Return what is worth knowing before training: sizes, and whether the model suits the data."""
        lines = summary_lines(self.data, self.data_config, self.model_config, model)
        unknown = self.data.vocabulary.unknown_in(self.sampling.sample_prime)
        if unknown:
            lines.append(f"sample_prime has {unknown_line(unknown)}")
        return [*lines, *self._origin]

    def baselines(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of a unigram and a 5-gram model of the training part."""
        if self._count_models is None:
            self._count_models = fit_baselines(self.data)
        return baseline_figures(self._count_models, self.data, split, self._max_chars(split))


def origin_lines(run: str, ours: Vocabulary, theirs: Vocabulary) -> list[str]:
    """Say which symbols got their weights from another run, and which did not."""
    new = [symbol for symbol in ours.known if symbol not in set(theirs.known)]
    gone = [symbol for symbol in theirs.known if symbol not in set(ours.known)]
    lines = [f"weights from {run}: {len(ours.known) - len(new)} of {len(ours.known)} symbols have theirs from there"]
    if new:
        lines.append(f"  new symbols, with fresh weights: {_shown(new)}")
    if gone:
        lines.append(f"  symbols of that run that this text lacks: {_shown(gone)}")
    return lines


def _shown(symbols: Sequence[str], most: int = 40) -> str:
    shown = " ".join(map(repr, symbols[:most]))
    return shown if len(symbols) <= most else f"{shown} and {len(symbols) - most} more"


def resume_task(run: str | Path) -> TextTask:
    """Return the task of a run, for `recurra.train(task, run=..., resume=True)`.

    A run that has checkpoints needs the run that ``init_from`` names no more: its weights are its own by now.

    Raises:
        RunError: When the folder is no run.
        DataError: When the text is gone or has changed since the run began.
    """
    folder = RunFolder.open(run)
    config = TextConfig(**read_config(folder.config, SECTIONS))
    data = TextData.of_run(folder, config.data)
    stored = Vocabulary.load(folder.path / "vocab.json")
    if data.vocabulary != stored:
        raise DataError(f"the symbols of the training part are not those in {folder.path / 'vocab.json'}")
    model = config.model
    if folder.checkpoints.names():
        model = dataclasses.replace(model, init_from=None)
    return TextTask(data, config.data, model, config.sampling)
