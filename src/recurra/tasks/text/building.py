"""A language model as a configuration describes it."""

from __future__ import annotations

from recurra.data import Tokenizer, WordVectors
from recurra.errors import ConfigError
from recurra.models import LanguageModel
from recurra.tasks.shared.cell_options import recurrent_keywords
from recurra.tasks.shared.vectors import load_vectors
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
    if config.adaptive_cutoffs and config.adaptive_cutoffs[-1] >= len(tokenizer):
        raise ConfigError(
            f"expected adaptive_cutoffs below the size of the vocabulary, {len(tokenizer)}, "
            f"got {config.adaptive_cutoffs[-1]}"
        )
    return LanguageModel(
        len(tokenizer),
        input=config.input,
        embedding_size=_embedding_size(config, tokenizer),
        embedding_dropout=config.embedding_dropout,
        input_dropout=config.input_dropout,
        output_dropout=config.output_dropout,
        tie_weights=config.tie_weights,
        adaptive_cutoffs=config.adaptive_cutoffs,
        num_labels=num_labels,
        label_size=config.label_size,
        activation_regularization=config.activation_regularization,
        temporal_regularization=config.temporal_regularization,
        **recurrent_keywords(config),
    )


def _embedding_size(config: ModelConfig, tokenizer: Tokenizer) -> int:
    """Return the width of the embedding that a configuration asks for."""
    if config.embedding_size is not None:
        return config.embedding_size
    # characters are few: what a wide embedding of them costs in the first layer's product buys nothing
    if tokenizer.kind == "char" and not config.tie_weights:
        return min(config.hidden_size, _CHAR_EMBEDDING_SIZE)
    return config.hidden_size


def vectors_of(config: ModelConfig, tokenizer: Tokenizer) -> WordVectors:
    """Return the pre-trained vectors of a tokeniser's symbols from the file that a configuration names.

    Raises:
        ConfigError: When their width is not that of the embedding.
        DataError: When the file cannot be used.
        VocabularyError: When it has none of the symbols.
    """
    assert config.vectors is not None
    width = config.hidden_size if config.tie_weights and config.embedding_size is None else config.embedding_size
    return load_vectors(config.vectors, tokenizer.vocabulary, width=width, is_tied=config.tie_weights)
