import dataclasses

import pytest

from recurra.errors import ConfigError
from recurra.tasks.translate import (
    SECTIONS,
    DataConfig,
    DecodingConfig,
    ModelConfig,
    TranslateConfig,
    TranslateTraining,
)
from recurra.training.config_file import field_docs, read_config, write_config

FAULTS = [
    (DataConfig, {"data": ()}, "expected data to name at least one file or data set, got none"),
    (DataConfig, {"max_words": 0}, "expected max_words of at least 1, got 0"),
    (DataConfig, {"max_length": 0}, "expected max_length of at least 1, got 0"),
    (DataConfig, {"tgt_prefixes": ("i am", "")}, "expected tgt_prefixes to hold no empty text"),
    (DataConfig, {"tgt_tokenizer": "bpe", "min_count": 2}, "expected no min_count with the tokenizer bpe"),
    (DataConfig, {"normalization": "asci"}, "did you mean 'ascii'"),
    (ModelConfig, {"encoder_layers": 0}, "expected encoder_layers of at least 1, got 0"),
    (ModelConfig, {"output_dropout": 1.0}, r"expected output_dropout in \[0, 1\), got 1.0"),
    (
        ModelConfig,
        {"attention": "none", "input_feeding": True},
        "expected attention or context_input with input_feeding",
    ),
    (ModelConfig, {"context_input": True}, "expected attention = none with context_input, got additive"),
    (
        ModelConfig,
        {"cell_options": ("bidirectional=true",)},
        "expected no bidirectional in cell_options|key of its own",
    ),
    (DecodingConfig, {"num_beams": 0}, "expected num_beams of at least 1, got 0"),
    (DecodingConfig, {"length_penalty": -1.0}, "expected length_penalty of at least 0, got -1.0"),
    (DecodingConfig, {"max_length_ratio": 0.0}, "expected max_length_ratio above 0, got 0.0"),
    (TranslateTraining, {"teacher_forcing_ratio": 1.5}, r"expected teacher_forcing_ratio in \[0, 1\], got 1.5"),
    (TranslateTraining, {"teacher_forcing_epochs": 0.0}, "expected teacher_forcing_epochs above 0, got 0.0"),
    (TranslateTraining, {"label_smoothing": 1.0}, r"expected label_smoothing in \[0, 1\), got 1.0"),
    (
        TranslateTraining,
        {"teacher_forcing_decay": "exponential", "teacher_forcing_final_ratio": 0.0},
        "expected teacher_forcing_final_ratio above 0 with teacher_forcing_decay = exponential, got 0.0",
    ),
]


@pytest.mark.parametrize(("section", "values", "message"), FAULTS)
def test_faults_are_named(section, values, message):
    with pytest.raises(ConfigError, match=message):
        section(**values)


def test_all_faults_of_a_section_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        TranslateTraining(lr=-1.0, label_smoothing=2.0, teacher_forcing_ratio=-1.0)

    assert len(caught.value.faults) == 3


def test_every_field_is_explained():
    for section in SECTIONS.values():
        docs = field_docs(section)
        assert {field.name for field in dataclasses.fields(section)} == set(docs), section


def test_a_configuration_is_read_back_as_it_was_written(tmp_path):
    config = TranslateConfig(
        DataConfig(("a.tsv",), tgt_prefixes=("i am ", "he is"), max_words=9),
        ModelConfig(decoder_layers=2, attention="dot"),
        DecodingConfig(max_length_ratio=1.5),
        TranslateTraining(teacher_forcing_decay="linear", num_epochs=3.0),
    )
    path = tmp_path / "config.toml"
    sections = {name: getattr(config, name) for name in SECTIONS}

    path.write_text(write_config("translate", sections))

    assert TranslateConfig(**read_config(path, SECTIONS)) == config
