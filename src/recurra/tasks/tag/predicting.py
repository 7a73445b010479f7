"""Running a tagger over sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recurra.data import MAX_PADDED_STEPS, iter_in_order
from recurra.models import Tagger
from recurra.tasks.tag.encoding import Encoded, Encoder, TagBatch
from recurra.tasks.tag.metrics import TagCollector, TagOutputs, tag_metrics
from recurra.tasks.tag.scores import TagScores
from recurra.training.protocol import StepResult


def evaluate_batch(model: Any, batch: TagBatch, num_tags: int, *, wants_tags: bool) -> StepResult:
    """Return the mean loss of a batch in nats a word, and the predicted tags where they are wanted.

    Sentences with a tag that the model does not know are left out of the loss.

    Args:
        model: A ``Tagger``, or what wraps one.
        batch: Sentences with their tags.
        num_tags: How many tags the model knows.
        wants_tags: Whether tags are to be predicted.
    """
    assert batch.tags is not None
    emissions = model(*batch.inputs)
    lengths = batch.lengths
    is_unknown = (batch.tags >= num_tags).any(0)
    if is_unknown.any():
        lengths = lengths.masked_fill(is_unknown.cpu(), 0)
    total, num_words = model.loss(emissions, batch.tags, lengths)
    outputs = None
    if wants_tags:
        outputs = TagOutputs(batch.sentences, model.decode(emissions, batch.lengths).cpu().numpy())
    return StepResult(total / num_words if num_words else total, num_words, outputs=outputs)


def evaluate_sentences(
    model: Tagger, encoded: Encoded, tags: tuple[str, ...], *, batch_size: int
) -> tuple[dict[str, float], TagScores]:
    """Return the metrics of a model over some sentences, and the finer scores."""
    collector = TagCollector(encoded, tags)
    metrics = tag_metrics(collector)
    with_chars = model.char_features is not None
    with torch.inference_mode():
        for sentences, cursor in iter_in_order(encoded.lengths, batch_size=batch_size, max_steps=MAX_PADDED_STEPS):
            batch = encoded.batch(sentences, cursor, with_chars=with_chars)
            result = evaluate_batch(model, batch, len(tags), wants_tags=True)
            for metric in metrics.values():
                metric.update(result)
    return {name: float(metric.compute()) for name, metric in metrics.items()}, collector.scores


def predict_tags(
    model: Tagger, encoder: Encoder, sentences: Sequence[Sequence[str]], *, batch_size: int
) -> list[tuple[str, ...]]:
    """Return the tags of each word of some sentences; an empty sentence has none.

    Args:
        model: The model, in evaluation mode.
        encoder: What makes numbers of words.
        sentences: The words of each sentence.
        batch_size: Sentences that are tagged side by side.
    """
    tags: list[tuple[str, ...]] = [()] * len(sentences)
    filled = np.array([index for index, words in enumerate(sentences) if words], np.int64)
    if not len(filled):
        return tags
    encoded = encoder.encode([sentences[index] for index in filled.tolist()])
    device = next(model.parameters()).device
    with torch.no_grad():
        for chosen, cursor in iter_in_order(encoded.lengths, batch_size=batch_size, max_steps=MAX_PADDED_STEPS):
            batch = encoded.batch(chosen, cursor, with_chars=model.char_features is not None).to(device)
            predicted = model.decode(model(*batch.inputs), batch.lengths).cpu().numpy()
            for column, (index, length) in enumerate(zip(filled[chosen], encoded.lengths[chosen], strict=True)):
                tags[index] = tuple(encoder.tags[tag] for tag in predicted[:length, column].tolist())
    return tags
