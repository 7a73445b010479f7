"""What is written when a translator has been trained."""

from __future__ import annotations

from pathlib import Path

from recurra.tasks.translate.parts import TranslateData
from recurra.tasks.translate.pictures import draw_attention
from recurra.tasks.translate.scoring import TranslationMetric, signatures
from recurra.tasks.translate.translating import TokenNames
from recurra.training.files import replace_file
from recurra.training.protocol import Split

TABLE = "translations.tsv"


def write_report(
    metric: TranslationMetric, split: Split, data: TranslateData, folder: Path, *, lowercase: bool
) -> list[str]:
    """Write translations and pictures of attention into the folder of a run, and return lines for a person."""
    part = metric.part
    rows = sorted(metric.translated)
    references = [part.references[part.sources[row]] for row in rows]
    lines = ["source\treference\ttranslation"]
    for row, texts in zip(rows, references, strict=True):
        lines.append("\t".join(map(_cell, (part.sources[row], " | ".join(texts), metric.translated[row].text))))
    replace_file(folder / TABLE, "\n".join(lines) + "\n")
    said = [f"{len(rows):,} translations of the {split} part in {TABLE}"]
    num_pictures = _draw(metric, data, folder / "plots")
    if num_pictures:
        said.append(f"{num_pictures} pictures of attention in plots")
    if rows:
        said += signatures(references, lowercase=lowercase)
    return said


def _draw(metric: TranslationMetric, data: TranslateData, folder: Path) -> int:
    shown = [(row, found) for row, found in sorted(metric.translated.items()) if found.attention is not None]
    if shown:
        folder.mkdir(exist_ok=True)
    src_names, tgt_names = map(TokenNames, data.tokenizers)
    for number, (row, found) in enumerate(shown, start=1):
        assert found.attention is not None
        source = src_names.of(metric.part.src_ids[row].tolist())
        target = [*tgt_names.of(found.ids), "<eos>"][: len(found.attention)]
        draw_attention(found.attention, source, target, folder / f"attention_{number}.png")
    return len(shown)


def _cell(text: str) -> str:
    """Return a text as a cell of a tab-separated table; models of characters may write anything."""
    return text.replace("\t", " ").replace("\n", " ")
