"""What is worth knowing before a tagger trains."""

from __future__ import annotations

import numpy as np
from torch import nn

from recurra.data import UNK_ID
from recurra.tasks.tag.config import ModelConfig
from recurra.tasks.tag.data import TagData

_MOST_TAGS = 12
_LONG_SENTENCE = 1000  # words beyond which a sentence is hardly one
_NUM_FIRST_WORDS = 5


def summary_lines(data: TagData, config: ModelConfig, model: nn.Module) -> list[str]:
    """Return lines on sentences, tags, vocabulary and model."""
    encoder = data.encoder
    sizes = ", ".join(
        f"{part} {_counted(len(encoded), 'sentence')} ({_counted(len(encoded.forms), 'word')})"
        for part, encoded in data.parts.items()
    )
    notes = [f"{part} part: {note}" for part, of_part in data.notes.items() for note in of_part]
    lines = [sizes, *notes, *_long_lines(data), _tag_line(data)]
    lines.append(
        f"{len(encoder.words):,} words and {len(encoder.chars):,} characters have an embedding{_unknown(data)}"
    )
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    direction = " in each direction" if config.bidirectional else ""
    rules = ", tags keep to BIO" if config.constraints == "bio" else ""
    lines.append(
        f"model: {config.cell}, {config.num_layers} x {config.hidden_size} units{direction}, characters: "
        f"{config.char_features}, {config.output}{rules}, {num_parameters:,} parameters"
    )
    return lines


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _long_lines(data: TagData) -> list[str]:
    """Return a line for each part whose longest sentence is none that somebody wrote."""
    lines = []
    for part, encoded in data.parts.items():
        longest = int(encoded.lengths.argmax())
        count = int(encoded.lengths[longest])
        if count > _LONG_SENTENCE:
            begin = " ".join(encoded.words(longest)[:_NUM_FIRST_WORDS])
            lines.append(
                f"{part} part: the longest sentence has {count:,} words ({begin} ...), and a batch with it takes much "
                "memory; hint: a blank line ends a sentence, are there some missing?"
            )
    return lines


def _tag_line(data: TagData) -> str:
    tags, train = data.encoder.tags, data.parts["train"]
    assert train.tags is not None
    counts = np.bincount(train.tags, minlength=len(tags))
    order = np.argsort(-counts, kind="stable")[:_MOST_TAGS].tolist()
    named = ", ".join(f"{tags[one]} {counts[one] / counts.sum():.1%}" for one in order)
    return f"{len(tags)} tags: {named}{', ...' if len(tags) > _MOST_TAGS else ''}"


def _unknown(data: TagData) -> str:
    if "validation" not in data.parts:
        return ""
    part = data.parts["validation"]
    share = float((part.word_ids[part.forms] == UNK_ID).mean())
    return f"; {share:.2%} of the validation part's words have none"
