"""What a translator says of one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.tasks.translate.translating import Translated


@dataclass(frozen=True)
class TranslatePrediction:
    """The translations of a sentence.

    Attributes:
        src: The sentence as it was given.
        translations: Its translations, the best one first; one empty translation for an empty sentence.
        src_tokens: What was read, in the order in which it was, the end included.
        tokens: What the best translation is made of.
    """

    src: str
    translations: tuple[Translated, ...]
    src_tokens: tuple[str, ...]
    tokens: tuple[str, ...]

    @classmethod
    def of_nothing(cls, src: str) -> TranslatePrediction:
        """Return the prediction for a sentence without text."""
        return cls(src, (Translated("", (), 0.0, 0.0),), (), ())

    @property
    def text(self) -> str:
        """The best translation."""
        return self.translations[0].text

    @property
    def attention(self) -> np.ndarray | None:
        """What the best translation looked at, see ``Translated``; None where it was not asked for."""
        return self.translations[0].attention

    def to_json(self) -> dict[str, Any]:
        """Return the sentence, its best translation and all translations with their scores, as plain values."""
        found = [{"translation": one.text, "score": one.score, "log_prob": one.log_prob} for one in self.translations]
        return {"src": self.src, "translation": self.text, "n_best": found}

    def to_line(self) -> str:
        """Return the translation; of several each on a line of its own, its score and a tab before it."""
        if len(self.translations) == 1:
            return _one_line(self.text)
        return "\n".join(f"{one.score:.4f}\t{_one_line(one.text)}" for one in self.translations)


def _one_line(text: str) -> str:
    """Return a text as one cell of a line; a model of characters may write any of them."""
    return text.replace("\t", " ").replace("\n", " ")
