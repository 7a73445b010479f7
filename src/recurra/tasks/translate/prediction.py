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
        is_list: Whether several translations were asked for, of which fewer may have been found.
    """

    src: str
    translations: tuple[Translated, ...]
    src_tokens: tuple[str, ...]
    tokens: tuple[str, ...]
    is_list: bool = False

    @classmethod
    def of_nothing(cls, src: str, *, is_list: bool = False) -> TranslatePrediction:
        """Return the prediction for a sentence without text."""
        return cls(src, (Translated("", (), 0.0, 0.0),), (), (), is_list)

    @property
    def text(self) -> str:
        """The best translation."""
        return self.translations[0].text

    @property
    def attention(self) -> np.ndarray | None:
        """What the best translation looked at, see ``Translated``; None where it was not asked for."""
        return self.translations[0].attention

    def to_json(self) -> dict[str, Any]:
        """Return the sentence, its best translation and all translations with their scores, as plain values.

        ``is_complete`` says of each whether it ended by itself, and was not cut at the longest length.
        """
        found = [
            {
                "translation": one.text,
                "score": one.score,
                "log_prob": one.log_prob,
                "is_complete": one.is_complete,
            }
            for one in self.translations
        ]
        return {"src": self.src, "translation": self.text, "n_best": found}

    def to_line(self) -> str:
        """Return the translation; of a list each on a line behind its score and a tab, and an empty line at the end.

        So it can be seen where the list of one sentence ends, also where fewer translations were found.
        """
        if not self.is_list:
            return _one_line(self.text)
        return "".join(f"{one.score:.4f}\t{_one_line(one.text)}\n" for one in self.translations)


def _one_line(text: str) -> str:
    """Return a text as one cell of a line; a model of characters may write any of them."""
    return text.replace("\t", " ").replace("\n", " ")
