"""Layers whose cells take more than x: what each step is given beside it."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra import Recurrent
from recurra.errors import ShapeError
from recurra.loop import unroll

D = torch.float64
X = torch.randn(6, 4, 3, dtype=D)
TIMES = torch.rand(6, 4, 1, dtype=D).cumsum(0)
LENGTHS = [4, 6, 1, 3]


def build(cell="phased-lstm", **options):
    torch.manual_seed(3)
    return Recurrent(cell, 3, 4, dtype=D, **{"engine": "eager", **options})


def test_every_cell_of_every_layer_is_given_the_extras():
    layer = build(num_layers=2, bidirectional=True)
    x = X
    for k in range(2):
        cells = [layer.get_submodule(f"cell_l{k}{suffix}") for suffix in ("", "_reverse")]
        runs = [unroll(cell, (x, TIMES), reverse=d == 1, lengths=LENGTHS) for d, cell in enumerate(cells)]
        x = torch.cat([output for output, _ in runs], -1)

    output, last = layer((X, TIMES), lengths=LENGTHS)

    torch.testing.assert_close(output, x, rtol=1e-9, atol=1e-11)
    assert len(last) == 3
    assert not torch.equal(output, layer(X, lengths=LENGTHS)[0])


def test_compiled_code_takes_them_too():
    eager, native = (build(engine=engine, zoneout=0.2, num_layers=2).eval() for engine in ("eager", "native"))

    torch.testing.assert_close(native((X, TIMES)), eager((X, TIMES)), rtol=1e-9, atol=1e-11)


def test_forms_of_the_input_agree():
    layer, first = build(bidirectional=True), build(bidirectional=True, batch_first=True)
    state = tuple(torch.rand(2, 4, 4, dtype=D) for _ in range(3))
    output, last = layer((X, TIMES), state, lengths=LENGTHS)

    turned, turned_last = first((X.transpose(0, 1), TIMES.transpose(0, 1)), state, lengths=LENGTHS)
    packs = [pack_padded_sequence(t, torch.tensor(LENGTHS), enforce_sorted=False) for t in (X, TIMES)]
    packed, packed_last = layer(tuple(packs), state)
    single, single_last = layer((X[:, 1], TIMES[:, 1]), tuple(s[:, 1] for s in state))

    torch.testing.assert_close(turned.transpose(0, 1), output, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(pad_packed_sequence(packed)[0], output, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close((turned_last, packed_last), (last, last), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(single, output[:, 1], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(single_last, tuple(s[:, 1] for s in last), rtol=1e-12, atol=1e-14)


def test_wrapped_cells_take_them_and_masks_stand_behind_them():
    options = {"recurrent_dropout": 0.3, "recurrent_dropout_mask": "sequence", "variational_dropout": 0.2}
    layer, plain = build(skip_through_time=2, **options), build(skip_through_time=2)

    training, _ = layer((X, TIMES))

    # a phased LSTM leaks in training
    wanted = plain.eval()((X, TIMES))
    assert training.isfinite().all()
    assert not torch.equal(training, wanted[0])
    torch.testing.assert_close(layer.eval()((X, TIMES)), wanted, rtol=1e-12, atol=1e-14)


class Foreign(torch.nn.Module):
    """Adds what it is given."""

    def __init__(self, input_size, hidden_size, dtype=None):
        super().__init__()
        self.mix = torch.nn.Linear(input_size, hidden_size, dtype=dtype)

    def forward(self, x, h=None):
        x, *more = x if isinstance(x, tuple) else (x,)
        return torch.tanh(self.mix(x)) + sum(more)


def test_a_foreign_cell_is_given_what_there_is():
    layer = build(Foreign)

    output, _ = layer((X, TIMES, TIMES))

    torch.testing.assert_close(output, torch.tanh(layer.cell_l0.mix(X)) + 2 * TIMES, rtol=1e-12, atol=0)


def test_a_tuple_of_one_is_that_sequence():
    assert torch.equal(build("gru")((X,))[0], build("gru")(X)[0])


def packed(lengths, **options):
    return pack_padded_sequence(X, torch.tensor(lengths), **{"enforce_sorted": False, **options})


@pytest.mark.parametrize(
    ("cell", "given", "message"),
    [
        ("phased-lstm", (), r"input to be a sequence or a tuple \(sequence, \*extras\), got an empty tuple"),
        (
            "phased-lstm",
            (X, TIMES[:, :2]),
            r"input\[1\] to have the form of input\[0\], \(6, 4, width\), got \(6, 2, 1\)",
        ),
        ("phased-lstm", (X, TIMES[:, 0]), r"input\[1\] to have the form of input\[0\], \(6, 4, width\), got \(6, 1\)"),
        ("phased-lstm", (X, 3), r"input\[1\] to be a tensor, as input\[0\] is one, got int"),
        ("phased-lstm", (X, packed(LENGTHS)), r"input\[1\] to be a tensor, as input\[0\] is one, got PackedSequence"),
        (
            "phased-lstm",
            (packed(LENGTHS), TIMES),
            r"input\[1\] to be a PackedSequence, as input\[0\] is one, got Tensor",
        ),
        (
            "phased-lstm",
            (packed(LENGTHS), packed([4, 6, 3, 1])),
            r"input\[1\] to have the lengths and the order of rows",
        ),
        (
            "phased-lstm",
            (packed(LENGTHS), packed([4, 6, 2, 3])),
            r"input\[1\] to have the lengths and the order of rows",
        ),
        ("phased-lstm", (X, X), r"input to be \(sequence, time \(1\)\) for PhasedLSTMCell, got widths \(3,\)"),
        (
            "phased-lstm",
            (X, TIMES, TIMES),
            r"input to be \(sequence, time \(1\)\) for PhasedLSTMCell, got widths \(1, 1\)",
        ),
        ("gru", (X, TIMES), "input to be one sequence, as GRUCell takes x only, got 2"),
        (torch.nn.GRUCell, (X, TIMES), "input to be one sequence, as GRUCell takes x only, got 2"),
        ("gru", [X], "input to be a tensor or a PackedSequence, got list"),
    ],
)
def test_other_forms_are_errors(cell, given, message):
    with pytest.raises(ShapeError, match=f"Recurrent expected {message}"):
        build(cell)(given)
