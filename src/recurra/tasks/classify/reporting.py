"""What a person should see of a model's answers: figures of each class, the worst mistakes, the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurra.tasks.classify.data import ClassifyData
from recurra.tasks.classify.examples import Item
from recurra.tasks.classify.metrics import Predictions, class_figures
from recurra.tasks.shared.confusion_plot import plot_confusion
from recurra.tasks.shared.evaluation import Table
from recurra.training.files import replace_file, reported_writing

Row = tuple[str | int | float, ...]
_MAX_MISTAKES = 1000
_MAX_LINE_CLASSES = 30
_MAX_TEXT = 60


def class_table(confusion: np.ndarray, labels: Sequence[str]) -> Table:
    """Return precision, recall and F1 of each class."""
    figures = class_figures(confusion)
    columns = (figures.precision, figures.recall, figures.f1)
    rows: list[Row] = [
        (label, *(round(float(column[k]), 4) for column in columns), int(figures.support[k]))
        for k, label in enumerate(labels)
    ]
    return Table("classes", ("class", "precision", "recall", "f1", "support"), tuple(rows))


def confusion_table(confusion: np.ndarray, labels: Sequence[str]) -> Table:
    """Return the confusion matrix: a row for each true class, a column for each predicted one."""
    rows: list[Row] = [(label, *map(int, counts)) for label, counts in zip(labels, confusion, strict=True)]
    return Table("confusion (rows: true class)", ("class", *labels), tuple(rows))


def write_report(folder: Path, data: ClassifyData, predictions: Predictions, part: str) -> list[str]:
    """Write ``plots/confusion.png`` and ``mistakes.tsv``, and return lines for a person.

    Args:
        folder: Of the run.
        data: The examples.
        predictions: What the model said of one of their parts.
        part: What that part is called.

    Raises:
        RunWriteError: When a file cannot be written.
    """
    confusion = predictions.confusion()
    with reported_writing(folder):
        (folder / "plots").mkdir(exist_ok=True)
        plot_confusion(confusion, data.labels, folder / "plots" / "confusion.png")
        num_mistakes = write_mistakes(folder / "mistakes.tsv", data, predictions)
    lines = class_lines(class_table(confusion, data.labels), part)
    total = len(predictions)
    return [
        *lines,
        f"{num_mistakes:,} of {total:,} {part} examples are mistaken; the most confident ones are in mistakes.tsv",
        "which class is taken for which: plots/confusion.png",
    ]


def class_lines(table: Table, part: str) -> list[str]:
    """Return a table of classes as lines of text, the worst ones where there are many."""
    rows = sorted(table.rows, key=lambda row: row[3])
    shown = rows[:_MAX_LINE_CLASSES] if len(rows) > _MAX_LINE_CLASSES else table.rows
    width = max(len("class"), *(len(str(row[0])[:_MAX_TEXT]) for row in shown))
    title = f"classes of the {part} part" + ("" if len(shown) == len(rows) else f", the {len(shown)} with the least f1")
    lines = [title, f"{'class':{width}}  precision  recall     f1  examples"]
    for label, precision, recall, f1, support in shown:
        lines.append(f"{str(label)[:_MAX_TEXT]:{width}}  {precision:9.3f}  {recall:6.3f}  {f1:5.3f}  {support:8,}")
    return lines


def write_mistakes(path: Path, data: ClassifyData, predictions: Predictions) -> int:
    """Write the mistakes, the most confident first, and return how many there are."""
    rows, targets, preds, probs = predictions.rows, predictions.targets, predictions.preds, predictions.probs
    wrong = np.flatnonzero(preds != targets)
    confidence = probs[wrong, preds[wrong]]
    order = wrong[np.lexsort((rows[wrong], -confidence))][:_MAX_MISTAKES]
    lines = ["true\tpredicted\tprobability\ttext"]
    for place in order:
        cells = (data.labels[targets[place]], data.labels[preds[place]], f"{probs[place, preds[place]]:.4f}")
        lines.append("\t".join(map(one_line, (*cells, shown_item(data.items[rows[place]], rows[place])))))
    replace_file(path, "\n".join(lines) + "\n")
    return len(wrong)


def shown_item(item: Item, row: int) -> str:
    """Return an item as text for a person: of numbers, which example it is."""
    return item if isinstance(item, str) else f"example {row + 1} ({len(item)} steps)"


def one_line(text: str) -> str:
    """Return a text as one cell of a table whose columns are parted by tabs."""
    return " ".join(text.split())
