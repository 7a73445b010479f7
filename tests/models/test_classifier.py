import numpy as np
import pytest
import torch

from recurra.data import UNK_ID
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.models import Classifier, ConvolutionBody
from recurra.models.classifier_bodies import AverageBody

LENGTHS = torch.tensor([7, 1, 0, 4])
BODIES = [
    *({"pooling": pooling, "num_layers": 2} for pooling in ("last", "mean", "max", "attention")),
    {"pooling": "last", "bidirectional": False, "cell": "gru"},
    {"body": "cnn"},
    {"body": "mlp", "num_layers": 2},
]


def build(seed=0, **options):
    torch.manual_seed(seed)
    sizes = {"vocab_size": 11} if "input_size" not in options else {}
    return Classifier(3, embedding_size=4, hidden_size=5, **sizes, **options).double().eval()


def weights_of(module):
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, w):
    """Outputs (T, H) of one LSTM direction over one sequence (T, I)."""
    size = w["weight_hh"].shape[1]
    h, c, outputs = np.zeros(size), np.zeros(size), []
    for step in x:
        gates = w["weight_ih"] @ step + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs).reshape(len(x), size)


def expected_vector(model, x, pooling):
    """The vector of one sequence (T, I) by NumPy, for one bidirectional LSTM layer."""
    w = weights_of(model.body)
    pick = lambda start: {k[len(start) :]: v for k, v in w.items() if k.startswith(start)}  # noqa: E731
    ahead = lstm(x, pick("recurrent.cell_l0."))
    back = lstm(x[::-1], pick("recurrent.cell_l0_reverse."))
    if pooling == "last":
        return np.concatenate([ahead[-1], back[-1]])
    y = np.concatenate([ahead, back[::-1]], 1)
    if pooling == "attention":
        a = pick("attention.")
        closeness = np.tanh(y @ a["projection.weight"].T + a["projection.bias"]) @ a["context.weight"][0]
        share = np.exp(closeness) / np.exp(closeness).sum()
        return share @ y
    return y.mean(0) if pooling == "mean" else y.max(0)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_the_recurrent_body_equals_the_equations_in_numpy(pooling):
    model = build(pooling=pooling)
    tokens = torch.randint(4, 11, (7, 4))

    logits = model(tokens, LENGTHS).detach().numpy()

    w = weights_of(model)
    for row, length in enumerate(LENGTHS.tolist()):
        x = w["embedding.weight"][tokens[:length, row].numpy()]
        vector = expected_vector(model, x, pooling) if length else np.zeros(10)
        np.testing.assert_allclose(logits[row], w["decoder.weight"] @ vector + w["decoder.bias"], atol=1e-12)


def test_the_cnn_equals_the_equations_in_numpy():
    model = build(body="cnn")
    tokens = torch.randint(4, 11, (7, 4))

    logits = model(tokens, LENGTHS).detach().numpy()

    w = weights_of(model)
    for row, length in enumerate(LENGTHS.tolist()):
        x = w["embedding.weight"][tokens[:length, row].numpy()]
        vector = []
        for k, size in enumerate((3, 4, 5)):
            ahead = (size - 1) // 2
            padded = np.concatenate([np.zeros((ahead, 4)), x, np.zeros((size, 4))])
            filters, bias = w[f"body.convolutions.{k}.weight"], w[f"body.convolutions.{k}.bias"]
            windows = [np.einsum("fis,si->f", filters, padded[t : t + size]) + bias for t in range(length)]
            vector.append(np.maximum(np.max(windows, 0), 0) if length else np.zeros(5))
        expected = w["decoder.weight"] @ np.concatenate(vector) + w["decoder.bias"]
        np.testing.assert_allclose(logits[row], expected, atol=1e-12)


def test_the_mlp_equals_the_equations_in_numpy():
    model = build(body="mlp", num_layers=2)
    tokens = torch.randint(4, 11, (7, 4))

    logits = model(tokens, LENGTHS).detach().numpy()

    w = weights_of(model)
    for row, length in enumerate(LENGTHS.tolist()):
        x = w["embedding.weight"][tokens[:length, row].numpy()]
        h = x.mean(0) if length else np.zeros(4)
        for k in range(2):
            h = np.maximum(w[f"body.layers.{k}.weight"] @ h + w[f"body.layers.{k}.bias"], 0)
        np.testing.assert_allclose(logits[row], w["decoder.weight"] @ h + w["decoder.bias"], atol=1e-12)


@pytest.mark.parametrize("options", BODIES)
def test_padding_changes_neither_logits_nor_gradients(options):
    model = build(**options)
    tokens = torch.randint(4, 11, (7, 4))
    is_behind = torch.arange(7).unsqueeze(1) >= LENGTHS
    changed = torch.where(is_behind, (tokens + 3) % 11, tokens)

    gradients = []
    for inputs in (tokens, changed):
        model.zero_grad()
        logits = model(inputs, LENGTHS)
        logits.square().sum().backward()
        gradients.append([logits, *(parameter.grad.clone() for parameter in model.parameters())])

    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("options", BODIES)
