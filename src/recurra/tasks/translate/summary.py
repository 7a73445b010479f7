"""What is worth knowing before a translator trains."""

from __future__ import annotations

import numpy as np
from torch import nn

from recurra.data import UNK_ID, Tokenizer
from recurra.tasks.translate.config import DecodingConfig, ModelConfig
from recurra.tasks.translate.parts import PARTS, PairPart, TranslateData


def summary_lines(data: TranslateData, config: ModelConfig, decoding: DecodingConfig, model: nn.Module) -> list[str]:
    """Return lines on pairs, vocabularies and model."""
    sizes = [f"{len(data.parts[part]):,} {part}" for part in PARTS if len(data.parts[part])]
    train, validation = data.parts["train"], data.parts["validation"]
    lines = [f"pairs: {', '.join(sizes)}"]
    for part in PARTS:
        lines += [note if part == "train" else f"{part}: {note}" for note in data.notes[part]]
    lines += [
        _side_line("source", train.src_ids, validation.src_ids, data.src_tokenizer),
        _side_line("target", train.tgt_ids, validation.tgt_ids, data.tgt_tokenizer),
    ]
    repeated = len(train) - len(set(zip(train.sources, train.targets, strict=True)))
    if repeated:
        lines.append(f"{repeated:,} training pairs repeat another one")
    lines += _validation_lines(validation, decoding)
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    layers = f"{config.encoder_layers or config.num_layers} + {config.decoder_layers or config.num_layers}"
    attention = "no attention" if config.attention == "none" else f"{config.attention} attention"
    lines.append(
        f"model: {config.cell}, {layers} layers x {config.hidden_size} units, {attention}, "
        f"{num_parameters:,} parameters"
    )
    return lines


def _side_line(side: str, train: list[np.ndarray], validation: list[np.ndarray], tokenizer: Tokenizer) -> str:
    lengths = np.fromiter(map(len, train), np.int64, len(train)) - 1
    ids = np.concatenate(validation)
    unknown = float((ids == UNK_ID).sum()) / max(len(ids) - len(validation), 1)
    return (
        f"{side}: {len(tokenizer):,} distinct {tokenizer.unit}s, {lengths.mean():.1f} a sentence, "
        f"{int(lengths.max())} at most; {unknown:.2%} of the validation part's are unknown"
    )


def _validation_lines(validation: PairPart, decoding: DecodingConfig) -> list[str]:
    rows = validation.evenly(decoding.max_validation_pairs)
    num_sources = len(validation.first_of_source(rows))
    line = f"validation: {num_sources:,} distinct sources translated greedily"
    if len(rows) < len(validation):
        line += f", of {len(rows):,} pairs evenly spread over the part (max_validation_pairs)"
    return [f"{line}; the test part is translated with num_beams = {decoding.num_beams}"]
