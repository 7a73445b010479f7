"""From a configuration to a translator."""

from __future__ import annotations

from recurra.data import Tokenizer
from recurra.models import Translator
from recurra.tasks.shared.cell_options import recurrent_keywords
from recurra.tasks.translate.config import ModelConfig


def build_model(config: ModelConfig, tokenizers: tuple[Tokenizer, Tokenizer]) -> Translator:
    """Return a new translator between the vocabularies of two tokenisers.

    Raises:
        ConfigError: When options do not go together.
        ChoiceError: When there is no such cell.
    """
    keywords = recurrent_keywords(config)
    num_layers = keywords.pop("num_layers")
    return Translator(
        len(tokenizers[0]),
        len(tokenizers[1]),
        **(
            keywords
            | {
                "encoder_layers": config.encoder_layers or num_layers,
                "decoder_layers": config.decoder_layers or num_layers,
                "dropout": config.dropout,
                "bidirectional": config.bidirectional,
                "src_embedding_size": config.embedding_size,
                "tgt_embedding_size": config.embedding_size,
                "attention": config.attention,
                "context_input": config.context_input,
                "input_feeding": config.input_feeding,
                "bridge": config.bridge,
                "input_dropout": config.input_dropout,
                "output_dropout": config.output_dropout,
                "tie_weights": config.tie_weights,
            }
        ),
    )
