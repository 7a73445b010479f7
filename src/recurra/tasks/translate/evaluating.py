"""How well a translator does on some pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from recurra.data import MAX_PADDED_STEPS, Tokenizer, iter_in_order
from recurra.tasks.shared.evaluation import Evaluation
from recurra.tasks.translate.parts import PairBatch, PairPart, build_batch
from recurra.tasks.translate.scoring import signatures, translate_metrics
from recurra.tasks.translate.translating import Search, Translated, translate
from recurra.training.protocol import Split, StepResult


def evaluation_result(
    model: nn.Module, batch: PairBatch, tokenizer: Tokenizer, search: Search, pictured: frozenset[int] = frozenset()
) -> StepResult:
    """Return what the targets of a batch cost, and as ``outputs`` the translations by the row of their pair.

    Args:
        model: A ``Translator`` in evaluation mode, or what wraps one.
        batch: The pairs.
        tokenizer: That of the target side.
        search: How to look for translations.
        pictured: Rows whose attention is kept.
    """
    nll = model(batch.src, batch.src_lengths, batch.inputs, batch.targets, batch.tgt_lengths)
    num_targets = int(batch.tgt_lengths.sum())
    return StepResult(
        nll.sum() / num_targets, num_targets, outputs=_translations(model, batch, tokenizer, search, pictured)
    )


def _translations(
    model: nn.Module, batch: PairBatch, tokenizer: Tokenizer, search: Search, pictured: frozenset[int]
) -> dict[int, Translated]:
    places = np.flatnonzero(batch.is_translated)
    if not len(places):
        return {}
    columns = torch.from_numpy(places)
    lengths = batch.src_lengths[columns]
    src = batch.src[: int(lengths.max()), columns.to(batch.src.device)]
    rows = batch.rows[places].tolist()
    found = translate(model, src, lengths, tokenizer, search, attention=not pictured.isdisjoint(rows))
    return {
        row: best[0] if row in pictured else dataclasses.replace(best[0], attention=None)
        for row, best in zip(rows, found, strict=True)
    }


@torch.no_grad()
def evaluate_part(
    model: nn.Module,
    part: PairPart,
    what: str,
    tokenizer: Tokenizer,
    search: Search,
    *,
    batch_size: int,
    lowercase: bool,
    data_notes: Sequence[str] = (),
) -> Evaluation:
    """Return how well a model does on all pairs of a part.

    Args:
        model: A ``Translator`` in evaluation mode.
        part: The pairs.
        what: What they are called.
        tokenizer: That of the target side.
        search: How to look for translations.
        batch_size: Pairs of a batch.
        lowercase: Whether case does not count.
        data_notes: What a person should know of the pairs.
    """
    metrics = translate_metrics(part, lowercase=lowercase)
    for batch in _batches(part, batch_size):
        result = evaluation_result(model, batch, tokenizer, search)
        for metric in metrics.values():
            metric.update(result)
    references = list(part.references.values())
    several = sum(len(texts) > 1 for texts in references)
    # with one beam there is nothing to compare lengths of
    penalty = f", length_penalty = {search.length_penalty:g}" if search.num_beams > 1 else ""
    notes = [f"{len(references):,} distinct sources translated with num_beams = {search.num_beams}{penalty}"]
    if several:
        notes.append(f"{several:,} of them have several references, which all count")
    notes += signatures(references, lowercase=lowercase)
    notes += data_notes
    figures = {name: metric.compute() for name, metric in metrics.items()}
    return Evaluation(what, len(part), "pairs", figures, notes=tuple(notes))


def _batches(part: PairPart, batch_size: int) -> Iterator[PairBatch]:
    first = part.first_of_source(np.arange(len(part)))
    is_translated = np.zeros(len(part), bool)
    is_translated[first] = True
    split: Split = "test"
    order = iter_in_order(part.order_keys, batch_size=batch_size, max_steps=MAX_PADDED_STEPS, steps=part.steps)
    for rows, cursor in order:
        yield build_batch(part, rows, cursor, split=split, translated=is_translated[rows])
