import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from recurra.data import IGNORE_INDEX
from recurra.decoding import beam_search
from recurra.errors import ConfigError, ShapeError
from recurra.models import Translator
from recurra.models.translator_forcing import own_inputs

SRC, TGT = 9, 11
KINDS = [
    {},
    {"attention": "none"},
    {"attention": "none", "context_input": True},
    {"attention": "none", "context_input": True, "input_feeding": True},
    {"attention": "dot", "bidirectional": False, "bridge": "copy"},
    {"attention": "general", "input_feeding": True},
    {"encoder_layers": 3, "decoder_layers": 2, "tie_weights": True},
    {"encoder_layers": 1, "decoder_layers": 3, "decoder_hidden_size": 7, "tgt_embedding_size": 3},
]
each_kind = pytest.mark.parametrize("options", KINDS)


def build(**options):
    torch.manual_seed(1)
    # the plain loop starts at once, where compiled code takes seconds; one test below compares the two
    return Translator(SRC, TGT, **{"hidden_size": 5, "engine": "eager", **options}).double().eval()


def batch(seed=2):
    """Four sentence pairs, one source empty, one target empty."""
    generator = torch.Generator().manual_seed(seed)
    src = torch.randint(0, SRC, (6, 4), generator=generator)
    inputs, targets = torch.randint(0, TGT, (2, 5, 4), generator=generator)
    return src, torch.tensor([6, 2, 0, 3]), inputs, targets, torch.tensor([5, 3, 2, 0])


def lstm_of(layers, input_size, hidden_size, *, bidirectional=False):
    """Torch's LSTM with the weights of one of ours."""
    lstm = nn.LSTM(input_size, hidden_size, layers.num_layers, bidirectional=bidirectional).double()
    for name, parameter in lstm.named_parameters():
        kind, place = name.split("_l", 1)
        parameter.data.copy_(getattr(layers.get_submodule(f"cell_l{place}"), kind))
    return lstm


def bahdanau_nll(model, src, src_length, inputs, targets):
    """The costs of one sentence's targets from torch.nn.LSTM and the equations, without padding."""
    encoder, decoder = lstm_of(model.encoder, 5, 5, bidirectional=True), lstm_of(model.decoder, 5, 5)
    memory, (h, c) = encoder(model.src_embedding.weight[src[:src_length]])  # (S, 10)
    to_h, to_c = model.bridge.maps[0]
    state = tuple(torch.tanh(to(end.flatten()))[None] for to, end in ((to_h, h), (to_c, c)))
    output, _ = decoder(model.tgt_embedding.weight[inputs], state)
    attention, costs = model.attention, []
    for h, target in zip(output, targets, strict=True):
        w, u = attention.from_query.weight, attention.from_memory
        scores = torch.stack([attention.direction @ torch.tanh(w @ h + u.weight @ m + u.bias) for m in memory])
        context = scores.softmax(0) @ memory
        vector = torch.tanh(model.combine.weight @ torch.cat([context, h]) + model.combine.bias)
        logits = model.output_layer.weight @ vector + model.output_layer.bias
        costs.append(-logits.log_softmax(0)[target])
    return torch.stack(costs)


def test_costs_and_gradients_are_those_of_the_same_model_put_together_from_torch():
    model = build()
    src, src_lengths, inputs, targets, tgt_lengths = batch()
    parts = [p for p in model.parameters() if p is not model.output_layer.bias]

    nll = model(src, src_lengths, inputs, targets, tgt_lengths)

    for row in (0, 1):
        length = int(tgt_lengths[row])
        expected = bahdanau_nll(model, src[:, row], src_lengths[row], inputs[:length, row], targets[:length, row])
        torch.testing.assert_close(nll[:length, row], expected, rtol=1e-10, atol=1e-12)
        assert not nll[length:, row].any()
        wanted = torch.autograd.grad(expected.sum(), parts[:2], allow_unused=True)
        found = torch.autograd.grad(nll[:, row].sum(), parts[:2], retain_graph=True)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_input_feeding_is_what_the_equations_say():
    model = build(cell="elman", attention="dot", input_feeding=True, bidirectional=False)
    src, inputs, targets = torch.tensor([[3], [1], [4]]), torch.tensor([[2], [7]]), torch.tensor([[7], [3]])
    end, step = model.encoder.cell_l0, model.decoder.cell_l0
    h, memory = torch.zeros(5).double(), []

    def recur(cell, x, h):
        return torch.tanh(cell.weight_ih @ x + cell.bias_ih + cell.weight_hh @ h + cell.bias_hh)

    for token in src[:, 0]:
        h = recur(end, model.src_embedding.weight[token], h)
        memory.append(h)
    h, vector, expected = torch.tanh(model.bridge.maps[0][0](h)), torch.zeros(5).double(), []
    for token, target in zip(inputs[:, 0], targets[:, 0], strict=True):
        h = recur(step, torch.cat([model.tgt_embedding.weight[token], vector]), h)
        weights = torch.stack([h @ m for m in memory]).softmax(0)
        context = sum(weight * m for weight, m in zip(weights, memory, strict=True))
        vector = torch.tanh(model.combine(torch.cat([context, h])))
        expected.append(functional.cross_entropy(model.output_layer(vector), target))

    nll = model(src, torch.tensor([3]), inputs, targets, torch.tensor([2]))

    torch.testing.assert_close(nll[:, 0], torch.stack(expected), rtol=1e-10, atol=1e-12)


