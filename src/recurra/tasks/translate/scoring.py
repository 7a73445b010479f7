"""BLEU and chrF of translations, with one or several references each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recurra.tasks.translate.parts import PairPart
from recurra.tasks.translate.translating import Translated
from recurra.training.metrics import LossMetric, Perplexity
from recurra.training.protocol import Metric, StepResult


def corpus_bleu(translations: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool) -> float:
    """Return the BLEU of a corpus in percent.

    Args:
        translations: One for each sentence; at least one.
        references: One or more for each sentence.
        lowercase: Whether case does not count.

    Source: Papineni et al. 2002; Post 2018, A call for clarity in reporting BLEU scores (sacrebleu).
    """
    # rounding takes a perfect score beyond 100
    return min(float(_bleu(lowercase).corpus_score(list(translations), _streams(references)).score), 100.0)


def corpus_chrf(translations: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool) -> float:
    """Return the chrF2 of a corpus in percent; arguments as for ``corpus_bleu``.

    Source: Popović 2015, chrF: character n-gram F-score for automatic MT evaluation.
    """
    return float(_chrf(lowercase).corpus_score(list(translations), _streams(references)).score)


def signatures(references: Sequence[Sequence[str]], *, lowercase: bool) -> tuple[str, str]:
    """Return how sacrebleu calls the BLEU and the chrF of a corpus with such references."""
    signed = []
    # how many references there are is part of it, and only known once they were seen; the ends say whether that varies
    ends = [min(references, key=len), max(references, key=len)]
    for name, metric in (("BLEU", _bleu(lowercase)), ("chrF2", _chrf(lowercase))):
        metric.corpus_score([""] * len(ends), _streams(ends))
        signed.append(f"{name} {metric.get_signature()}")
    return signed[0], signed[1]


def _bleu(lowercase: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(lowercase=lowercase, force=True)  # it would else complain of text that looks tokenised


def _chrf(lowercase: bool) -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(lowercase=lowercase)


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Return references by their number and not by sentence; None where a sentence has no further one."""
    most = max(map(len, references))
    return [[texts[number] if number < len(texts) else None for texts in references] for number in range(most)]


class TranslationMetric:
    """BLEU or chrF of what was translated in an evaluation.

    Args:
        part: The pairs that are evaluated on.
        score: ``corpus_bleu`` or ``corpus_chrf``.
        lowercase: Whether case does not count.
        on_first: Called with the metric when it takes in its first translations.

    Attributes:
        translated: The translations taken in, by the row of their pair.
    """

    higher_is_better = True

    def __init__(
        self,
        part: PairPart,
        score: Callable[..., float],
        *,
        lowercase: bool,
        on_first: Callable[[TranslationMetric], None] | None = None,
    ) -> None:
        self.part = part
        self.translated: dict[int, Translated] = {}
        self._score, self._lowercase, self._on_first = score, lowercase, on_first

    def update(self, result: StepResult) -> None:
        """Take in the translations of one batch."""
        if not self.translated and self._on_first is not None:
            self._on_first(self)
        self.translated.update(result.outputs)

    def compute(self) -> float:
        """Return the score in percent; NaN when nothing was translated."""
        if not self.translated:
            return math.nan
        rows = sorted(self.translated)
        references = [self.part.references[self.part.sources[row]] for row in rows]
        texts = [self.translated[row].text for row in rows]
        return self._score(texts, references, lowercase=self._lowercase)


def translate_metrics(
    part: PairPart, *, lowercase: bool, on_first: Callable[[TranslationMetric], None] | None = None
) -> Mapping[str, Metric]:
    """Return fresh metrics, the one to select by first."""
    return {
        "bleu": TranslationMetric(part, corpus_bleu, lowercase=lowercase, on_first=on_first),
        "chrf": TranslationMetric(part, corpus_chrf, lowercase=lowercase),
        "loss": LossMetric(),
        "perplexity": Perplexity(),
    }
