import pytest
import torch
from torch import nn

from recurra.errors import ConfigError
from recurra.models import LanguageModel, copy_weights


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


@pytest.mark.parametrize("input", ["embedding", "one-hot"])
def test_weights_move_to_another_vocabulary_symbol_by_symbol(input):
    old = LanguageModel(4, hidden_size=3, input=input).eval()  # <unk> a b c
    new = LanguageModel(5, hidden_size=3, input=input).eval()  # <unk> c x a y
    fresh = {name: tensor.clone() for name, tensor in new.state_dict().items()}

    copy_weights(new, old.state_dict(), [0, 3, -1, 1, -1])

    ours, theirs = torch.tensor([[0], [3], [1], [3]]), torch.tensor([[0], [1], [3], [1]])
    got, expected = new(ours)[0], old(theirs)[0]
    assert torch.allclose(got[..., [0, 1, 3]], expected[..., [0, 3, 1]], atol=1e-6)
    assert torch.equal(new.decoder.weight[2], fresh["decoder.weight"][2])


def test_weights_of_another_shape_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"decoder\.weight expected shape \[4, 3\], got \[4, 6\]"):
        copy_weights(LanguageModel(4, hidden_size=3), LanguageModel(4, hidden_size=6).state_dict(), [0, 1, 2, 3])
    with pytest.raises(ConfigError, match=r"recurrent\.cell_l1\.weight_ih is not in this model"):
        copy_weights(LanguageModel(4, num_layers=1), LanguageModel(4, num_layers=2).state_dict(), [0, 1, 2, 3])
