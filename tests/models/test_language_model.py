import pytest
import torch
from torch import nn
from torch.nn import functional

from recurra.data import IGNORE_INDEX
from recurra.errors import ArgumentError, ConfigError, ShapeError
from recurra.layers import Recurrent
from recurra.models import LanguageModel, Prediction
from recurra.models.penalties import activation_penalty


def test_it_equals_the_same_model_put_together_from_torch():
    model = LanguageModel(11, hidden_size=6, embedding_size=4, num_layers=2).double().eval()
    embedding, lstm, decoder = nn.Embedding(11, 4), nn.LSTM(4, 6, 2), nn.Linear(6, 11)
    embedding.load_state_dict(model.embedding.state_dict())
    decoder.load_state_dict(model.decoder.state_dict())
    for layer in range(2):
        for name, tensor in getattr(model.recurrent, f"cell_l{layer}").state_dict().items():
            getattr(lstm, f"{name}_l{layer}").data.copy_(tensor)
    lstm, embedding, decoder = lstm.double(), embedding.double(), decoder.double()
    tokens = torch.randint(0, 11, (7, 3))
    lstm.load_state_dict(
        {f"{n}_l{k}": t for k in range(2) for n, t in getattr(model.recurrent, f"cell_l{k}").state_dict().items()}
    )
    embedding.load_state_dict(model.embedding.state_dict())
    decoder.load_state_dict(model.decoder.state_dict())

    logits, state = model(tokens)

    output, expected = lstm(embedding(tokens))
    assert torch.allclose(logits, decoder(output), atol=1e-12)
    assert all(torch.allclose(got, want, atol=1e-12) for got, want in zip(state, expected, strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman", "elman-relu"])
@pytest.mark.parametrize("input", ["embedding", "one-hot"])
def test_two_windows_with_the_state_carried_equal_one_long_one(cell, input):
    model = LanguageModel(5, cell=cell, hidden_size=4, input=input, learn_initial_state=True).double()
    tokens = torch.randint(0, 5, (9, 2))

    whole, last = model(tokens)
    first, state = model(tokens[:4])
    second, after = model(tokens[4:], state)

    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-12)
    for one, other in zip(
        last if isinstance(last, tuple) else [last], after if isinstance(after, tuple) else [after], strict=True
    ):
        assert torch.allclose(one, other, atol=1e-12)


def test_one_hot_input_reads_columns_of_the_weight():
    model = LanguageModel(5, hidden_size=4, num_layers=1, input="one-hot", cell="elman").double()
    cell = model.recurrent.cell_l0

    _, state = model(torch.tensor([[3]]))

    expected = torch.tanh(cell.weight_ih[:, 3] + cell.bias_ih + cell.bias_hh)
    assert torch.allclose(state[0, 0], expected)


def test_tied_weights_are_one_parameter():
    model = LanguageModel(5, hidden_size=4, tie_weights=True)

    assert model.decoder.weight is model.embedding.weight
    assert sum(p.numel() for p in model.parameters()) < sum(
        p.numel() for p in LanguageModel(5, hidden_size=4).parameters()
    )


def test_weights_that_cannot_be_tied_are_refused():
    with pytest.raises(ConfigError, match=r"width of the layers' output \(4\), got 3"):
        LanguageModel(5, hidden_size=4, embedding_size=3, tie_weights=True)
    with pytest.raises(ConfigError, match="input = 'embedding', got 'one-hot'"):
        LanguageModel(5, hidden_size=4, input="one-hot", tie_weights=True)


def test_dropout_acts_in_training_only():
    model = LanguageModel(5, hidden_size=8, input_dropout=0.5, dropout=0.5, output_dropout=0.5)
    tokens = torch.randint(0, 5, (4, 2))

    assert not torch.equal(model(tokens)[0], model(tokens)[0])
    model.eval()
    assert torch.equal(model(tokens)[0], model(tokens)[0])


def test_a_default_model_begins_with_the_same_weights_as_ever():
    def as_ever():
        embedding, layers, decoder = nn.Embedding(7, 4), Recurrent("lstm", 4, 4, 2), nn.Linear(4, 7)
        for matrix in (embedding.weight, decoder.weight):
            nn.init.normal_(matrix, std=0.5)
        return [embedding.weight, *layers.parameters(), decoder.weight, nn.init.zeros_(decoder.bias)]

    torch.manual_seed(3)
    model = LanguageModel(7, hidden_size=4)
    torch.manual_seed(3)

    assert all(torch.equal(got, want) for got, want in zip(model.parameters(), as_ever(), strict=True))


@pytest.mark.parametrize("options", [{}, {"tie_weights": True}, {"adaptive_cutoffs": (4,)}, {"input": "one-hot"}])
def test_the_cost_of_targets_is_that_of_the_logits(options):
    model = LanguageModel(9, hidden_size=6, **options).double()
    tokens, targets = torch.randint(0, 9, (2, 5, 3), generator=torch.Generator().manual_seed(2))
    targets[3:, 1] = IGNORE_INDEX
    logits, _ = model(tokens)
    expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(5, 3)
    wanted = torch.autograd.grad(expected.sum(), list(model.parameters()))

    prediction, state = model(tokens, targets=targets)

    assert isinstance(prediction, Prediction)
    assert prediction.penalty is None
    torch.testing.assert_close(prediction.nll, expected, rtol=1e-12, atol=1e-12)
    found = torch.autograd.grad(prediction.nll.sum(), list(model.parameters()))
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state, model(tokens)[1], rtol=0, atol=0)


