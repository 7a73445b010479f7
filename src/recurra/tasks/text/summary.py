"""What is worth knowing before a language model trains."""

from __future__ import annotations

from torch import nn

from recurra.tasks.text.config import DataConfig, ModelConfig
from recurra.tasks.text.data import TextData

_LARGE, _SMALL = 5.0, 0.2
"""Parameters a training character beyond which a model is called large or small for its text. The rule of thumb that
both should be of the same order of magnitude is from the notes of char-rnn (Karpathy 2015)."""


def summary_lines(data: TextData, data_config: DataConfig, config: ModelConfig, model: nn.Module) -> list[str]:
    """Return lines on data, model, and how they fit each other."""
    train, validation, test = (stop - start for start, stop in (data.range(p) for p in ("train", "validation", "test")))
    lines = [
        f"data: {data.num_chars:,} characters ({train:,} training, {validation:,} validation, {test:,} test), "
        f"{data.num_known} distinct in the training part"
    ]
    limit = data_config.max_evaluation_chars
    if limit is not None and limit < max(validation, test):
        lines.append(f"of validation and test part the first {limit:,} characters are read (max_evaluation_chars)")
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    lines.append(
        f"model: {config.cell}, {config.num_layers} x {config.hidden_size} units, {num_parameters:,} parameters, "
        f"{advice(num_parameters, train)}"
    )
    return lines


def advice(num_parameters: int, num_chars: int) -> str:
    """Say whether a model is large or small for a text."""
    ratio = num_parameters / num_chars
    rate = f"{ratio:.2g} a training character: "
    if ratio > _LARGE:
        return rate + "large for this text; expect it to memorise: watch validation, raise dropout, or take fewer units"
    if ratio < _SMALL:
        return rate + "small for this text; more units would learn more, at a price in time"
    return rate + "a size that suits this text"
