"""What a person sees of a tagger while it trains."""

from __future__ import annotations

import numpy as np

from recurra.models import Tagger
from recurra.tasks.tag.encoding import Encoded, Encoder
from recurra.tasks.tag.predicting import predict_tags

_NUM_SENTENCES = 6
_MOST_WORDS = 20
_LEAST_WORDS = 4


class Sampler:
    """Tags some sentences, always the same.

    Args:
        encoded: The validation part.
        encoder: Words and tags.
    """

    def __init__(self, encoded: Encoded, encoder: Encoder) -> None:
        self.encoder = encoder
        assert encoded.tags is not None
        names = (*encoder.tags, *encoded.unknown_tags)
        chosen = _evenly(encoded.lengths)
        self.sentences = [encoded.words(one) for one in chosen]
        self.truth = [
            [names[tag] for tag in encoded.tags[encoded.starts[one] : encoded.starts[one + 1]].tolist()]
            for one in chosen
        ]

    def sample(self, model: Tagger) -> str:
        """Return the sentences as ``word/TAG``; a wrong tag has the right one behind it: ``word/TAG(not TRUE)``."""
        predicted = predict_tags(model, self.encoder, self.sentences, batch_size=_NUM_SENTENCES)
        lines = [_line(*columns) for columns in zip(self.sentences, predicted, self.truth, strict=True)]
        num_words = sum(map(len, self.sentences))
        wrong = sum(
            one != other
            for ours, theirs in zip(predicted, self.truth, strict=True)
            for one, other in zip(ours, theirs, strict=True)
        )
        return "\n".join([f"[{num_words - wrong} of {num_words} words right]", *lines])


def _evenly(lengths: np.ndarray) -> list[int]:
    """Return sentences that are spread over the part, of a length that is easily read where there are enough."""
    handy = np.flatnonzero((lengths >= _LEAST_WORDS) & (lengths <= _MOST_WORDS))
    pool = handy if len(handy) >= _NUM_SENTENCES else np.arange(len(lengths))
    places = np.linspace(0, len(pool) - 1, min(_NUM_SENTENCES, len(pool))).astype(np.int64)
    chosen: list[int] = pool[places].tolist()
    return chosen


def _line(words: list[str], predicted: tuple[str, ...], truth: list[str]) -> str:
    marked = zip(words, predicted, truth, strict=True)
    return " ".join(f"{word}/{tag}" if tag == true else f"{word}/{tag}(not {true})" for word, tag, true in marked)
