import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from recurra.data import IGNORE_INDEX, UNK_ID
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers import TagConstraints, bio_constraints
from recurra.models import Tagger
from tests.oracles.linear_chain import all_scores, is_allowed

TAG_NAMES = ["O", "B-a", "I-a"]
LENGTHS = [5, 1, 0, 3]
WORDS = torch.arange(20).reshape(5, 4) % 9
TAGS = torch.arange(20).reshape(5, 4) % 3
CHARS = {
    "chars": torch.arange(12).reshape(3, 4) % 7,
    "char_lengths": torch.tensor([3, 1, 0, 2]),
    "word_index": WORDS % 4,
}
IS_BEHIND = torch.arange(5).unsqueeze(1) >= torch.tensor(LENGTHS)


def build(**options):
    torch.manual_seed(0)
    # what compiled loops give is tested where they are made, and a few tests here ask for them
    options = {"embedding_size": 4, "hidden_size": 3, "engine": "eager"} | options
    if options.get("char_features", "none") != "none":
        options = {"char_vocab_size": 7, "char_embedding_size": 2, "char_hidden_size": 3} | options
    return Tagger(9, 3, **options).double()


def characters(kind):
    return {} if kind == "none" else CHARS


def test_it_equals_the_same_model_put_together_from_torch():
    model = build(num_layers=2, engine="auto").eval()
    lstm = nn.LSTM(4, 3, 2, bidirectional=True).double()
    for layer in range(2):
        for suffix in ("", "_reverse"):
            for name, tensor in getattr(model.recurrent, f"cell_l{layer}{suffix}").named_parameters():
                getattr(lstm, f"{name}_l{layer}{suffix}").data.copy_(tensor)

    emissions = model(WORDS, [5] * 4)

    output, _ = lstm(model.embedding(WORDS))
    wanted = output @ model.to_emissions.weight.t() + model.to_emissions.bias
    assert torch.allclose(emissions, wanted, atol=1e-12)


@pytest.mark.parametrize("output", ["softmax", "crf"])
@pytest.mark.parametrize("kind", ["none", "cnn", "recurrent"])
def test_what_stands_behind_the_lengths_changes_nothing(kind, output):
    model = build(char_features=kind, output=output)
    found = []

    for word, tag, place in ((0, 0, 0), (8, IGNORE_INDEX, 3), (5, 99, -7)):
        model.zero_grad()
        chars = dict(characters(kind))
        if chars:
            chars["word_index"] = chars["word_index"].masked_fill(IS_BEHIND, place)
        emissions = model(WORDS.masked_fill(IS_BEHIND, word), LENGTHS, **chars)
        loss, num_words = model.loss(emissions, TAGS.masked_fill(IS_BEHIND, tag), LENGTHS)
        loss.backward()
        counted = emissions.masked_fill(IS_BEHIND.unsqueeze(2), 0)
        found.append([counted, loss, model.decode(emissions, LENGTHS), *(p.grad.clone() for p in model.parameters())])
        assert num_words == 9

    for changed in found[1:]:
        for one, other in zip(found[0], changed, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("output", ["softmax", "crf"])
@pytest.mark.parametrize("kind", ["none", "cnn", "recurrent"])
def test_sentences_do_not_reach_each_other(kind, output):
    model = build(char_features=kind, output=output)
    together = model(WORDS, LENGTHS, **characters(kind))
    tags = model.decode(together, LENGTHS)
    total = 0.0

    for row, length in enumerate(LENGTHS):
        place = slice(row, row + 1)
        chars = dict(characters(kind))
        if chars:
            chars["word_index"] = chars["word_index"][:, place]
        alone = model(WORDS[:, place], [length], **chars)
        assert torch.allclose(alone[:length, 0], together[:length, row], atol=1e-12)
        assert torch.equal(model.decode(alone, [length])[:, 0], tags[:, row])
        total += model.loss(alone, TAGS[:, place], [length])[0].item()

    assert total == pytest.approx(model.loss(together, TAGS, LENGTHS)[0].item())


@pytest.mark.parametrize("kind", ["cnn", "recurrent"])
def test_words_that_are_the_same_by_number_are_told_apart_by_their_characters(kind):
    model = build(char_features=kind)
    words = torch.full((2, 1), UNK_ID)
    index = torch.tensor([[0], [3]])

    emissions = model(words, [2], CHARS["chars"], CHARS["char_lengths"], index)
    swapped = model(words, [2], CHARS["chars"][:, [3, 1, 2, 0]], CHARS["char_lengths"][[3, 1, 2, 0]], 3 - index)

    assert torch.allclose(emissions, swapped)
    assert not torch.allclose(emissions, model(words, [2], CHARS["chars"], CHARS["char_lengths"], 3 - index))


def test_the_loss_of_a_softmax_is_that_of_each_word():
    model = build()
    emissions = model(WORDS, LENGTHS)

    loss, num_words = model.loss(emissions, TAGS, LENGTHS)

    probs = emissions.detach().softmax(2)
    wanted = -sum(
        math.log(probs[step, row, TAGS[step, row]]) for row, length in enumerate(LENGTHS) for step in range(length)
    )
    assert loss.item() == pytest.approx(wanted)
    assert num_words == 9


def test_the_loss_of_a_random_field_is_that_of_its_sentences():
    model = build(output="crf")
    emissions = model(WORDS, LENGTHS)

    loss, num_words = model.loss(emissions, TAGS, LENGTHS)

    assert torch.equal(loss, model.crf.neg_log_likelihood(emissions, TAGS, LENGTHS).sum())
    assert num_words == 9


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_decoding_keeps_to_its_constraints_and_is_the_best_that_does(output):
    constraints = bio_constraints(TAG_NAMES)
    model = build(output=output, constraints=constraints)
    emissions = 3 * torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(1)).double()
    weights = [torch.zeros(3, 3), torch.zeros(3), torch.zeros(3)]
    if model.crf is not None:
        weights = [model.crf.transitions.detach(), model.crf.start.detach(), model.crf.end.detach()]

    tags = model.decode(emissions, LENGTHS)

    for row, length in enumerate(LENGTHS):
        ways = all_scores(emissions[:length, row].numpy(), *(weight.numpy() for weight in weights))
        allowed = [way for way in ways if is_allowed(way, *constraints)]
        assert tags[:, row].tolist() == [*max(allowed, key=ways.get), *[IGNORE_INDEX] * (5 - length)]


