"""A trained text run, for use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from recurra.cells import Cell, find_cell
from recurra.data import Vocabulary, copied_share
from recurra.decoding import SamplingPolicy, StopString
from recurra.errors import ArgumentError, CheckpointError, RunError
from recurra.models import LanguageModel
from recurra.tasks.text.config import SECTIONS, ModelConfig, TextConfig
from recurra.tasks.text.data import TextData
from recurra.tasks.text.evaluating import evaluate_text
from recurra.tasks.text.writing import Writer, joined
from recurra.training.config_file import read_config
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

PIECE = 20
"""Characters of the pieces that ``copied_share`` looks for."""
_EMBEDDING_SIZE = 64


class TextRun:
    """A language model with its symbols and what it was trained on.

    Attributes:
        config: Configuration of the run.
        vocabulary: Symbols; id 0 is the unknown one.
        model: The model, in evaluation mode, on the CPU.
        step: Optimiser step of the weights.
    """

    def __init__(self, folder: RunFolder, config: TextConfig, vocabulary: Vocabulary, model: LanguageModel, step: int):
        self.folder, self.config, self.vocabulary, self.model, self.step = folder, config, vocabulary, model, step

    def writer(
        self,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        num_samples: int = 1,
        seed: int | None = None,
    ) -> Writer:
        """Return a ``Writer``: what ``generate`` uses, for full control over state and streaming.

        Raises:
            ArgumentError: When an argument is out of its range.
        """
        if num_samples < 1:
            raise ArgumentError(f"generate expected num_samples of at least 1, got {num_samples}")
        policy = SamplingPolicy(temperature=temperature, top_k=top_k, top_p=top_p)
        return Writer(self.model, self.vocabulary, policy, num_samples=num_samples, seed=seed)

    def generate(
        self,
        prime: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | None = None,
        seed: int | None = None,
    ) -> str:
        """Go on with a text.

        Args:
            prime: What is there already; nothing means a new line. Symbols that the run has never seen are read as
                unknown.
            length: Symbols to write, at most.
            temperature: 0 takes the likeliest symbol, 1 the model's own distribution.
            top_k: Draw among so many likeliest symbols only.
            top_p: Draw among the likeliest symbols that together have this probability.
            stop: End before this string.
            seed: Fixes the draws.

        Returns:
            What was written, without the prime.

        Raises:
            ArgumentError: When an argument is out of its range.
        """
        return self.generate_many(
            1, prime, length=length, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, seed=seed
        )[0]

    def generate_many(
        self,
        num_samples: int,
        prime: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | None = None,
        seed: int | None = None,
    ) -> list[str]:
        """Go on with a text several times, in one batch; arguments as for ``generate``."""
        writer = self.writer(temperature=temperature, top_k=top_k, top_p=top_p, num_samples=num_samples, seed=seed)
        if prime:
            writer.read(prime)
        return joined(stream(writer, length, stop), num_samples)

    def evaluate(
        self,
        split: Split = "validation",
        *,
        files: tuple[str, ...] = (),
        reset_every: int | None = None,
    ) -> dict[str, float]:
        """Say how well the model predicts a text.

        Args:
            split: Part of the run's own data.
            files: Text files to evaluate on instead.
            reset_every: Forget everything after so many characters; None carries the state on.

        Returns:
            ``loss`` (nats per character), ``bits_per_char``, ``perplexity``, and ``num_chars`` predicted.

        Raises:
            DataError: When the data are gone or have changed.
            RunError: When the run has no such part.
        """
        if reset_every is not None and reset_every < 1:
            raise ArgumentError(f"evaluate expected reset_every of at least 1, got {reset_every}")
        if files:
            data = TextData.of_files(files, self.vocabulary)
            return evaluate_text(self.model, data, "all", reset_every=reset_every)
        data = self.data()
        start, stop = data.range(split)
        if start == stop:
            raise RunError(f"the run has no {split} part ({split}_fraction = 0)")
        return evaluate_text(self.model, data, split, reset_every=reset_every)

    def copied_share(self, texts: Sequence[str]) -> float | None:
        """Return the share of 20-character pieces of some texts that stand in the training text; None if too short.

        Raises:
            DataError: When the data are gone or have changed.
        """
        texts = [text for text in texts if len(text) >= PIECE]
        if not texts:
            return None  # opening the training text may mean to read all of it
        data = self.data()
        start, stop = data.splits.train
        weighted = []
        for text in texts:
            share = copied_share(self.vocabulary.encode(text), data.read_ids, start, stop, piece=PIECE)
            if share is not None:
                weighted.append((share, len(text) - PIECE + 1))
        total = sum(weight for _, weight in weighted)
        return sum(share * weight for share, weight in weighted) / total if total else None

    def data(self) -> TextData:
        """Return the data that the run was trained on.

        Raises:
            DataError: When the data are gone or have changed.
        """
        return TextData.of_run(self.folder, self.config.data)


def stream(
    writer: Writer, length: int | None, stop: str | None = None, is_over: Callable[[], bool] = lambda: False
) -> Iterator[list[str]]:
    """Return what can be shown of every text, piece by piece, until all are long enough or have met the stop string.

    Args:
        writer: Writes.
        length: Symbols a text, at most; None means without end.
        stop: End before this string.
        is_over: Asked after each symbol; ends all texts in good order when it says so.

    Raises:
        ArgumentError: When the length is negative or the stop string empty.
    """
    if length is not None and length < 0:
        raise ArgumentError(f"generate expected a length of at least 0, got {length}")
    filters = [] if stop is None else [StopString(stop) for _ in range(writer.num_samples)]
    return _until(writer, length, filters, is_over)


def _until(
    writer: Writer, length: int | None, filters: list[StopString], is_over: Callable[[], bool]
) -> Iterator[list[str]]:
    for symbols in writer.write(length):
        yield [each.feed(symbol) for each, symbol in zip(filters, symbols, strict=True)] if filters else symbols
        if is_over() or (filters and all(each.finished for each in filters)):
            break
    if filters:
        yield [each.flush() for each in filters]


def build_model(config: ModelConfig, vocab_size: int) -> LanguageModel:
    """Return a new model as a configuration describes it."""
    is_own = issubclass(find_cell(config.cell), Cell)
    # characters are few: what a wide embedding of them costs in the first layer's product buys nothing
    width = config.hidden_size if config.tie_weights else min(config.hidden_size, _EMBEDDING_SIZE)
    return LanguageModel(
        vocab_size,
        cell=config.cell,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        input=config.input,
        embedding_size=config.embedding_size or width,
        input_dropout=config.input_dropout,
        dropout=config.dropout,
        output_dropout=config.output_dropout,
        tie_weights=config.tie_weights,
        learn_initial_state=config.learn_initial_state,
        init=config.init if is_own else None,
        engine=config.engine,
    )


def open_run(run: str | Path, *, checkpoint: str | int = "best") -> TextRun:
    """Load a run of the text task; see ``recurra.load``."""
    folder = RunFolder.open(run)
    config = TextConfig(**read_config(folder.config, SECTIONS))
    vocabulary = Vocabulary.load(folder.path / "vocab.json")
    loaded = folder.checkpoints.load(str(checkpoint), weights_only=True)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, len(vocabulary))
    load_weights(model, loaded.weights, loaded.path)
    return TextRun(folder, config, vocabulary, model.eval(), loaded.step)


def load_weights(model: LanguageModel, weights: dict[str, Any], path: Path) -> None:
    """Put weights into a model of the same shape.

    Raises:
        CheckpointError: When they do not fit.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit the configuration beside it: {error}") from error
