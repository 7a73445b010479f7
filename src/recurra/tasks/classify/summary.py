"""What is worth knowing before a classifier trains, and what it says of examples meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from recurra.models import Classifier
from recurra.tasks.classify.building import Shape, count_parameters, count_recurrent
from recurra.tasks.classify.config import DataConfig, ModelConfig
from recurra.tasks.classify.data import ClassifyData, Sequences
from recurra.tasks.classify.examples import PARTS
from recurra.tasks.classify.predictions import predict_probs
from recurra.tasks.classify.reporting import one_line, shown_item

_MAX_CLASSES = 10
_MAX_TEXT = 70
_MAX_LABEL = 24


def summary_lines(data: ClassifyData, config: DataConfig, model_config: ModelConfig, model: nn.Module) -> list[str]:
    """Return lines on data and model."""
    sizes = ", ".join(f"{len(data.parts[name]):,} for {name}" for name in PARTS if len(data.parts[name]))
    lines = [f"examples: {sizes.replace('for train', 'for training', 1)}", _class_line(data), *data.notes]
    lengths = data.sequences.lengths[data.parts["train"]]
    if data.tokenizer is None:
        unit = "steps"
        lines.append(f"numbers: {data.input_size} a step, {int(np.median(lengths)):,} steps in the median example")
    else:
        unit = f"{data.tokenizer.unit}s"
        text = f"{unit}: {len(data.tokenizer):,} in the vocabulary, {int(np.median(lengths)):,} in the median example"
        unknown = data.unknown_share("validation")
        lines.append(text + (f", {unknown:.2%} of those for validation are unknown" if unknown else ""))
    if data.sequences.num_cut:
        are, whose = ("example is", "its") if data.sequences.num_cut == 1 else ("examples are", "their")
        what = f"{data.sequences.num_cut:,} {are} longer than {config.max_length:,} {unit}"
        end = "beginning" if config.keep == "begin" else "end"
        lines.append(f"{what}: only {whose} {end} is read (max_length)")
    empty = int((data.sequences.lengths == 0).sum())
    if empty:
        lines.append(f"{empty:,} {'example has' if empty == 1 else 'examples have'} no {unit}")
    return [*lines, *model_lines(data, model_config, model)]


def _class_line(data: ClassifyData) -> str:
    counts = data.class_counts("train")
    order = np.argsort(-counts, kind="stable")
    shown = ", ".join(f"{data.labels[k]} {counts[k]:,}" for k in order[:_MAX_CLASSES])
    more = len(order) - _MAX_CLASSES
    return f"classes: {len(order)}, of the training part {shown}" + (f" and {more} more" if more > 0 else "")


def model_lines(data: ClassifyData, config: ModelConfig, model: nn.Module) -> list[str]:
    """Return a line on the model; where it is no recurrent one, with the parameters of that beside its own."""
    num_parameters = count_parameters(model)
    if config.model == "recurrent":
        directions = "two directions" if config.bidirectional else "one direction"
        layers = f"{config.num_layers} x {config.hidden_size} units, {directions}, {config.pooling} pooling"
        return [f"model: {config.cell}, {layers}, {num_parameters:,} parameters"]
    width = f"{config.width:,} filters of each of 3 sizes"
    if config.model == "mlp":
        width = f"mean of all steps, {config.num_layers} x {config.width:,} units"
    shape = Shape.of(data)
    embedding = 0 if shape.vocab_size is None else shape.vocab_size * (config.embedding_size or 0)
    recurrent = count_recurrent(config, shape) + embedding
    return [
        f"model: {config.model}, {width}, {num_parameters:,} parameters (recurrent with these options: {recurrent:,})"
    ]


def sample_lines(model: Classifier, data: ClassifyData, rows: np.ndarray) -> Sequence[str]:
    """Return one text with a line for each of some examples: what the model takes it for, and what it is."""
    if not len(rows):
        return []
    values = [data.sequences.values[row] for row in rows]
    probs = predict_probs(model, Sequences(values, data.sequences.lengths[rows], 0), len(rows))
    lines = []
    for row, answer in zip(rows, probs, strict=True):
        pred, target = int(answer.argmax()), int(data.targets[row])
        verdict = data.labels[pred][:_MAX_LABEL]
        if pred != target:
            verdict += f", not {data.labels[target][:_MAX_LABEL]}"
        mark = "right" if pred == target else "WRONG"
        text = one_line(shown_item(data.items[row], row))
        text = text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"
        lines.append(f"{mark}  {answer[pred]:.2f}  {verdict:20}  {text}")
    return ["\n".join(lines)]
