"""RNN, LSTM and GRU against torch's layers of the same name."""

import copy
import inspect
import itertools
import pickle

import pytest
import torch
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

import recurra
import recurra.layers
from recurra.errors import ArgumentError, ChoiceError, ShapeError, UnsupportedCellError
from recurra.loop import unroll

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

KINDS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
    ("GRU", {}),
]
kinds = pytest.mark.parametrize(("name", "extra"), KINDS, ids=["rnn", "rnn-relu", "lstm", "lstm-proj", "gru"])
LENGTHS = torch.tensor([4, 6, 1, 3])


def both(name, extra, **options):
    """Torch's layer and ours, drawn from the same seed, without copying any weight."""
    ours = {key: options.pop(key) for key in ("engine", "init") if key in options}
    torch.manual_seed(9)
    theirs = getattr(torch.nn, name)(3, 4, **extra, **options)
    torch.manual_seed(9)
    return getattr(recurra, name)(3, 4, **extra, **options, **ours), theirs


def tensors(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def random_state(layer, batch, dtype):
    lead = (layer.num_layers * (1 + layer.bidirectional), *batch)
    widths = (layer.proj_size or 4, 4) if isinstance(layer, torch.nn.LSTM) else (4,)
    state = tuple(torch.randn(*lead, width, dtype=dtype).requires_grad_() for width in widths)
    return state if len(state) > 1 else state[0]


def padded(output, batch_first):
    if isinstance(output, torch.Tensor):
        return output
    return pad_packed_sequence(output, batch_first=batch_first)[0]


def run(layer, x, state, form, batch_first):
    """Outputs, last states, and all gradients."""
    layer.zero_grad()
    leaves = [x, *(() if state is None else tensors(state))]
    for leaf in leaves:
        leaf.grad = None
    if form == "packed":
        given = pack_padded_sequence(x, LENGTHS, batch_first=batch_first, enforce_sorted=False)
    elif form == "sorted":
        descending = LENGTHS.sort(descending=True).values
        given = pack_padded_sequence(x, descending, batch_first=batch_first)
    else:
        given = x
    output, last = layer(given, state)
    output = padded(output, batch_first)
    ((output * output.cos()).sum() + sum((k + 1) * s.sin().sum() for k, s in enumerate(tensors(last)))).backward()
    return output, last, [leaf.grad for leaf in leaves], [p.grad for p in layer.parameters()]


def compare(name, extra, engine, form, with_state, dtype=torch.float64, **options):
    mine, theirs = both(name, extra, engine=engine, dtype=dtype, **options)
    batch_first = options.get("batch_first", False)
    torch.manual_seed(1)
    shape = (6, 3) if form == "single" else (4, 6, 3) if batch_first else (6, 4, 3)
    x = torch.randn(*shape, dtype=dtype, requires_grad=True)
    state = random_state(theirs, () if form == "single" else (4,), dtype) if with_state else None

    found = run(mine, x, state, form, batch_first)
    wanted = run(theirs, x, state, form, batch_first)

    close = {"rtol": 1e-9, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 1e-3, "atol": 1e-5}
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, **close)


FORMS = ["batch", "single", "packed", "sorted"]


@kinds
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_outputs_states_and_gradients_equal_torchs(name, extra, num_layers, bidirectional, form):
    for bias, batch_first, with_state in [(True, False, True), (False, True, False), (True, True, True)]:
        options = {"bias": bias, "batch_first": batch_first, "num_layers": num_layers, "bidirectional": bidirectional}
        compare(name, extra, "eager", form, with_state, **options)


