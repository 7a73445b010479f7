"""Cheap models beside which a recurrent one must stand."""

from __future__ import annotations

from collections.abc import Mapping

from recurra.models.ngram import MAX_TRAIN, CountModel, KneserNey, Unigram
from recurra.tasks.text.evaluating import text_metrics
from recurra.tasks.text.facts import Part
from recurra.tasks.text.parts import TextData

ORDER = 5
_MAX_EVALUATED = 5_000_000


def fit_baselines(data: TextData) -> Mapping[str, CountModel]:
    """Return a unigram and a modified Kneser-Ney 5-gram model of up to five million training tokens."""
    ids, starts = data.training_tokens(MAX_TRAIN)
    vocab_size = len(data.tokenizer)
    return {
        "unigram": Unigram(vocab_size).fit(ids, starts),
        f"{ORDER}-gram": KneserNey(ORDER, vocab_size).fit(ids, starts),
    }


def baseline_figures(
    models: Mapping[str, CountModel], data: TextData, part: Part, max_tokens: int | None = None
) -> Mapping[str, Mapping[str, float]]:
    """Return the metrics of some models over the same targets that the recurrent model predicts.

    Of a stream these are all tokens but its first, of lines all tokens with their line ends; of a longer part the
    first ``max_tokens``, and never more than five million.
    """
    num_evaluated = _MAX_EVALUATED if max_tokens is None else min(max_tokens, _MAX_EVALUATED)
    ids, starts = data.evaluation_tokens(part, num_evaluated)
    first = 1 if starts is None else 0  # what a stream begins with has nothing before it
    chars_per_token = data.chars_per_token(part, num_evaluated)
    figures = {}
    for name, model in models.items():
        loss = -float(model.log_probs(ids, starts)[first:].mean())
        figures[name] = {metric: values.of(loss) for metric, values in text_metrics(chars_per_token).items()}
    return figures