def test_a_context_without_attention_enters_every_step():
    model = build(cell="gru", attention="none", context_input=True)
    src, inputs, targets = torch.tensor([[3], [1], [4]]), torch.tensor([[2], [7]]), torch.tensor([[7], [3]])
    encoder = nn.GRU(5, 5, bidirectional=True).double()
    decoder = nn.GRU(10, 5).double()
    for torchs, own in ((encoder, model.encoder), (decoder, model.decoder)):
        for name, parameter in torchs.named_parameters():
            kind, place = name.split("_l", 1)
            parameter.data.copy_(getattr(own.get_submodule(f"cell_l{place}"), kind))
    _, last = encoder(model.src_embedding.weight[src[:, 0]])
    context = torch.tanh(model.to_context(last.flatten()))
    start = torch.tanh(model.bridge.maps[0][0](last.flatten()))
    output, _ = decoder(torch.cat([model.tgt_embedding.weight[inputs[:, 0]], context.expand(2, -1)], 1), start[None])
    vectors = torch.tanh(model.combine(torch.cat([context.expand(2, -1), output], 1)))

    nll = model(src, torch.tensor([3]), inputs, targets, torch.tensor([2]))

    expected = functional.cross_entropy(model.output_layer(vectors), targets[:, 0], reduction="none")
    torch.testing.assert_close(nll[:, 0], expected, rtol=1e-10, atol=1e-12)


def costs_by_steps(model, src, src_lengths, inputs, targets):
    state, costs = model.encode(src, src_lengths), []
    for tokens, wanted in zip(inputs, targets, strict=True):
        logits, state, _ = model.step(tokens, state)
        costs.append(functional.cross_entropy(logits, wanted, reduction="none"))
    return torch.stack(costs)


@each_kind
@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_step_by_step_the_costs_are_those_of_the_whole(options, cell):
    model = build(cell=cell, **options)
    src, src_lengths, inputs, targets, tgt_lengths = batch()

    nll = model(src, src_lengths, inputs, targets, tgt_lengths)

    is_counted = torch.arange(5)[:, None] < tgt_lengths
    by_steps = costs_by_steps(model, src, src_lengths, inputs, targets)
    torch.testing.assert_close(nll, by_steps * is_counted, rtol=1e-10, atol=1e-12)


def test_compiled_and_plain_loops_agree():
    compiled, plain = build(engine="auto", cell="gru"), build(cell="gru")
    arguments = batch()

    nll = compiled(*arguments)

    torch.testing.assert_close(nll, plain(*arguments), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(costs_by_steps(compiled, *arguments[:4])[:, 0], nll[:, 0], rtol=1e-10, atol=1e-12)


CELLS = [
    {"cell": "phased-lstm"},
    {"cell": "projected-lstm", "proj_size": 3},
    {"cell": "slstm"},
    {"cell": "qrnn"},
    {"cell": "sru"},
    {"cell": "clockwork", "hidden_size": 8},
    {"cell": "rhn"},
    {"cell": "lru"},
    {"cell": nn.LSTMCell},
    {"cell": "qrnn", "src_embedding_size": 3, "tgt_embedding_size": 4, "encoder_layers": 3, "decoder_layers": 2},
    {"skip_through_time": 2},
    {"zoneout": 0.1, "recurrent_dropout": 0.2, "variational_dropout": 0.2, "weight_dropout": 0.2},
    {"residual": True, "encoder_layers": 2, "decoder_layers": 2, "projection_size": 5},
]


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_any_cell_starts_from_the_source_and_steps_as_it_runs(options):
    model = build(**options)
    src, src_lengths, inputs, targets, tgt_lengths = batch()

    nll = model(src, src_lengths, inputs, targets, tgt_lengths)

    by_steps = costs_by_steps(model, src, src_lengths, inputs, targets)
    torch.testing.assert_close(nll[:, 0], by_steps[:, 0], rtol=1e-8, atol=1e-9)
    nll.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.bridge.parameters())


