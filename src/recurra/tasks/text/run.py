"""A trained text run, for use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch

from recurra.data import Tokenizer, copied_share
from recurra.decoding import SamplingPolicy, StopString
from recurra.errors import ArgumentError, ChoiceError, RunError
from recurra.models import LanguageModel, WordCache
from recurra.tasks.shared.loading import load_weights
from recurra.tasks.text.building import build_model
from recurra.tasks.text.config import SECTIONS, TextConfig
from recurra.tasks.text.data import open_files, open_labels, open_tokenizer, reopen_text
from recurra.tasks.text.drafting import Draft
from recurra.tasks.text.evaluating import evaluate_text
from recurra.tasks.text.line_data import LineData
from recurra.tasks.text.parts import TextData
from recurra.tasks.text.scoring import Score, Scorer
from recurra.tasks.text.writing import NEVER_WRITTEN, Writer, joined
from recurra.training.config_file import read_config
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

CHAR_PIECE, TOKEN_PIECE = 20, 8
"""Characters, or tokens of other kinds, of the pieces that ``copied_share`` looks for."""


class TextRun:
    """A language model with its tokeniser and what it was trained on.

    Attributes:
        config: Configuration of the run.
        tokenizer: What makes its tokens.
        labels: Names of the labels that condition it, by their number; empty for most runs.
        model: The model, in evaluation mode, on the CPU.
        step: Optimiser step of the weights.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: TextConfig,
        tokenizer: Tokenizer,
        labels: tuple[str, ...],
        model: LanguageModel,
        step: int,
    ) -> None:
        self.folder, self.config, self.tokenizer, self.labels = folder, config, tokenizer, labels
        self.model, self.step = model, step

    @property
    def is_of_lines(self) -> bool:
        """Whether the model was trained on lines, each a sequence by itself."""
        return self.config.data.sequences == "lines"

    def label_number(self, condition: str | None) -> int | None:
        """Return the number of a label, None for a model without labels.

        Raises:
            ArgumentError: When a condition is missing or superfluous.
            ChoiceError: When the run knows no such label.
        """
        if condition is None:
            if self.labels:
                raise ArgumentError(
                    f"a model conditioned on labels expected a condition, got none; it knows {', '.join(self.labels)}"
                )
            return None
        if not self.labels:
            raise ArgumentError(
                f"expected no condition for a model without labels, got {condition!r}",
                hint="train with label_column to condition on labels",
            )
        if condition not in self.labels:
            raise ChoiceError("the condition", condition, self.labels)
        return self.labels.index(condition)

    def writer(
        self,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        num_samples: int = 1,
        seed: int | None = None,
        condition: str | None = None,
    ) -> Writer:
        """Return a ``Writer``: what ``generate`` uses, for full control over state and streaming.

        Raises:
            ArgumentError: When an argument is out of its range.
            ChoiceError: When the run knows no such label.
        """
        if num_samples < 1:
            raise ArgumentError(f"generate expected num_samples of at least 1, got {num_samples}")
        policy = SamplingPolicy(temperature=temperature, top_k=top_k, top_p=top_p)
        label = self.label_number(condition)
        return Writer(
            self.model,
            self.tokenizer,
            policy,
            num_samples=num_samples,
            seed=seed,
            is_of_lines=self.is_of_lines,
            labels=None if label is None else [label] * num_samples,
        )

    def draft(
        self,
        prime: str = "",
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        condition: str | None = None,
    ) -> Draft:
        """Return a ``Draft``: a text to write together with the model; arguments as for ``generate``."""
        policy = SamplingPolicy(temperature=temperature, top_k=top_k, top_p=top_p, banned=NEVER_WRITTEN)
        return Draft(
            self.model,
            self.tokenizer,
            policy,
            prime=prime,
            is_of_lines=self.is_of_lines,
            label=self.label_number(condition),
            seed=seed,
        )

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
        condition: str | None = None,
    ) -> str:
        """Go on with a text.

        Args:
            prime: What is there already; nothing means a new line. What the run has never seen is read as unknown.
            length: Tokens to write, at most; a model of lines ends by itself.
            temperature: 0 takes the likeliest token, 1 the model's own distribution.
            top_k: Draw among so many likeliest tokens only.
            top_p: Draw among the likeliest tokens that together have this probability.
            stop: End before this string.
            seed: Fixes the draws.
            condition: Label to write for, where the model was trained with labels.

        Returns:
            What was written, without the prime.

        Raises:
            ArgumentError: When an argument is out of its range.
        """
        return self.generate_many(
            1,
            prime,
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop=stop,
            seed=seed,
            condition=condition,
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
        condition: str | None = None,
    ) -> list[str]:
        """Go on with a text several times, in one batch; arguments as for ``generate``."""
        writer = self.writer(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            num_samples=num_samples,
            seed=seed,
            condition=condition,
        )
        if prime:
            writer.read(prime)
        return joined(stream(writer, length, stop), num_samples)

    def evaluate(
        self,
        split: Split = "validation",
        *,
        files: tuple[str, ...] = (),
        reset_every: int | None = None,
        cache: WordCache | None = None,
    ) -> dict[str, float]:
        """Say how well the model predicts a text.

        Args:
            split: Part of the run's own data.
            files: Text files to evaluate on instead.
            reset_every: Forget everything after so many tokens; None carries the state on.
            cache: Recent words to mix into the probabilities.

        Returns:
            ``loss`` (nats per token), ``bits_per_char``, ``perplexity`` (per token), ``num_tokens`` and ``num_chars``.

        Raises:
            ArgumentError: When an argument does not fit the run.
            DataError: When the data are gone or have changed.
            RunError: When the run has no such part.
        """
        if reset_every is not None and reset_every < 1:
            raise ArgumentError(f"evaluate expected reset_every of at least 1, got {reset_every}")
        if self.is_of_lines and (reset_every is not None or cache is not None):
            what = "reset_every" if reset_every is not None else "cache"
            raise ArgumentError(f"evaluate expected no {what} for a model of lines, which begin anew each")
        data: TextData
        if files:
            data = open_files(files, self.config.data, self.tokenizer, self.labels)
            return evaluate_text(self.model, data, "all", reset_every=reset_every, cache=cache)
        data = self.data()
        if not data.size(split):
            raise RunError(f"the run has no {split} part")
        return evaluate_text(self.model, data, split, reset_every=reset_every, cache=cache)

    def score(
        self,
        lines: Iterable[str],
        *,
        carry_state: bool = False,
        condition: str | None = None,
        with_end: bool = True,
    ) -> list[Score]:
        """Say how likely the model finds some lines, each from the beginning of a line up to its end.

        Args:
            lines: Lines without line breaks; an empty one is scored as its end alone.
            carry_state: Score each line given all lines before it, instead of by itself.
            condition: Label to score for, where the model was trained with labels.
            with_end: Whether the end of a line counts.

        Returns:
            A ``Score`` for each line, in their order.

        Raises:
            ArgumentError: When a line holds a line break, or a condition is missing or superfluous.
            ChoiceError: When the run knows no such label.

        Example:
            ``run.score(["Singapore MRT is not stable", "Singapore is MRT not stable"])[0].log_prob``
        """
        if isinstance(lines, str):
            raise ArgumentError(f"score expected several lines, got the string {lines[:60]!r}", hint="give [line]")
        scorer = self.scorer(condition=condition, with_end=with_end)
        return list(scorer.score_carried(lines) if carry_state else scorer.score(lines))

    def scorer(self, *, condition: str | None = None, with_end: bool = True) -> Scorer:
        """Return a ``Scorer``, which takes lines one after the other and keeps none; see ``score``."""
        label = self.label_number(condition)
        return Scorer(self.model, self.tokenizer, is_of_lines=self.is_of_lines, label=label, with_end=with_end)

    def copied_share(self, texts: Sequence[str]) -> float | None:
        """Return how much of some texts stands in the training text; None if they are too short to tell.

        Of a stream it is the share of pieces of 20 characters (or 8 tokens of other kinds), of lines the share of
        lines that are training lines.

        Raises:
            DataError: When the data are gone or have changed.
        """
        tokens = [self.tokenizer.encode(text) for text in texts]
        length = 1 if self.is_of_lines else self.piece
        tokens = [ids for ids in tokens if len(ids) >= length]
        if not tokens:
            return None  # opening the training text may mean to read all of it
        data = self.data()
        if isinstance(data, LineData):
            return sum(ids in data.training_lines for ids in tokens) / len(tokens)
        start, stop = data.splits.train
        weighted = []
        for ids in tokens:
            share = copied_share(ids, data.ids.read, start, stop, piece=length)
            if share is not None:
                weighted.append((share, len(ids) - length + 1))
        total = sum(weight for _, weight in weighted)
        return sum(share * weight for share, weight in weighted) / total if total else None

    @property
    def piece(self) -> int:
        """Tokens of the pieces that ``copied_share`` looks for in a stream."""
        return CHAR_PIECE if self.tokenizer.kind == "char" else TOKEN_PIECE

    def data(self) -> TextData:
        """Return the data that the run was trained on.

        Raises:
            DataError: When the data are gone or have changed.
        """
        return reopen_text(self.folder, self.config.data)


def stream(
    writer: Writer, length: int | None, stop: str | None = None, is_over: Callable[[], bool] = lambda: False
) -> Iterator[list[str]]:
    """Return what can be shown of every text, piece by piece, until all are long enough or have met the stop string.

    Args:
        writer: Writes.
        length: Tokens a text, at most; None means without end.
        stop: End before this string.
        is_over: Asked after each token; ends all texts in good order when it says so.

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
    for pieces in writer.write(length):
        yield [each.feed(piece) for each, piece in zip(filters, pieces, strict=True)] if filters else pieces
        if is_over() or (filters and all(each.finished for each in filters)):
            break
    if filters:
        yield [each.flush() for each in filters]


def open_run(run: str | Path, *, checkpoint: str | int = "best") -> TextRun:
    """Load a run of the text task; see ``recurra.load``."""
    folder = RunFolder.open(run)
    config = TextConfig(**read_config(folder.config, SECTIONS))
    tokenizer, labels = open_tokenizer(folder), open_labels(folder)
    loaded = folder.checkpoints.load(str(checkpoint), weights_only=True)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, tokenizer, len(labels))
    load_weights(model, loaded.weights, loaded.path)
    return TextRun(folder, config, tokenizer, labels, model.eval(), loaded.step)
