"""A classifier as a configuration describes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from recurra.models import AverageBody, Classifier, ConvolutionBody, RecurrentBody
from recurra.models.classifier_bodies import WINDOW_SIZES
from recurra.tasks.classify.config import ModelConfig
from recurra.tasks.classify.data import ClassifyData
from recurra.tasks.shared.cell_options import recurrent_keywords

_EMBEDDING_SIZE, _CHAR_EMBEDDING_SIZE = 128, 64


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the data settle of a model.

    Attributes:
        num_outputs: Logits.
        vocab_size: Symbols; None for vectors.
        input_size: Width of vectors; None for ids.
    """

    num_outputs: int
    vocab_size: int | None
    input_size: int | None

    @classmethod
    def of(cls, data: ClassifyData) -> Shape:
        """Return the shape that some data ask for."""
        vocab_size = None if data.tokenizer is None else len(data.tokenizer)
        return cls(data.num_outputs, vocab_size, data.input_size)


def settle_model(config: ModelConfig, data: ClassifyData) -> ModelConfig:
    """Return a configuration with the widths that were left open."""
    if data.tokenizer is not None and config.embedding_size is None:
        default = _CHAR_EMBEDDING_SIZE if data.tokenizer.kind == "char" else _EMBEDDING_SIZE
        config = dataclasses.replace(config, embedding_size=default)
    if config.model == "recurrent" or config.width is not None:
        return config
    width = equal_width(config, Shape.of(data))
    return dataclasses.replace(config, width=width)


def build_model(config: ModelConfig, shape: Shape) -> Classifier:
    """Return a new model; nothing is left open in the configuration.

    Raises:
        ArgumentError: When options do not fit each other.
    """
    options: dict[str, Any] = {"hidden_size": config.width, "num_layers": config.num_layers, "dropout": config.dropout}
    if config.model == "recurrent":
        options = _recurrent_options(config)
    if config.embedding_size is not None:
        options["embedding_size"] = config.embedding_size
    return Classifier(
        shape.num_outputs,
        vocab_size=shape.vocab_size,
        input_size=shape.input_size,
        body=config.model,
        word_dropout=config.word_dropout,
        embedding_dropout=config.embedding_dropout,
        input_dropout=config.input_dropout,
        output_dropout=config.output_dropout,
        **options,
    )


def count_recurrent(config: ModelConfig, shape: Shape) -> int:
    """Return the parameters, but for the embedding, of the recurrent model of the same options."""
    with torch.random.fork_rng(devices=[]):
        body = RecurrentBody(_input_size(config, shape), **_recurrent_options(config))
    return count_parameters(body) + (body.output_size + 1) * shape.num_outputs


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def equal_width(config: ModelConfig, shape: Shape) -> int:
    """Return the width at which a cnn or mlp comes closest to the parameters of the recurrent model."""
    target, input_size = count_recurrent(config, shape), _input_size(config, shape)

    def count(width: int) -> int:
        if config.model == "cnn":
            body = ConvolutionBody.count_parameters(input_size, width)
            return body + (width * len(WINDOW_SIZES) + 1) * shape.num_outputs
        return AverageBody.count_parameters(input_size, width, config.num_layers) + (width + 1) * shape.num_outputs

    return _nearest(count, target)


def _nearest(count: Callable[[int], int], target: int) -> int:
    """Return the least number of at least 1 whose count, which rises, is nearest to a target."""
    high = 1
    while count(high) < target:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < target else (low, middle)
    return low if low and target - count(low) <= count(high) - target else high


def _input_size(config: ModelConfig, shape: Shape) -> int:
    size = config.embedding_size if shape.input_size is None else shape.input_size
    assert size is not None
    return size


def _recurrent_options(config: ModelConfig) -> dict[str, Any]:
    return {**recurrent_keywords(config), "bidirectional": config.bidirectional, "pooling": config.pooling}
