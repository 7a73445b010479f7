import dataclasses

import pytest
import torch

from recurra.errors import ConfigError
from recurra.models import Tagger
from recurra.tasks.tag.building import build_model, settle
from recurra.tasks.tag.config import ModelConfig
from recurra.tasks.tag.encoding import Encoder

SIZES = {"hidden_size": 4, "char_hidden_size": 3}


def encoded(*tags):
    """Return what knows some sentences of tags, and the sentences."""
    words = [[f"w{place}" for place in range(len(sentence))] for sentence in tags]
    encoder = Encoder.of(words, tags, lowercase=True, min_count=1, max_vocab_size=None)
    return encoder, encoder.encode(words, tags)


def test_bio_is_kept_to_where_all_training_sentences_do():
    encoder, train = encoded(["B-x", "I-x", "O"], ["O", "B-x", "B-x"])

    config, _ = settle(ModelConfig(**SIZES), encoder, train)

    assert config.constraints == "bio"
    assert config.embedding_size == 100
    model = build_model(config, encoder)
    assert model.constraints.start.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("tags", "broken"),
    [
        ([["DET", "NOUN"]], "there is the tag DET"),
        ([["O", "O"], ["O", "I-x"]], "I-x stands behind O in the training part"),
        ([["B-y", "I-x", "B-x"]], "I-x stands behind B-y in the training part"),
        ([["B-x", "O"], ["I-x", "O"]], "a training sentence begins with I-x"),
        ([["B-x", "B-"]], "there is the tag B-"),
    ],
)
def test_tags_that_break_the_rules_have_none(tags, broken):
    encoder, train = encoded(*tags)

    config, _ = settle(ModelConfig(**SIZES), encoder, train)

    assert config.constraints == "none"
    assert not build_model(config, encoder).has_constraints
    with pytest.raises(ConfigError, match=f"expected constraints = none or auto .* got bio: {broken}"):
        settle(ModelConfig(constraints="bio"), encoder, train)


def test_a_sentence_may_end_inside_an_entity_and_another_begin_with_another():
    encoder, train = encoded(["B-x", "I-x"], ["B-y", "I-y"], ["O"])

    assert settle(ModelConfig(), encoder, train)[0].constraints == "bio"


@pytest.mark.parametrize("char_features", ["none", "cnn", "recurrent"])
@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_every_kind_of_model_is_built(char_features, output):
    encoder, train = encoded(["X", "Y"])
    options = ModelConfig(char_features=char_features, output=output, num_layers=2, cell="gru", **SIZES)

    model = build_model(settle(options, encoder, train)[0], encoder)

    assert isinstance(model, Tagger)
    assert (model.char_features is None) == (char_features == "none")
    assert (model.crf is not None) == (output == "crf")
    assert model.recurrent.num_layers == 2


def test_a_model_can_read_in_one_direction_and_take_options_of_its_cell():
    encoder, train = encoded(["X", "Y"])
    options = ModelConfig(bidirectional=False, cell_options=("residual=true",), zoneout=0.1, num_layers=2, **SIZES)

    model = build_model(settle(options, encoder, train)[0], encoder)

    assert model.recurrent.output_size == 4
    assert model.recurrent.residual


def test_vectors_settle_the_width_of_the_embedding(tmp_path):
    encoder, train = encoded(["X", "Y"])
    path = tmp_path / "vectors.txt"
    path.write_text("w0 1 2 3\nelse 4 5 6\n")
    options = ModelConfig(vectors=str(path), **SIZES)

    config, vectors = settle(options, encoder, train)

    assert config.embedding_size == 3
    assert vectors.found.tolist() == [False] * 4 + [True, False]
    with pytest.raises(ConfigError, match="expected vectors of width 5, as the embedding is, got width 3"):
        settle(dataclasses.replace(options, embedding_size=5), encoder, train)


def test_the_weights_follow_the_global_seed():
    encoder, train = encoded(["X", "Y"])
    config, _ = settle(ModelConfig(**SIZES), encoder, train)

    torch.manual_seed(1)
    one = build_model(config, encoder).state_dict()
    torch.manual_seed(1)
    other = build_model(config, encoder).state_dict()

    assert all(torch.equal(one[name], other[name]) for name in one)