def test_vectors_behind_the_end_change_nothing_even_where_they_are_no_numbers(options):
    model = build(input_size=2, **options)
    vectors = torch.randn(7, 4, 2).double()
    is_behind = torch.arange(7).unsqueeze(1) >= LENGTHS
    changed = vectors.masked_fill(is_behind.unsqueeze(-1), float("nan"))

    gradients = []
    for inputs in (vectors, changed):
        model.zero_grad()
        logits = model(inputs, LENGTHS)
        logits.square().sum().backward()
        gradients.append([logits, *(parameter.grad.clone() for parameter in model.parameters())])

    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("options", BODIES)
def test_more_padding_and_other_neighbours_change_nothing(options):
    model = build(**options)
    tokens = torch.randint(4, 11, (7, 4))

    together = model(tokens, LENGTHS)
    alone = [model(tokens[: max(n, 1), k : k + 1], torch.tensor([n])) for k, n in enumerate(LENGTHS.tolist())]

    assert torch.allclose(together, torch.cat(alone), atol=1e-12)


def test_attention_weights_are_those_of_the_pooling():
    model = build(pooling="attention")
    tokens = torch.randint(4, 11, (7, 4))

    weights = model.attention_weights(tokens, LENGTHS)

    assert torch.allclose(weights.sum(0), (LENGTHS > 0).double())
    assert not weights[torch.arange(7).unsqueeze(1) >= LENGTHS].any()
    with pytest.raises(ArgumentError, match="model with pooling='attention', got 'max'"):
        build(pooling="max").attention_weights(tokens, LENGTHS)
    with pytest.raises(ArgumentError, match="model with pooling='attention', got a ConvolutionBody"):
        build(body="cnn").attention_weights(tokens, LENGTHS)


def test_word_dropout_reads_tokens_as_unknown_in_training_only():
    model = build(body="mlp", word_dropout=0.999999)
    tokens = torch.randint(4, 11, (7, 4))
    unknown = torch.full_like(tokens, UNK_ID)

    evaluated = model(tokens, LENGTHS)
    trained = model.train()(tokens, LENGTHS)

    assert torch.equal(trained, model.eval()(unknown, LENGTHS))
    assert not torch.allclose(evaluated, trained)


def test_embedding_dropout_drops_a_symbol_at_all_its_places():
    model = build(body="mlp", embedding_dropout=0.5).train()
    tokens = torch.tensor([[4], [4], [4], [4]])

    torch.manual_seed(1)
    kept = torch.nn.functional.dropout(torch.ones(11).double(), 0.5)[4]
    torch.manual_seed(1)
    vectors = model._vectors(tokens, torch.tensor([4]))

    assert torch.equal(vectors, (model.embedding.weight[4] * kept).expand(4, 1, 4))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (ConvolutionBody(4, 6), ConvolutionBody.count_parameters(4, 6)),
        (AverageBody(4, 6, 3), AverageBody.count_parameters(4, 6, 3)),
    ],
)
def test_bodies_count_their_parameters(body, count):
    assert count == sum(parameter.numel() for parameter in body.parameters())


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="one of vocab_size and input_size, got neither"):
        Classifier(2)
    with pytest.raises(ArgumentError, match="one of vocab_size and input_size, got both"):
        Classifier(2, vocab_size=3, input_size=3)
    with pytest.raises(ArgumentError, match="expected no batch_first"):
        Classifier(2, vocab_size=5, batch_first=True)
    with pytest.raises(ChoiceError, match="body of Classifier to be one of recurrent, cnn, mlp; got 'rnn'"):
        Classifier(2, vocab_size=5, body="rnn")
    with pytest.raises(ArgumentError, match="no options of recurrent layers with body='cnn', got zoneout"):
        Classifier(2, vocab_size=5, body="cnn", zoneout=0.1)
    with pytest.raises(ChoiceError, match=r"pooling of Classifier .* got 'first'"):
        Classifier(2, vocab_size=5, pooling="first")
    with pytest.raises(ArgumentError, match=r"pooling='last' of two directions.* got merge_mode='sum'"):
        Classifier(2, vocab_size=5, pooling="last", merge_mode="sum")


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(time, batch\), got \(2, 3, 4\)"):
        build()(torch.zeros(2, 3, 4), torch.ones(3))
    with pytest.raises(ShapeError, match=r"input_size=2\), got \(2, 3, 4\)"):
        build(input_size=2)(torch.zeros(2, 3, 4), torch.ones(3))
    with pytest.raises(ShapeError, match=r"lengths of shape \(batch=3,\), got \(2,\)"):
        build()(torch.zeros(2, 3, dtype=torch.int64), torch.ones(2))
