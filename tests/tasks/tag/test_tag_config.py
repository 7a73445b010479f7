from dataclasses import fields

import pytest

from recurra.errors import ConfigError
from recurra.tasks.tag import SECTIONS, DataConfig, ModelConfig, TagConfig
from recurra.training.config_file import field_docs, read_config, write_config


def test_a_configuration_comes_back_from_its_file(tmp_path):
    config = TagConfig(DataConfig(data=("a.conllu",), tag_column="xpos"), ModelConfig(output="crf", num_layers=2))
    path = tmp_path / "config.toml"
    path.write_text(write_config("tag", vars(config)))

    assert TagConfig(**read_config(path, SECTIONS)) == config


def test_every_option_says_what_it_means():
    for section in SECTIONS.values():
        assert set(field_docs(section)) >= {field.name for field in fields(section)}


def test_all_faults_of_the_data_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        DataConfig(data=(), min_count=0, batch_size=0, raw_words="chars", max_vocab_size=0)

    assert [fault.split(",")[0] for fault in sorted(caught.value.faults)] == [
        "expected batch_size of at least 1",
        "expected data to name at least one file or data set",
        "expected max_vocab_size of at least 1",
        "expected min_count of at least 1",
        "expected raw_words to be one of word",
    ]


def test_all_faults_of_the_model_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        ModelConfig(char_features="lstm", word_dropout=1.0, freeze_vectors=True, char_hidden_size=0, hidden_size=0)

    assert sorted(caught.value.faults) == [
        "expected a file of vectors with freeze_vectors, got none",
        "expected char_features to be one of none, cnn, recurrent; got 'lstm'",
        "expected char_hidden_size of at least 1, got 0",
        "expected hidden_size of at least 1, got 0",
        "expected word_dropout in [0, 1), got 1.0",
    ]
