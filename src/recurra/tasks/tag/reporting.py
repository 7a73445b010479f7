"""What a run of the tag task leaves for people: which tags are taken for which, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurra.tasks.shared.confusion_plot import plot_confusion
from recurra.tasks.tag.encoding import Encoded
from recurra.tasks.tag.scores import TagScores
from recurra.training.files import replace_file

MISTAKES = "mistakes.tsv"
_MOST_MISTAKES = 2000
_AROUND = 8  # words of the sentence that are shown on each side


def write_report(scores: TagScores, encoded: Encoded, split: str, folder: Path) -> Sequence[str]:
    """Write ``plots/confusion.png`` and ``mistakes.tsv``, and return lines for a person.

    Args:
        scores: The predicted tags of a part.
        encoded: The part.
        split: Its name.
        folder: The run folder, with its folder of plots.
    """
    plot_confusion(scores.confusion, scores.names, folder / "plots" / "confusion.png", what="tag")
    wrong = _most_common_first(scores)
    rows = ["\t".join(("words", "true", "predicted", "word", "sentence"))]
    rows += ["\t".join(_row(place, count, scores, encoded)) for place, count in wrong[:_MOST_MISTAKES]]
    replace_file(folder / MISTAKES, "\n".join(rows) + "\n")
    return [
        f"{len(wrong):,} of {len(scores.truth):,} {split} words have a wrong tag; {MISTAKES} lists them, the most "
        "common kind first, and plots/confusion.png counts them"
    ]


def _most_common_first(scores: TagScores) -> list[tuple[int, int]]:
    """Return the places of wrong tags, those of the most common kind first, with how many are of that kind."""
    places = np.flatnonzero(scores.truth != scores.predicted)
    counts = scores.confusion[scores.truth[places], scores.predicted[places]]
    kinds = scores.truth[places] * len(scores.names) + scores.predicted[places]
    order = np.lexsort((places, kinds, -counts))
    return list(zip(places[order].tolist(), counts[order].tolist(), strict=True))


def _row(place: int, count: int, scores: TagScores, encoded: Encoded) -> tuple[str, ...]:
    sentence = int(np.searchsorted(encoded.starts, place, side="right")) - 1
    words = encoded.words(sentence)
    index = place - int(encoded.starts[sentence])
    first, last = max(index - _AROUND, 0), index + _AROUND + 1
    marked = [*words[first:index], f"[[{words[index]}]]", *words[index + 1 : last]]
    names = scores.names
    return str(count), names[scores.truth[place]], names[scores.predicted[place]], words[index], " ".join(marked)
