"""A language model as a configuration describes it."""

from __future__ import annotations

from pathlib import Path

import torch

from recurra.cells import Cell, find_cell
from recurra.data import SPECIAL_SYMBOLS, Tokenizer, WordVectors, read_vectors
from recurra.errors import ConfigError
from recurra.models import LanguageModel
from recurra.tasks.text.cell_options import layer_options
from recurra.tasks.text.config import ModelConfig

_CHAR_EMBEDDING_SIZE = 64


def build_model(config: ModelConfig, tokenizer: Tokenizer, num_labels: int = 0) -> LanguageModel:
    """Return a new model over the tokens of a tokeniser.

    Args:
        config: The model's options.
        tokenizer: What makes its tokens.
        num_labels: Labels that condition it.

    Raises:
        ConfigError: When options do not fit each other.
    """
    is_own = issubclass(find_cell(config.cell), Cell)
    if config.adaptive_cutoffs and config.adaptive_cutoffs[-1] >= len(tokenizer):
        raise ConfigError(
            f"expected adaptive_cutoffs below the size of the vocabulary, {len(tokenizer)}, "
            f"got {config.adaptive_cutoffs[-1]}"
        )
    return LanguageModel(
        len(tokenizer),
        cell=config.cell,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        input=config.input,
        embedding_size=_embedding_size(config, tokenizer),
        embedding_dropout=config.embedding_dropout,
        input_dropout=config.input_dropout,
        dropout=config.dropout,
        output_dropout=config.output_dropout,
        tie_weights=config.tie_weights,
        adaptive_cutoffs=config.adaptive_cutoffs,
        num_labels=num_labels,
        label_size=config.label_size,
        activation_regularization=config.activation_regularization,
        temporal_regularization=config.temporal_regularization,
        learn_initial_state=config.learn_initial_state,
        init=config.init if is_own else None,
        engine=config.engine,
        **layer_options(config),
    )


def _embedding_size(config: ModelConfig, tokenizer: Tokenizer) -> int:
    """Return the width of the embedding that a configuration asks for."""
    if config.embedding_size is not None:
        return config.embedding_size
    # characters are few: what a wide embedding of them costs in the first layer's product buys nothing
    if tokenizer.kind == "char" and not config.tie_weights:
        return min(config.hidden_size, _CHAR_EMBEDDING_SIZE)
    return config.hidden_size


def load_vectors(config: ModelConfig, tokenizer: Tokenizer) -> WordVectors:
    """Return the pre-trained vectors of a tokeniser's symbols from the file that a configuration names.

    Raises:
        ConfigError: When their width is not that of the embedding.
        DataError: When the file cannot be used.
        VocabularyError: When it has none of the symbols.
    """
    assert config.vectors is not None
    vectors = read_vectors(Path(config.vectors).expanduser(), tokenizer.vocabulary.symbols)
    needed = config.hidden_size if config.tie_weights and config.embedding_size is None else config.embedding_size
    if needed is not None and needed != vectors.width:
        raise ConfigError(
            f"expected vectors of width {needed}, as the embedding is, got width {vectors.width} in {config.vectors}",
            hint=f"give embedding_size {vectors.width}, or leave it out"
            + (f", and hidden_size {vectors.width} with tie_weights" if config.tie_weights else ""),
        )
    return vectors


@torch.no_grad()
def set_vectors(model: LanguageModel, vectors: WordVectors) -> None:
    """Put pre-trained vectors into an embedding; symbols that they lack keep their own, at the vectors' scale."""
    assert model.embedding is not None
    weight = model.embedding.weight
    found = torch.from_numpy(vectors.found)
    known = torch.from_numpy(vectors.matrix)[found].to(weight)
    scale = known.square().mean().sqrt() / weight.square().mean().sqrt()
    if scale > 0:  # vectors of nothing but zeros have no scale
        weight.mul_(scale)
    weight[found] = known


def vectors_line(config: ModelConfig, vectors: WordVectors, tokenizer: Tokenizer) -> str:
    """Say how many of the symbols have a pre-trained vector, and how much of the training text that is."""
    special = len(SPECIAL_SYMBOLS)
    found, total = int(vectors.found[special:].sum()), len(tokenizer) - special
    line = f"vectors: {found:,} of {total:,} {tokenizer.unit}s ({found / total:.0%}) have one in {config.vectors}"
    counts = tokenizer.vocabulary.counts
    if counts is not None:
        known = sum(count for count, is_found in zip(counts, vectors.found.tolist(), strict=True) if is_found)
        line += f", {known / max(sum(counts), 1):.0%} of the training part"
    return f"{line}; {'frozen' if config.freeze_vectors else 'tuned'}"