@each_kind
def test_padding_comes_into_no_cost_and_no_gradient(options):
    model = build(**options)
    src, src_lengths, inputs, targets, tgt_lengths = batch()
    others = batch(seed=3)
    is_behind_src = torch.arange(6)[:, None] >= src_lengths
    is_behind_tgt = torch.arange(5)[:, None] >= tgt_lengths

    def run(src, inputs, targets):
        nll = model(src, src_lengths, inputs, targets, tgt_lengths)
        return nll, torch.autograd.grad(nll.sum(), list(model.parameters()))

    nll, gradients = run(src, inputs, targets)
    changed, others_gradients = run(
        torch.where(is_behind_src, others[0], src),
        torch.where(is_behind_tgt, others[2], inputs),
        torch.where(is_behind_tgt, IGNORE_INDEX, targets),
    )

    assert torch.equal(changed, nll)
    torch.testing.assert_close(others_gradients, gradients, rtol=1e-12, atol=1e-14)


@each_kind
def test_a_sentence_costs_the_same_alone(options):
    model = build(**options)
    src, src_lengths, inputs, targets, tgt_lengths = batch()

    nll = model(src, src_lengths, inputs, targets, tgt_lengths)

    for row, (length, steps) in enumerate(zip(src_lengths, tgt_lengths, strict=True)):
        if steps:
            rows = slice(row, row + 1)
            alone = model(
                src[: max(1, length), rows], length[None], inputs[:steps, rows], targets[:steps, rows], steps[None]
            )
            torch.testing.assert_close(nll[:steps, rows], alone, rtol=1e-10, atol=1e-12)


@each_kind
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_where_it_is_not_forced_it_reads_its_own_choice(options, share):
    model = build(**options)
    src, src_lengths, inputs, targets, tgt_lengths = batch()
    forced = torch.rand(5, 4, generator=torch.Generator().manual_seed(4)) < share
    state, tokens, read = model.encode(src, src_lengths), inputs[0], [inputs[0]]
    for step in range(1, 5):
        logits, state, _ = model.step(tokens, state)
        tokens = torch.where(forced[step], inputs[step], logits.argmax(-1))
        read.append(tokens)

    nll = model(src, src_lengths, inputs, targets, tgt_lengths, forced)

    expected = model(src, src_lengths, torch.stack(read), targets, tgt_lengths)
    torch.testing.assert_close(nll, expected, rtol=1e-10, atol=1e-12)
    assert not torch.equal(torch.stack(read), inputs)


def test_choosing_leaves_dropout_as_it_was_and_inputs_untouched():
    model = build(dropout=0.5, decoder_layers=2, recurrent_dropout=0.3)
    model.train()
    model.decoder.cell_l1.eval()
    src, src_lengths, inputs, targets, tgt_lengths = batch()
    before = inputs.clone()

    model(src, src_lengths, inputs, targets, tgt_lengths, torch.zeros(5, 4, dtype=torch.bool))

    assert torch.equal(inputs, before)
    assert model.decoder.training
    assert model.input_dropout.training
    assert model.decoder.cell_l0.training
    assert not model.decoder.cell_l1.training


@pytest.mark.parametrize("kind", [{}, {"attention": "general", "input_feeding": True}])
def test_choices_do_not_depend_on_dropout(kind):
    dropouts = {"input_dropout": 0.9, "dropout": 0.5, "recurrent_dropout": 0.5, "output_dropout": 0.5}
    model = build(**kind, **dropouts, hidden_size=32, decoder_layers=2).train()
    model.tgt_embedding.weight.data.mul_(20)  # so that what is read decides the choice
    src, src_lengths, inputs, *_ = batch()
    forced = torch.zeros(5, 4, dtype=torch.bool)
    state = model.encode(src, src_lengths)

    first, *others = (own_inputs(model, inputs, forced, state) for _ in range(5))

    assert all(torch.equal(first, other) for other in others)
    assert torch.equal(first, own_inputs(model.eval(), inputs, forced, state))
    assert not torch.equal(first, inputs)


def test_forcing_everywhere_is_no_forcing_said():
    model = build()
    arguments = batch()

    forced = torch.ones(5, 4, dtype=torch.bool)
    forced[0] = False

    assert torch.equal(model(*arguments, forced), model(*arguments))


@pytest.mark.parametrize("place", ["input_dropout", "dropout", "output_dropout"])
def test_dropout_acts_in_training_only(place):
    model = build(**{place: 0.5}, encoder_layers=2, decoder_layers=2)
    arguments = batch()

    assert torch.equal(model(*arguments), model(*arguments))
    model.train()
    assert not torch.equal(model(*arguments), model(*arguments))