def test_without_constraints_a_softmax_takes_the_best_tag_of_each_word():
    model = build()
    emissions = model(WORDS, LENGTHS)

    tags = model.decode(emissions, LENGTHS)

    assert torch.equal(tags, emissions.argmax(2).masked_fill(IS_BEHIND, IGNORE_INDEX))


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_constraints_leave_the_loss_alone(output):
    free, bound = build(output=output), build(output=output, constraints=bio_constraints(TAG_NAMES))
    tags = torch.full((5, 4), 2)  # which no sentence may begin with
    emissions = free(WORDS, LENGTHS)

    loss, _ = bound.loss(emissions, tags, LENGTHS)

    assert loss.isfinite()
    assert torch.equal(loss, free.loss(emissions, tags, LENGTHS)[0])


def test_constraints_are_not_among_the_weights():
    constraints = bio_constraints(TAG_NAMES)
    free, bound = build(output="crf"), build(output="crf", constraints=constraints)

    bound.load_state_dict(free.state_dict())

    assert free.constraints is None
    assert all(torch.equal(mine, given) for mine, given in zip(bound.constraints, constraints, strict=True))


def test_word_dropout_takes_words_for_unknown_ones_in_training_only():
    model = build(word_dropout=0.5)
    with torch.no_grad():
        model.embedding.weight.copy_(torch.arange(9).unsqueeze(1).expand(9, 4))
    seen = []
    model.recurrent.register_forward_pre_hook(lambda module, given: seen.append(given[0][..., 0]))
    words = torch.full((40, 50), 7)

    model.train()(words, [40] * 50)
    model.eval()(words, [40] * 50)

    assert set(seen[0].unique().tolist()) == {UNK_ID, 7}
    assert (seen[0] == UNK_ID).double().mean().item() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(seen[1], words)


@pytest.mark.parametrize("name", ["input_dropout", "output_dropout", "dropout"])
def test_dropout_acts_in_training_only(name):
    model = build(**{name: 0.5}, num_layers=2)

    one, other = model.train()(WORDS, [5] * 4), model(WORDS, [5] * 4)
    same, again = model.eval()(WORDS, [5] * 4), model(WORDS, [5] * 4)

    assert not torch.equal(one, other)
    assert torch.equal(same, again)


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_a_batch_of_empty_sentences_costs_nothing(output):
    model = build(output=output)
    emissions = model(WORDS[:1], [0] * 4)

    loss, num_words = model.loss(emissions, TAGS[:1], [0] * 4)
    loss.backward()

    assert (loss.item(), num_words) == (0, 0)
    assert (model.decode(emissions, [0] * 4) == IGNORE_INDEX).all()


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_one_tag_is_certain(output):
    model = Tagger(9, 1, embedding_size=4, hidden_size=3, output=output)
    emissions = model(WORDS, LENGTHS)

    loss, _ = model.loss(emissions, torch.zeros_like(TAGS), LENGTHS)

    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert torch.equal(model.decode(emissions, LENGTHS), torch.where(IS_BEHIND, IGNORE_INDEX, 0))


@pytest.mark.parametrize("cell", ["gru", "elman", "lem"])
def test_any_cell_will_do(cell):
    model = build(cell=cell, engine="auto", output="crf", num_layers=2, learn_initial_state=True)

    loss, _ = model.loss(model(WORDS, LENGTHS), TAGS, LENGTHS)
    loss.backward()

    assert all(parameter.grad is not None for parameter in model.parameters())