@kinds
@pytest.mark.parametrize("engine", ["eager", "auto", "torch"])
@pytest.mark.parametrize("form", FORMS)
def test_float32_equals_torchs_within_rounding(name, extra, engine, form):
    compare(name, extra, engine, form, True, dtype=torch.float32, num_layers=2, bidirectional=True)


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("engine", ["eager", "auto", "torch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_whole_grid_equals_torchs(name, extra, engine, dtype):
    flags = itertools.product((1, 2, 3), (True, False), (True, False), (True, False), FORMS, (True, False))
    for num_layers, bias, batch_first, bidirectional, form, with_state in flags:
        options = {"bias": bias, "batch_first": batch_first, "num_layers": num_layers, "bidirectional": bidirectional}
        compare(name, extra, engine, form, with_state, dtype, **options)


@kinds
@pytest.mark.parametrize("engine", ["eager", "auto", "torch"])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_lengths_equal_packing(name, extra, engine, batch_first, bidirectional):
    options = {"batch_first": batch_first, "bidirectional": bidirectional, "num_layers": 2, "dtype": torch.float64}
    mine, theirs = both(name, extra, engine=engine, **options)
    x = torch.randn(*((4, 6, 3) if batch_first else (6, 4, 3)), dtype=torch.float64)
    state = random_state(theirs, (4,), torch.float64)

    output, last = mine(x, state, lengths=LENGTHS)

    packed, wanted_last = theirs(pack_padded_sequence(x, LENGTHS, batch_first=batch_first, enforce_sorted=False), state)
    torch.testing.assert_close(output, padded(packed, batch_first), rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(last, wanted_last, rtol=1e-11, atol=1e-13)


@kinds
def test_a_packed_batch_keeps_the_order_of_its_rows(name, extra):
    mine, theirs = both(name, extra, engine="eager", bidirectional=True)
    # rows of equal length, which a second packing might order in another way
    packed = pack_sequence([torch.randn(n, 3) for n in (2, 5, 2, 5, 2)], enforce_sorted=False)

    output, _ = mine(packed)
    wanted, _ = theirs(packed)

    assert torch.equal(output.batch_sizes, packed.batch_sizes)
    assert torch.equal(output.sorted_indices, packed.sorted_indices)
    assert torch.equal(output.unsorted_indices, packed.unsorted_indices)
    torch.testing.assert_close(output.data, wanted.data, rtol=1e-4, atol=1e-6)


@kinds
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_length_of_zero_leaves_the_state(name, extra, bidirectional):
    mine, _ = both(name, extra, engine="auto", bidirectional=bidirectional, num_layers=2)
    state = random_state(mine, (4,), torch.float32)

    output, last = mine(torch.randn(6, 4, 3), state, lengths=[6, 0, 2, 0])

    assert not output[:, 1].any()
    for old, new in zip(tensors(state), tensors(last), strict=True):
        assert torch.equal(old[:, [1, 3]], new[:, [1, 3]])
        assert not torch.equal(old[:, [0, 2]], new[:, [0, 2]])


@kinds
@pytest.mark.parametrize("batch_first", [True, False])
def test_a_reset_starts_a_row_anew(name, extra, batch_first):
    mine, theirs = both(name, extra, batch_first=batch_first, num_layers=2, dtype=torch.float64)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    state = random_state(theirs, (4,), torch.float64)
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[2, 1] = reset[4, :] = True

    def turned(a):
        return a.transpose(0, 1) if batch_first else a

    output, last = mine(turned(x), state, reset=turned(reset))

    wanted, wanted_last = theirs(turned(x[4:]))
    torch.testing.assert_close(turned(output)[4:], turned(wanted), rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(last, wanted_last, rtol=1e-11, atol=1e-13)
    wanted, _ = theirs(turned(x[2:4, 1:2]))
    torch.testing.assert_close(turned(output)[2:4, 1:2], turned(wanted), rtol=1e-11, atol=1e-13)


def test_one_sequence_takes_one_length_and_a_row_of_resets():
    mine, theirs = both("GRU", {}, engine="eager")
    x = torch.randn(6, 3)
    reset = torch.tensor([False, False, True, False, False, False])

    output, last = mine(x, lengths=4, reset=reset)

    wanted, wanted_last = theirs(x[2:4])
    torch.testing.assert_close(output[2:4], wanted)
    torch.testing.assert_close(last, wanted_last)
    assert not output[4:].any()
    torch.testing.assert_close(mine(x, lengths=torch.tensor(4), reset=reset)[0], output, rtol=0, atol=0)


@kinds
def test_same_seed_gives_torchs_weights_and_state_dicts_load_both_ways(name, extra):
    mine, theirs = both(name, extra, num_layers=2, bidirectional=True)

    assert list(mine.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(mine.state_dict()[key], value)
    fresh_mine, fresh_theirs = (type(a)(3, 4, num_layers=2, bidirectional=True, **extra) for a in (mine, theirs))
    fresh_mine.load_state_dict(theirs.state_dict())
    fresh_theirs.load_state_dict(mine.state_dict())
    x = torch.randn(5, 2, 3)
    fresh_mine.engine = "eager"
    torch.testing.assert_close(fresh_mine(x), theirs(x))
    torch.testing.assert_close(fresh_theirs(x), theirs(x))


@kinds
def test_kind_and_text_are_torchs(name, extra):
    mine, theirs = both(name, extra, num_layers=2, batch_first=True)

    assert isinstance(mine, type(theirs))
    assert repr(mine) == repr(theirs)
    mine, _ = both(name, extra, engine="eager", init="orthogonal")
    assert repr(mine).endswith(", engine='eager', init='orthogonal')")


def test_positional_arguments_are_torchs():
    mine = recurra.RNN(3, 4, 2, "relu", False, True, 0.5, True)
    theirs = torch.nn.RNN(3, 4, 2, "relu", False, True, 0.5, True)

    assert repr(mine) == repr(theirs)


@kinds
@pytest.mark.parametrize("engine", ["eager", "auto", "torch"])
def test_dropout_stands_between_the_layers_and_nowhere_else(name, extra, engine):
    mine, _ = both(name, extra, engine=engine, num_layers=2, dropout=1.0)
    mine.bias_ih_l1 = mine.bias_hh_l1 = torch.nn.Parameter(torch.zeros_like(mine.bias_ih_l1))
    x = torch.randn(5, 2, 3)
    lengths = None if engine == "eager" else [5, 5]

    # with all of the first layer dropped and no biases, the second has nothing to go on
    output, last = mine(x, lengths=lengths)
    assert not output.any()
    assert tensors(last)[0][0].any()
    assert mine.eval()(x, lengths=lengths)[0].any()


@kinds
@pytest.mark.parametrize("batch_first", [True, False])
def test_the_same_seed_drops_what_torch_drops(name, extra, batch_first):
    options = {"num_layers": 3, "dropout": 0.5, "batch_first": batch_first, "bidirectional": True}
    mine, theirs = both(name, extra, engine="eager", dtype=torch.float64, **options)
    x = torch.randn(5, 2, 3, dtype=torch.float64)

    torch.manual_seed(4)
    output, _ = mine(x)
    torch.manual_seed(4)
    wanted, _ = theirs(x)

    torch.testing.assert_close(output, wanted, rtol=1e-11, atol=1e-13)
    torch.manual_seed(5)
    assert not torch.allclose(mine(x)[0], wanted)


def test_dropout_with_one_layer_warns_as_torch_does():
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        recurra.GRU(3, 4, dropout=0.5)


BAD_ARGUMENTS = [
    {"dropout": 1.5},
    {"dropout": True},
    {"bias": 1},
    {"batch_first": "yes"},
    {"num_layers": 0},
    {"input_size": 0},
    {"hidden_size": 2.0},
    {"proj_size": 9},
    {"proj_size": -1},
    {"nonlinearity": "sine"},
    {"unknown": 3},
]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("change", BAD_ARGUMENTS, ids=str)
def test_wrong_arguments_give_torchs_errors(name, change):
    arguments = {"input_size": 3, "hidden_size": 4} | change
    try:
        getattr(torch.nn, name)(**arguments)
    except Exception as error:  # whatever torch raises is what is wanted
        wanted = error
    else:
        pytest.fail("torch accepts these arguments")

    with pytest.raises(type(wanted)) as caught:
        getattr(recurra, name)(**arguments)

    assert str(caught.value) == str(wanted)


def bad_calls(name):
    x, h = torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)
    packed = pack_sequence([torch.zeros(5, 3), torch.zeros(2, 3)])

    def state(s):
        return (s, s) if name == "LSTM" else s

    return {
        "width": (x[..., :2], None),
        "axes": (x[None], None),
        "one axis": (x[0, 0], None),
        "type": (x.double(), None),
        "state of a single sequence": (x, state(h[:, 0])),
        "state of a batch": (x[:, 0], state(h)),
        "width of the state": (x, state(h[..., :3])),
        "batch of the state": (x, state(h[:, :1])),
        "layers of the state": (x, state(torch.cat((h, h)))),
        "packed width": (pack_sequence([torch.zeros(5, 2), torch.zeros(3, 2)]), None),
        "packed state": (packed, state(h[..., :3])),
        "packed batch": (packed, state(torch.zeros(1, 3, 4))),
    }


@pytest.mark.parametrize("engine", ["eager", "auto", "torch"])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("case", list(bad_calls("GRU")))
def test_wrong_calls_give_torchs_kinds_of_errors(name, case, engine):
    mine, theirs = both(name, {}, engine=engine)
    x, state = bad_calls(name)[case]
    if case == "packed batch":
        state = tuple(s[:, :1] for s in state) if name == "LSTM" else state[:, :1]
    try:
        theirs(x, state)
    except Exception as error:  # whatever torch raises is what is wanted
        wanted = error
    else:
        pytest.fail("torch accepts this call")

    with pytest.raises((RuntimeError, ValueError)) as caught:
        mine(x, state)

    assert isinstance(caught.value, type(wanted))


@pytest.mark.parametrize("engine", ["eager", "auto", "torch"])
def test_a_packed_batch_of_equal_lengths_and_a_wrong_width_is_an_error(engine):
    # torch.nn.LSTM takes it, and returns numbers
    packed = pack_sequence([torch.ones(5, 2), torch.ones(5, 2)])

    with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal to input_size. Expected 3, got 2"):
        recurra.LSTM(3, 4, engine=engine)(packed)


def test_lengths_or_resets_of_another_form_are_errors():
    layer = recurra.GRU(3, 4, batch_first=True)
    x = torch.zeros(2, 5, 3)
    with pytest.raises(ShapeError, match=r"lengths of shape \(batch=2,\), got \(3,\)"):
        layer(x, lengths=[1, 2, 3])
    with pytest.raises(ShapeError, match=r"GRU expected reset of the first two axes of input, \(2, 5\), got \(5, 2\)"):
        layer(x, reset=torch.zeros(5, 2, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"unroll expected reset to be a bool tensor, got torch.float32"):
        layer(x, reset=torch.zeros(2, 5))
    with pytest.raises(ShapeError, match=r"reset of a single sequence of shape \(time=5,\), got \(4,\)"):
        layer(x[0], reset=torch.zeros(4, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"GRU expected lengths of a single sequence to be one integer, got \[1, 2\]"):
        layer(x[0], lengths=[1, 2])
    with pytest.raises(ShapeError, match="GRU expected input of two or three axes, got list"):
        layer([1.0], lengths=[1])
    with pytest.raises(
        ArgumentError, match="GRU expected no lengths with a PackedSequence, which has its own, got both"
    ):
        layer(pack_sequence([torch.zeros(5, 3)]), lengths=[5])


def test_a_state_of_another_kind_is_an_error():
    with pytest.raises(ShapeError, match="LSTM expected hx to be a tuple of tensors, got a tensor"):
        recurra.LSTM(3, 4, engine="eager")(torch.zeros(5, 2, 3), torch.zeros(1, 2, 4))
    with pytest.raises(ShapeError, match="GRU expected hx to be a tensor, got 2 values"):
        recurra.GRU(3, 4, engine="eager")(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4),) * 2)


def test_unknown_options_are_errors():
    with pytest.raises(
        ChoiceError, match="expected engine of LSTM to be one of auto, native, eager, torch; got 'fast'"
    ):
        recurra.LSTM(3, 4, engine="fast")
    with pytest.raises(ChoiceError, match="expected init of LSTM to be one of published, torch, orthogonal"):
        recurra.LSTM(3, 4, init="glorot")


def test_the_engine_torch_refuses_resets():
    with pytest.raises(UnsupportedCellError, match="engine 'torch' cannot run GRUCell: reset is given"):
        recurra.GRU(3, 4, engine="torch")(torch.zeros(5, 2, 3), reset=torch.zeros(5, 2, dtype=torch.bool))


@kinds
def test_orthogonal_initialisation_works_block_by_block_in_every_layer(name, extra):
    mine, _ = both(name, extra, init="orthogonal", num_layers=2, bidirectional=True)

    for key, value in mine.named_parameters():
        if "weight_hh" in key:
            for block in value.split(4):
                torch.testing.assert_close(block.T @ block, torch.eye(block.shape[1]))
        if "bias" in key:
            forget = value[4:8] if name == "LSTM" and "bias_ih" in key else value[:0]
            assert (forget == 1).all()
            assert value.count_nonzero() == forget.numel()


def test_a_callable_initialisation_sees_every_block():
    seen = []

    recurra.LSTM(3, 4, 2, init=lambda block: seen.append(tuple(block.shape)))

    assert seen == [(4, 3)] * 4 + [(4, 4)] * 12


def test_nothing_is_drawn_twice():
    torch.manual_seed(0)
    recurra.LSTM(3, 4)
    ours = torch.get_rng_state()
    torch.manual_seed(0)
    torch.nn.LSTM(3, 4)

    assert torch.equal(ours, torch.get_rng_state())


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_copies_and_pickles_work_alike(engine):
    layer = recurra.LSTM(3, 4, 2, engine=engine)
    x = torch.randn(5, 2, 3)

    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(x), layer(x), rtol=0, atol=0)
        with torch.no_grad():
            twin.weight_hh_l1.zero_()
        assert not torch.equal(twin(x)[0], layer(x)[0])
        assert not torch.equal(twin(x, lengths=[5, 3])[0], layer(x, lengths=[5, 3])[0])
        assert twin.engine == engine


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_a_weight_normed_layer_runs_trains_and_copies(engine):
    layer = recurra.LSTM(3, 4, engine=engine)
    x = torch.randn(5, 2, 3)
    wanted = layer(x)[0]
    parametrizations.weight_norm(layer, "weight_hh_l0")

    torch.testing.assert_close(layer(x)[0], wanted)
    layer(x)[0].sum().backward()
    assert layer.parametrizations.weight_hh_l0.original1.grad.any()
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.mul_(2)
    changed = layer(x)[0]
    assert not torch.allclose(changed, wanted)
    torch.testing.assert_close(layer(x, lengths=[5, 5])[0], changed)
    torch.testing.assert_close(copy.deepcopy(layer)(x)[0], changed)


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_functional_calls_and_replicas_use_the_tensors_given(engine):
    layer = recurra.GRU(3, 4, engine=engine)
    x = torch.randn(5, 2, 3)
    doubled = {name: 2 * p.detach() for name, p in layer.named_parameters()}
    other = copy.deepcopy(layer)
    other.load_state_dict(doubled)

    torch.testing.assert_close(torch.func.functional_call(layer, doubled, (x,)), other(x))
    # what torch.nn.DataParallel makes: a module whose tensors are no Parameters
    replica = layer._replicate_for_data_parallel()
    replica._parameters = {}
    for name, value in doubled.items():
        setattr(replica, name, value)
    torch.testing.assert_close(replica(x, lengths=[5, 5]), other(x))


def test_a_layer_moves_between_types():
    layer = recurra.LSTM(3, 4, engine="eager").double()

    output, (_, c) = layer(torch.randn(5, 2, 3, dtype=torch.float64))

    assert output.dtype == c.dtype == torch.float64


def test_second_gradients_equal_torchs():
    mine, theirs = both("LSTM", {}, engine="eager", dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)

    def second(layer):
        (first,) = torch.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), [x, *layer.parameters()])

    torch.testing.assert_close(second(mine), second(theirs), rtol=1e-9, atol=1e-12)


def test_the_eager_layer_is_the_eager_loop():
    layer = recurra.GRU(3, 4, engine="eager")
    cell = torch.nn.GRUCell(3, 4)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x = torch.randn(5, 2, 3)

    torch.testing.assert_close(layer(x)[0], unroll(cell, x, engine="eager")[0])


def test_the_public_names_are_exact():
    public = {name for name in vars(recurra.layers) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(vars(recurra.layers)[name])}

    assert set(recurra.layers.__all__) == public - modules - {"annotations"}
    assert {"RNN", "LSTM", "GRU", "Recurrent"} <= set(recurra.__all__)