def test_a_prediction_has_the_output_of_the_last_layer_before_dropout():
    model = LanguageModel(9, hidden_size=6, num_layers=2, output_dropout=0.5).double()
    tokens = torch.randint(0, 9, (5, 3), generator=torch.Generator().manual_seed(2))

    prediction, _ = model(tokens, targets=tokens)

    assert torch.equal(prediction.output, model.recurrent(model.embedding(tokens))[0])


def test_gradients_of_tied_weights_add_up():
    tied = LanguageModel(9, hidden_size=6, tie_weights=True).double()
    apart = LanguageModel(9, hidden_size=6).double()
    apart.load_state_dict(tied.state_dict())
    tokens, targets = torch.randint(0, 9, (2, 5, 3), generator=torch.Generator().manual_seed(2))

    for model in (tied, apart):
        model(tokens, targets=targets)[0].nll.sum().backward()

    assert apart.embedding.weight.grad.any()
    torch.testing.assert_close(tied.embedding.weight.grad, apart.embedding.weight.grad + apart.decoder.weight.grad)


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"targets of the shape of tokens \(5, 3\), got \(3, 5\)"):
        LanguageModel(9, hidden_size=6)(torch.zeros(5, 3, dtype=torch.int64), targets=torch.zeros(3, 5).long())


