"""What a translator must beat: copying the source, and always saying the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from recurra.tasks.translate.parts import PairPart
from recurra.tasks.translate.scoring import corpus_bleu, corpus_chrf


def baseline_figures(
    train: PairPart, part: PairPart, rows: np.ndarray, *, lowercase: bool
) -> Mapping[str, Mapping[str, float]]:
    """Return the figures of both over the translated rows of a part.

    Args:
        train: The training part.
        part: The part that is evaluated on.
        rows: Rows that are translated, each source once.
        lowercase: Whether case does not count.
    """
    sources = [part.sources[row] for row in rows.tolist()]
    references = [part.references[source] for source in sources]
    ((most_frequent, _),) = Counter(train.targets).most_common(1)
    translations = {"copied source": sources, "most frequent target": [most_frequent] * len(sources)}
    return {
        name: {
            "bleu": corpus_bleu(texts, references, lowercase=lowercase),
            "chrf": corpus_chrf(texts, references, lowercase=lowercase),
        }
        for name, texts in translations.items()
    }
