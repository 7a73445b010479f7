import math

import numpy as np
import pytest
import torch

from recurra.data import IGNORE_INDEX, Cursor
from recurra.tasks.tag.building import build_model, settle
from recurra.tasks.tag.config import ModelConfig
from recurra.tasks.tag.encoding import Encoder
from recurra.tasks.tag.predicting import evaluate_batch, evaluate_sentences, predict_tags

WORDS = [["the", "dog", "sees", "a", "cat"], ["dogs", "see"], ["cats"]]
TAGS = [["D", "N", "V", "D", "N"], ["N", "V"], ["N"]]


@pytest.fixture(params=["softmax", "crf"])
def parts(request):
    """A model, what makes numbers of words, and sentences."""
    encoder = Encoder.of(WORDS, TAGS, lowercase=True, min_count=1, max_vocab_size=None)
    encoded = encoder.encode(WORDS, TAGS)
    options = ModelConfig(hidden_size=6, output=request.param, char_hidden_size=3, embedding_size=5)
    torch.manual_seed(3)
    return build_model(settle(options, encoder, encoded)[0], encoder).double().eval(), encoder, encoded


def loss_of(model, encoded, sentences, num_tags=3):
    batch = encoded.batch(np.array(sentences), Cursor(), with_chars=True)
    with torch.no_grad():
        return evaluate_batch(model, batch, num_tags, wants_tags=True)


def test_the_loss_of_a_batch_is_the_mean_over_the_words_of_its_sentences(parts):
    model, _, encoded = parts

    together = loss_of(model, encoded, [0, 1, 2])
    alone = [loss_of(model, encoded, [index]) for index in range(3)]

    assert together.num_targets == 8
    total = sum(float(one.loss) * one.num_targets for one in alone)
    assert float(together.loss) == pytest.approx(total / 8)


def test_nothing_behind_the_lengths_reaches_loss_or_tags(parts):
    model, _, encoded = parts
    batch = encoded.batch(np.arange(3), Cursor(), with_chars=True)
    behind = torch.arange(5)[:, None] >= batch.lengths
    before = evaluate_batch(model, batch, 3, wants_tags=True)
    behind_chars = torch.arange(len(batch.chars))[:, None] >= batch.char_lengths

    batch.words[behind] = 5
    batch.word_index[behind] = 1
    batch.chars[behind_chars] = 7
    after = evaluate_batch(model, batch, 3, wants_tags=True)

    assert float(after.loss.detach()) == float(before.loss.detach())
    assert (after.outputs.predicted == before.outputs.predicted).all()
    assert (after.outputs.predicted[behind.numpy()] == IGNORE_INDEX).all()


def test_sentences_with_an_unknown_tag_are_left_out_of_the_loss_and_still_tagged(parts):
    model, encoder, _ = parts
    encoded = encoder.encode(WORDS, [TAGS[0], ["N", "ODD"], TAGS[2]])

    result = loss_of(model, encoded, [0, 1, 2])

    expected = [loss_of(model, encoded, [index]) for index in (0, 2)]
    assert result.num_targets == 6
    total = sum(float(one.loss) * one.num_targets for one in expected)
    assert float(result.loss) == pytest.approx(total / 6)
    assert (result.outputs.predicted[:2, 1] != IGNORE_INDEX).all()


def test_a_batch_of_unknown_tags_alone_has_no_target(parts):
    model, encoder, _ = parts

    result = loss_of(model, encoder.encode([["dog"]], [["ODD"]]), [0])

    assert result.num_targets == 0
    assert math.isfinite(float(result.loss))


def test_predicted_tags_stand_where_their_sentences_do(parts):
    model, encoder, _ = parts

    together = predict_tags(model, encoder, [[], *WORDS, []], batch_size=2)
    alone = [predict_tags(model, encoder, [words], batch_size=1)[0] for words in WORDS]

    assert together == [(), *alone, ()]
    assert [len(tags) for tags in alone] == [5, 2, 1]


def test_no_sentences_at_all_have_no_tags(parts):
    model, encoder, _ = parts

    assert predict_tags(model, encoder, [], batch_size=2) == []
    assert predict_tags(model, encoder, [[]], batch_size=2) == [()]


def test_an_evaluation_does_not_depend_on_batches_and_agrees_with_predictions(parts):
    model, encoder, encoded = parts

    small, scores = evaluate_sentences(model, encoded, encoder.tags, batch_size=1)
    large, _ = evaluate_sentences(model, encoded, encoder.tags, batch_size=3)

    predicted = [tag for tags in predict_tags(model, encoder, WORDS, batch_size=3) for tag in tags]
    truth = [tag for tags in TAGS for tag in tags]
    assert small == pytest.approx(large)
    assert [encoder.tags[tag] for tag in scores.predicted] == predicted
    assert small["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(predicted, truth, strict=True)]))


def test_one_long_sentence_is_tagged_apart_from_many_short_ones(parts, monkeypatch):
    model, encoder, encoded = parts
    sizes = []
    model.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    monkeypatch.setattr("recurra.tasks.tag.predicting.MAX_PADDED_STEPS", 6)

    split = predict_tags(model, encoder, WORDS, batch_size=8)
    evaluate_sentences(model, encoded, encoder.tags, batch_size=8)
    monkeypatch.undo()

    assert sizes == [(5, 1), (2, 2)] * 2
    assert split == predict_tags(model, encoder, WORDS, batch_size=8)
