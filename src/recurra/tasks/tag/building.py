"""A tagger as a configuration describes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from recurra.data import WordVectors
from recurra.errors import ConfigError
from recurra.layers import bio_constraints
from recurra.models import Tagger
from recurra.tasks.shared.cell_options import recurrent_keywords
from recurra.tasks.shared.vectors import load_vectors
from recurra.tasks.tag.config import ModelConfig
from recurra.tasks.tag.encoding import Encoded, Encoder
from recurra.tasks.tag.scores import has_entities, is_bio

_EMBEDDING_SIZE = 100


def settle(config: ModelConfig, encoder: Encoder, train: Encoded) -> tuple[ModelConfig, WordVectors | None]:
    """Return a configuration with nothing left open, and the vectors that it names, if any.

    Raises:
        ConfigError: When options do not fit the data, or each other.
        DataError: When the vectors cannot be used.
    """
    vectors = None
    if config.vectors is not None:
        vectors = load_vectors(config.vectors, encoder.words, width=config.embedding_size)
    size = config.embedding_size or (_EMBEDDING_SIZE if vectors is None else vectors.width)
    broken = _broken_rule(train, encoder.tags)
    if config.constraints == "bio" and broken is not None:
        raise ConfigError(f"expected constraints = none or auto for tags that are not BIO, got bio: {broken}")
    constraints = config.constraints
    if constraints == "auto":
        constraints = "bio" if broken is None else "none"
    return dataclasses.replace(config, embedding_size=size, constraints=constraints), vectors


def _broken_rule(train: Encoded, tags: Sequence[str]) -> str | None:
    """Say where tags break the rules of BIO, or return None where they keep to them."""
    if not has_entities(tags):
        return f"there is the tag {next((tag for tag in tags if not is_bio(tag)), tags[0])}"
    assert train.tags is not None
    inside = [tag.startswith("I-") for tag in tags]
    may_follow = np.array([[not i or a[2:] == b[2:] for b, i in zip(tags, inside, strict=True)] for a in tags])
    firsts = np.unique(train.tags[train.starts[:-1]]).tolist()
    for first in firsts:
        if inside[first]:
            return f"a training sentence begins with {tags[first]}"
    is_within = np.ones(len(train.tags), bool)
    is_within[train.starts[:-1]] = False
    pairs = np.stack([train.tags[:-1], train.tags[1:]])[:, is_within[1:]]
    wrong_pairs = pairs[:, ~may_follow[pairs[0], pairs[1]]]
    if wrong_pairs.shape[1]:
        before, behind = wrong_pairs[:, 0].tolist()
        return f"{tags[behind]} stands behind {tags[before]} in the training part"
    return None


def build_model(config: ModelConfig, encoder: Encoder) -> Tagger:
    """Return a new model.

    Args:
        config: The model's options, with nothing left open.
        encoder: Words, characters and tags.

    Raises:
        ConfigError: When options do not fit each other.
    """
    assert config.embedding_size is not None
    return Tagger(
        len(encoder.words),
        len(encoder.tags),
        embedding_size=config.embedding_size,
        char_features=config.char_features,
        char_vocab_size=0 if config.char_features == "none" else len(encoder.chars),
        char_embedding_size=config.char_embedding_size,
        char_hidden_size=config.char_hidden_size,
        output=config.output,
        constraints=bio_constraints(encoder.tags) if config.constraints == "bio" else None,
        word_dropout=config.word_dropout,
        input_dropout=config.input_dropout,
        output_dropout=config.output_dropout,
        bidirectional=config.bidirectional,
        **recurrent_keywords(config),
    )