def test_smoothed_targets_cost_what_torch_says():
    model = build(attention="none")
    src, src_lengths, inputs, targets, tgt_lengths = batch()
    state = model.encode(src, src_lengths)
    logits = torch.stack([model.step(inputs[0], state)[0]])

    nll, more = model(src, src_lengths, inputs[:1], targets[:1], tgt_lengths.clamp(max=1), with_smoothing_cost=True)

    expected = functional.cross_entropy(logits[0], targets[0], reduction="none", label_smoothing=0.2)
    torch.testing.assert_close((nll + 0.2 * more)[0, :3], expected[:3], rtol=1e-10, atol=1e-12)
    assert nll[0, 3] == more[0, 3] == 0
    assert torch.equal(nll, model(src, src_lengths, inputs[:1], targets[:1], tgt_lengths.clamp(max=1)))


@each_kind
def test_beam_search_finds_the_likeliest_translations(options):
    torch.manual_seed(1)
    model = Translator(SRC, 5, hidden_size=5, engine="eager", **options).double().eval()
    src, src_lengths = batch()[:2]
    ways = [[*tokens, 3] for n in (0, 1, 2) for tokens in itertools.product([0, 1, 2, 4], repeat=n)]
    inputs = torch.tensor([[2, *way[:-1], *[0] * (3 - len(way))] for way in ways]).t()
    targets = torch.tensor([[*way, *[0] * (3 - len(way))] for way in ways]).t()
    lengths = torch.tensor([len(way) for way in ways])

    found = beam_search(
        model.step,
        model.encode(src, src_lengths),
        model.select,
        batch_size=4,
        num_beams=5**3,
        num_best=5,
        max_length=4,
        bos_id=2,
        eos_id=3,
        keep_weights=True,
    )

    for row, hypotheses in enumerate(found):
        repeated = src[:, [row] * len(ways)], src_lengths[[row] * len(ways)]
        costs = model(*repeated, inputs, targets, lengths).sum(0)
        known = {tuple(way): cost for way, cost in zip(ways, costs.tolist(), strict=True)}
        short = [hypothesis for hypothesis in hypotheses if len(hypothesis.tokens) < 3]
        expected = sorted(ways, key=lambda way: known[tuple(way)])[: len(short)]
        assert short
        assert [[*hypothesis.tokens, 3] for hypothesis in short] == expected
        assert [-h.log_prob for h in short] == pytest.approx([known[tuple(way)] for way in expected], rel=1e-9)
        for hypothesis in hypotheses:
            check_attention(hypothesis, model.attention is not None, int(src_lengths[row]))


def check_attention(hypothesis, has_attention, length):
    if not has_attention:
        assert hypothesis.attention is None
        return
    assert hypothesis.attention.shape == (len(hypothesis.tokens) + 1, 6)
    assert not hypothesis.attention[:, length:].any()
    torch.testing.assert_close(
        hypothesis.attention.sum(-1), torch.full((len(hypothesis.tokens) + 1,), length > 0).double()
    )


def test_memory_is_not_repeated_for_hypotheses():
    model = build()
    state = model.encode(*batch()[:2])

    wider = state.select(torch.arange(4).repeat(3))
    narrower = wider.select(torch.tensor([1, 3, 5, 7]), torch.tensor([1, 3]))

    assert wider.memory is state.memory
    assert wider.recurrent[0].shape == (1, 12, 5)
    assert narrower.memory.output.shape == (6, 2, 10)
    assert torch.equal(narrower.memory.lengths, torch.tensor([2, 3]))


def test_tied_weights_are_one_parameter():
    model = build(tie_weights=True, tgt_embedding_size=4)

    assert model.output_layer.weight is model.tgt_embedding.weight
    with pytest.raises(ConfigError, match=r"width of the decoder's output \(5\), got 4"):
        build(tie_weights=True, tgt_embedding_size=4, attention="none")


def test_inputs_of_other_shapes_are_refused():
    model = build()
    src, src_lengths, inputs, targets, tgt_lengths = batch()

    with pytest.raises(ShapeError, match=r"inputs of shape \(time, batch=4\), got \(5, 3\)"):
        model(src, src_lengths, inputs[:, :3], targets, tgt_lengths)
    with pytest.raises(ShapeError, match=r"targets of the shape of inputs \(5, 4\), got \(4, 4\)"):
        model(src, src_lengths, inputs, targets[1:], tgt_lengths)
    with pytest.raises(ShapeError, match=r"forced to be bool of the shape of inputs \(5, 4\), got torch.float32"):
        model(src, src_lengths, inputs, targets, tgt_lengths, torch.zeros(5, 4))
    with pytest.raises(ShapeError, match="Translator expected lengths in 0 to 5, the time of x, got 3 to 6"):
        model(src, src_lengths, inputs, targets, torch.tensor([3, 6, 4, 5]))
    with pytest.raises(ShapeError, match="Translator expected lengths in 0 to 6, the time of x, got 0 to 7"):
        model(src, src_lengths + torch.tensor([1, 0, 0, 0]), inputs, targets, tgt_lengths)
