"""Cheap models beside which a recurrent one must stand."""

from __future__ import annotations

from collections.abc import Mapping

from recurra.data import known_ids
from recurra.models.ngram import MAX_TRAIN, CountModel, KneserNey, Unigram
from recurra.tasks.text.data import Part, TextData
from recurra.tasks.text.evaluating import text_metrics

ORDER = 5
_MAX_EVALUATED = 5_000_000


def fit_baselines(data: TextData) -> Mapping[str, CountModel]:
    """Return a unigram and a modified Kneser-Ney 5-gram model of the last five million characters to train on."""
    start, stop = data.splits.train
    train = known_ids(data.read_ids(max(start, stop - MAX_TRAIN), stop), data.num_known)
    vocab_size = len(data.vocabulary)
    return {
        "unigram": Unigram(vocab_size).fit(train),
        f"{ORDER}-gram": KneserNey(ORDER, vocab_size).fit(train),
    }


def baseline_figures(
    models: Mapping[str, CountModel], data: TextData, part: Part, max_chars: int | None = None
) -> Mapping[str, Mapping[str, float]]:
    """Return the metrics of some models over the same targets that the recurrent model predicts.

    These are all characters of the part but its first; of a longer part the first ``max_chars``, and never more than
    five million.
    """
    start, stop = data.range(part)
    num_evaluated = _MAX_EVALUATED if max_chars is None else min(max_chars, _MAX_EVALUATED)
    ids = known_ids(data.read_ids(start, min(stop, start + num_evaluated)), data.num_known)
    figures = {}
    for name, model in models.items():
        loss = -float(model.log_probs(ids)[1:].mean())
        figures[name] = {metric: values.of(loss) for metric, values in text_metrics().items()}
    return figures