def test_one_direction_does_not_look_ahead():
    model = build(bidirectional=False)

    emissions = model(WORDS, [5] * 4)

    assert torch.allclose(emissions[:3], model(WORDS[:3], [3] * 4))


@pytest.mark.parametrize(("kind", "output"), [("none", "softmax"), ("cnn", "crf"), ("recurrent", "crf")])
def test_it_learns_to_tag(kind, output):
    model = build(char_features=kind, output=output, hidden_size=8, engine="auto").float()
    rng = torch.Generator().manual_seed(0)
    words = torch.randint(4, 9, (6, 40), generator=rng)
    tags = (words + words.roll(-1, 0)) % 3  # both sides of a word count, and the first word stands behind the last
    chars = characters(kind) and {**CHARS, "word_index": words % 4}
    tags[-1] = 0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        loss, num_words = model.loss(model(words, [6] * 40, **chars), tags, [6] * 40)
        (loss / num_words).backward()
        optimizer.step()

    found = model.eval().decode(model(words, [6] * 40, **chars), [6] * 40)

    assert (found == tags).double().mean() > 0.95


def test_the_loss_of_half_precision_is_summed_in_single():
    model = build().float()
    emissions = model(WORDS, LENGTHS).detach().bfloat16()

    loss, _ = model.loss(emissions, TAGS, LENGTHS)

    wanted = functional.cross_entropy(emissions.float()[~IS_BEHIND], TAGS[~IS_BEHIND], reduction="sum")
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_first": True}, r"Tagger expected no batch_first, as its words are \(T, B\), got batch_first=True"),
        ({"word_dropout": 1.0}, "Tagger expected word_dropout to be a number of at least 0 and below 1, got 1.0"),
        ({"char_vocab_size": 7}, "Tagger expected char_features other than 'none' for char_vocab_size=7, got 'none'"),
        (
            {"char_features": "cnn", "char_vocab_size": 0},
            "Tagger expected char_vocab_size to be an integer of at least 1, got 0",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        build(**options)


def test_the_number_of_tags_is_checked():
    with pytest.raises(ArgumentError, match="Tagger expected num_tags to be an integer of at least 1, got 0"):
        Tagger(9, 0)


def test_choices_are_named():
    with pytest.raises(ChoiceError, match="expected output of Tagger to be one of softmax, crf; got 'CRF'"):
        build(output="CRF")
    with pytest.raises(ChoiceError, match="expected char_features of Tagger to be one of none, cnn, recurrent; got 'c"):
        build(char_features="conv")


def test_constraints_for_other_tags_are_refused():
    with pytest.raises(ShapeError, match=r"Tagger expected constraints.transitions of shape \(3, 3\), got \(2, 2\)"):
        build(constraints=bio_constraints(["O", "B-a"]))
    with pytest.raises(ShapeError, match=r"Tagger expected constraints.end of shape \(3,\), got \(1,\)"):
        build(constraints=TagConstraints(torch.ones(3, 3) > 0, torch.ones(3) > 0, torch.ones(1) > 0))


def test_characters_are_given_where_they_are_read_and_only_there():
    with pytest.raises(ArgumentError, match="Tagger expected no chars, as it was built with char_features='none', got"):
        build()(WORDS, LENGTHS, **CHARS)
    with pytest.raises(ArgumentError, match="Tagger expected chars, char_lengths and word_index, as it was built with"):
        build(char_features="cnn")(WORDS, LENGTHS, chars=CHARS["chars"])


def test_arguments_of_another_shape_are_refused():
    model = build(char_features="cnn")
    wrong = {**CHARS, "word_index": CHARS["word_index"][1:]}

    with pytest.raises(ShapeError, match=r"Tagger expected words of shape \(time, batch\), got \(4,\)"):
        model(WORDS[0], [1] * 4)
    with pytest.raises(ShapeError, match=r"Tagger expected word_index of the shape of words \(5, 4\), got \(4, 4\)"):
        model(WORDS, LENGTHS, **wrong)
    with pytest.raises(ShapeError, match="Tagger expected lengths in 0 to 5, the time of x, got 0 to 6"):
        model(WORDS, [6, 1, 0, 3], **CHARS)


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_tags_and_emissions_that_do_not_fit_are_refused(output):
    model = build(output=output)
    emissions = model(WORDS, LENGTHS)

    with pytest.raises(ArgumentError, match="expected tags from 0 to 2 within the lengths, got -100"):
        model.loss(emissions, torch.full((5, 4), IGNORE_INDEX), LENGTHS)
    with pytest.raises(ShapeError, match=r"expected tags to be integers of shape \(5, 4\), as many as emissions, got"):
        model.loss(emissions, TAGS[1:], LENGTHS)
    with pytest.raises(ShapeError, match=r"Tagger expected emissions of shape \(time, batch, tags=3\), with at least"):
        model.decode(emissions[..., :2], LENGTHS)