def test_padding_comes_into_no_state_and_no_cost():
    model = LanguageModel(9, hidden_size=6).double()
    tokens = torch.randint(0, 9, (5, 2), generator=torch.Generator().manual_seed(2))
    short, targets = tokens[:3, 1:], tokens.clone()
    targets[3:, 1] = IGNORE_INDEX

    prediction, state = model(tokens, lengths=torch.tensor([5, 3]), targets=targets)

    expected, last = model(short, targets=short)
    torch.testing.assert_close(prediction.nll[:3, 1:], expected.nll, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close([part[:, 1:] for part in state], list(last), rtol=1e-12, atol=1e-12)


def by_label(model, tokens, labels):
    """The logits when each vector is put together row by row."""
    rows = [
        torch.cat(
            [torch.cat([model.embedding.weight[token], model.label_embedding.weight[label]])[None] for token in row]
        )
        for row, label in zip(tokens.t().tolist(), labels.tolist(), strict=True)
    ]
    return model.decoder(model.recurrent(torch.stack(rows, 1))[0])


def test_a_label_joins_every_input_vector_of_its_row():
    model = LanguageModel(9, hidden_size=6, embedding_size=4, num_labels=3, label_size=2, input_dropout=0.0).double()
    tokens, labels = torch.randint(0, 9, (5, 3), generator=torch.Generator().manual_seed(2)), torch.tensor([2, 0, 2])

    logits, _ = model(tokens, labels=labels)

    torch.testing.assert_close(logits, by_label(model, tokens, labels), rtol=1e-12, atol=1e-12)


def test_a_label_is_never_dropped():
    model = LanguageModel(9, hidden_size=6, num_labels=3, input_dropout=1.0, embedding_dropout=1.0)
    tokens = torch.zeros(5, 3, dtype=torch.int64)

    logits, _ = model(tokens, labels=torch.tensor([2, 0, 2]))

    assert torch.equal(logits[:, 0], logits[:, 2])
    assert not torch.equal(logits[:, 0], logits[:, 1])


def test_labels_that_are_missing_too_many_or_of_another_shape_are_refused():
    tokens, model = torch.zeros(5, 3, dtype=torch.int64), LanguageModel(9, hidden_size=6, num_labels=3)

    with pytest.raises(ArgumentError, match=r"expected labels in \[0, 3\), one a row, got none"):
        model(tokens)
    with pytest.raises(ShapeError, match=r"expected labels of shape \(3,\), one a row, got \(5,\)"):
        model(tokens, labels=torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ArgumentError, match="expected no labels, as it was built with num_labels=0, got some"):
        LanguageModel(9, hidden_size=6)(tokens, labels=torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize("input", ["embedding", "one-hot"])
def test_embedding_dropout_drops_whole_symbols_and_keeps_the_expectation(input):
    torch.manual_seed(4)
    model = LanguageModel(400, hidden_size=6, input=input, embedding_dropout=0.25)
    tokens = torch.arange(400).repeat(2).view(2, 400)
    whole = model.eval()._vectors(tokens, None)

    vectors = model.train()._vectors(tokens, None)

    is_kept = vectors.ne(0).any(-1)
    assert torch.equal(is_kept[0], is_kept[1])
    torch.testing.assert_close(vectors[is_kept], whole[is_kept] / 0.75)
    assert 0.68 < is_kept[0].float().mean() < 0.82
    assert not torch.equal(is_kept, model._vectors(tokens, None).ne(0).any(-1))


def test_embedding_dropout_leaves_tied_output_weights_and_evaluation_alone():
    model = LanguageModel(9, hidden_size=6, tie_weights=True, embedding_dropout=0.9)
    plain = LanguageModel(9, hidden_size=6, tie_weights=True)
    plain.load_state_dict(model.state_dict())
    tokens, output = torch.arange(8).view(4, 2), torch.randn(3, 6)

    assert torch.equal(model.decoder.logits(output), plain.decoder.logits(output))
    assert not torch.equal(model(tokens)[0], plain(tokens)[0])
    assert torch.equal(model.eval()(tokens)[0], plain.eval()(tokens)[0])


def test_the_penalty_is_on_dropped_outputs_and_their_undropped_changes_and_in_training_only():
    options = {"activation_regularization": 2.0, "temporal_regularization": 1.0}
    model = LanguageModel(9, hidden_size=6, output_dropout=0.5, **options).double()
    tokens, lengths = torch.randint(0, 9, (5, 3), generator=torch.Generator().manual_seed(2)), torch.tensor([5, 2, 3])
    output, _ = model.recurrent(model._vectors(tokens, None), lengths=lengths)
    torch.manual_seed(6)
    dropped = model.output_dropout(output)
    expected = activation_penalty(output, dropped, lengths, activation=2.0, temporal=1.0)

    torch.manual_seed(6)
    prediction, _ = model(tokens, lengths=lengths, targets=tokens)

    torch.testing.assert_close(prediction.penalty, expected, rtol=1e-12, atol=0)
    assert prediction.penalty.requires_grad
    assert model.eval()(tokens, targets=tokens)[0].penalty is None


def test_evaluation_keeps_nothing_for_a_backward_pass():
    model, saved = LanguageModel(9, hidden_size=6), []
    tokens = torch.zeros(5, 3, dtype=torch.int64)

    with torch.no_grad(), torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t), lambda t: t):
        prediction, _ = model(tokens, targets=tokens)

    assert not saved
    assert not prediction.nll.requires_grad


def test_an_adaptive_softmax_keeps_the_names_of_torch_and_cannot_be_tied():
    model = LanguageModel(9, hidden_size=16, adaptive_cutoffs=(3, 5))
    theirs = nn.AdaptiveLogSoftmaxWithLoss(16, 9, [3, 5])

    names = {name.removeprefix("decoder.") for name in model.state_dict() if name.startswith("decoder.")}
    assert names == set(theirs.state_dict())
    with pytest.raises(ConfigError, match="tie_weights expected no adaptive_cutoffs"):
        LanguageModel(9, hidden_size=16, adaptive_cutoffs=(3, 5), tie_weights=True)
