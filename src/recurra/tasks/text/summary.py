"""What is worth knowing before a language model trains."""

from __future__ import annotations

from torch import nn

from recurra.data import UNK_ID
from recurra.tasks.text.config import DataConfig, ModelConfig
from recurra.tasks.text.line_data import LineData
from recurra.tasks.text.parts import TextData

_UNKNOWN_SAMPLE = 500_000
_LARGE, _SMALL = 5.0, 0.2
"""Parameters a training character beyond which a model is called large or small for its text. The rule of thumb that
both should be of the same order of magnitude is from the notes of char-rnn (Karpathy 2015)."""


def summary_lines(data: TextData, data_config: DataConfig, config: ModelConfig, model: nn.Module) -> list[str]:
    """Return lines on data, model, and how they fit each other."""
    unit = data.tokenizer.unit
    lines = [data.summary(), *data.facts.notes]
    if isinstance(data, LineData):
        lines += data.notes()
    unknown = unknown_share_line(data)
    if unknown:
        lines.append(unknown)
    limit = data_config.max_evaluation_tokens
    if limit is not None and limit < max(data.size("validation"), data.size("test")):
        lines.append(f"of validation and test part the first {limit:,} {unit}s are read (max_evaluation_tokens)")
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    text = f"model: {config.cell}, {config.num_layers} x {config.hidden_size} units, {num_parameters:,} parameters"
    if data.tokenizer.kind == "char":
        text += f", {advice(num_parameters, data.size('train'))}"
    return [*lines, text]


def unknown_share_line(data: TextData) -> str:
    """Say how much of the validation part is unknown; nothing where all is known."""
    ids, _ = data.evaluation_tokens("validation", _UNKNOWN_SAMPLE)
    unknown = int((ids == UNK_ID).sum())
    if not unknown:
        return ""
    share = unknown / len(ids)
    return f"{share:.2%} of the validation part's {data.tokenizer.unit}s are unknown"


def advice(num_parameters: int, num_chars: int) -> str:
    """Say whether a model is large or small for a text."""
    ratio = num_parameters / num_chars
    rate = f"{ratio:.2g} a training character: "
    if ratio > _LARGE:
        return rate + "large for this text; expect it to memorise: watch validation, raise dropout, or take fewer units"
    if ratio < _SMALL:
        return rate + "small for this text; more units would learn more, at a price in time"
    return rate + "a size that suits this text"
