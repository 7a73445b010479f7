import json
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recurra.data import PAD_ID, UNK_ID, Cursor, StreamBatches, TokenIds, iter_evaluation
from recurra.errors import ArgumentError, DataTooShortError

IGNORED = -100


def counting(length, dtype=np.uint32, table=None):
    """Ids that tell their place: the id at position p is p + 1."""
    return TokenIds(np.arange(1, length + 1, dtype=dtype), table)


def streams(length=1000, *, start=0, batch_size=3, bptt=7, seed=0, vary_bptt=False, table=None):
    ids = counting(length, table=table)
    return StreamBatches(ids, start, length, batch_size=batch_size, bptt=bptt, seed=seed, vary_bptt=vary_bptt)


def same(one, other):
    return (
        torch.equal(one.inputs, other.inputs)
        and torch.equal(one.targets, other.targets)
        and (one.starts_anew, one.cursor_after, one.lr_factor)
        == (other.starts_anew, other.cursor_after, other.lr_factor)
    )


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(2, 300),
    start=st.integers(0, 20),
    batch_size=st.integers(1, 6),
    bptt=st.integers(1, 12),
    seed=st.integers(0, 5),
)
def test_streams_read_the_part_in_order(length, start, batch_size, bptt, seed):
    assume(length >= (batch_size + 1) * bptt)
    batches = StreamBatches(
        counting(start + length + 9), start, start + length, batch_size=batch_size, bptt=bptt, seed=seed
    )

    per_epoch = batches.batches_per_epoch
    for epoch in range(3):
        some = list(islice(batches.iter_batches(Cursor(epoch)), per_epoch))
        inputs = torch.cat([batch.inputs for batch in some])  # (windows * T, B)
        targets = torch.cat([batch.targets for batch in some])

        assert all(batch.inputs.shape == batch.targets.shape == (bptt, batch_size) for batch in some)
        assert torch.equal(targets, inputs + 1)
        assert (inputs.diff(dim=0) == 1).all()
        assert inputs.unique().numel() == inputs.numel()
        assert inputs.min() >= start + 1
        assert targets.max() <= start + length
        assert [batch.starts_anew for batch in some] == [True] + [False] * (per_epoch - 1)
        assert some[-1].cursor_after == Cursor(epoch + 1, 0)
        assert {batch.lr_factor for batch in some} == {1.0}


@pytest.mark.parametrize("stop", [0, 1, 5, 46, 47, 48, 200])
def test_a_stream_goes_on_from_any_cursor_as_if_never_interrupted(stop):
    batches = streams(seed=3)
    assert batches.batches_per_epoch == 47
    uninterrupted = list(islice(batches, stop + 100))
    cursor = uninterrupted[stop - 1].cursor_after if stop else Cursor()

    resumed = streams(seed=3).iter_batches(Cursor.from_json(json.loads(json.dumps(cursor.to_json()))))

    for expected, got in zip(uninterrupted[stop:], resumed, strict=False):
        assert same(expected, got)


def test_later_passes_begin_elsewhere():
    starts = {
        seed: [int(next(streams(bptt=32, seed=seed).iter_batches(Cursor(epoch))).inputs[0, 0]) for epoch in range(50)]
        for seed in (0, 1)
    }

    assert starts[0][0] == starts[1][0] == 1
    assert starts[0] != starts[1]
    assert set(starts[0]) <= set(range(1, 33))
    assert len(set(starts[0])) > 20
    assert max(starts[0]) > 28


def test_the_shifts_of_a_seed_never_change():
    # a run that was begun with an earlier version goes on with the same windows
    batches = streams(bptt=32, seed=7)

    assert [batches._shift(epoch) for epoch in range(6)] == [0, 24, 19, 29, 3, 15]


def test_the_shortest_part_gives_one_window():
    batches = streams(28, batch_size=3, bptt=7)

    assert batches.batches_per_epoch == 1
    first, second = islice(batches, 2)
    assert first.starts_anew
    assert second.starts_anew
    assert second.cursor_after == Cursor(2, 0)


def test_a_part_that_is_too_short_learns_what_is_enough():
    with pytest.raises(DataTooShortError) as caught:
        StreamBatches(counting(30), 0, 27, batch_size=3, bptt=7, num_units=30, unit="character")

    assert caught.value.message == (
        "expected a training part of at least 28 characters for batch_size=3 and bptt=7, got 27; "
        "with the same shares the whole text needs 32, and has 30"
    )
    assert "smaller batch_size or bptt" in caught.value.hint


def test_without_the_length_of_the_text_the_message_is_about_the_part():
    with pytest.raises(DataTooShortError, match=r"at least 28 tokens .*, got 0\n"):
        streams(0)


def test_ids_are_read_as_the_vocabulary_has_them():
    table = np.full(1001, UNK_ID)
    table[1:6] = [9, 8, 7, 6, 5]

    batch = next(iter(streams(table=table)))

    assert batch.inputs[:, 0].tolist() == [9, 8, 7, 6, 5, 1, 1]
    assert batch.targets[:, 0].tolist() == [8, 7, 6, 5, 1, 1, 1]
    assert (batch.inputs[:, 1:] == UNK_ID).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_batches_are_contiguous_int64(dtype):
    ids = (np.arange(1000) % 200).astype(dtype)
    batch = next(iter(StreamBatches(TokenIds(ids, np.arange(201)), 0, 1000, batch_size=3, bptt=7)))

    for tensor in (batch.inputs, batch.targets):
        assert tensor.dtype == torch.int64
        assert tensor.is_contiguous()


def test_batches_are_copies():
    ids = np.arange(1000)
    batch = next(iter(StreamBatches(TokenIds(ids), 0, 1000, batch_size=3, bptt=7)))

    batch.inputs.zero_()

    assert ids[1] == 1


@pytest.mark.parametrize(("name", "value"), [("batch_size", 0), ("bptt", 0), ("bptt", -3)])
def test_sizes_have_a_range(name, value):
    with pytest.raises(ArgumentError, match=f"StreamBatches expected {name} to be at least 1, got {value}"):
        streams(**{name: value})
    options = {"batch_size": 3, "bptt": 7, name: value}
    with pytest.raises(ArgumentError, match=f"iter_evaluation expected {name} to be at least 1, got {value}"):
        iter_evaluation(counting(10), 0, 10, **options)


def test_the_seed_has_a_range():
    with pytest.raises(ArgumentError, match="StreamBatches expected seed to be at least 0, got -1"):
        streams(seed=-1)


def test_a_cursor_of_other_settings_is_refused():
    with pytest.raises(ArgumentError, match=r"expected cursor.window to be below 47, got 47") as caught:
        streams().iter_batches(Cursor(0, 47))

    assert "batch_size" in caught.value.hint


@settings(max_examples=150, deadline=None)
@given(
    length=st.integers(2, 200),
    start=st.integers(0, 10),
    batch_size=st.integers(1, 40),
    bptt=st.integers(1, 30),
    reset_every=st.one_of(st.none(), st.integers(1, 60)),
)
def test_evaluation_asks_for_every_target_once(length, start, batch_size, bptt, reset_every):
    batches = list(
        iter_evaluation(
            counting(start + length + 5),
            start,
            start + length,
            batch_size=batch_size,
            bptt=bptt,
            reset_every=reset_every,
        )
    )

    counted = torch.cat([batch.targets[batch.targets != IGNORED] for batch in batches])
    assert sorted(counted.tolist()) == list(range(start + 2, start + length + 1))
    assert [batch.cursor_after for batch in batches] == [Cursor(0, count + 1) for count in range(len(batches))]
    last = None
    for batch in batches:
        mask = batch.targets != IGNORED
        assert batch.inputs.shape[0] <= bptt
        assert batch.inputs.shape[1] <= batch_size
        assert mask.any(dim=1).all()
        assert torch.equal(batch.targets[mask], batch.inputs[mask] + 1)
        assert (batch.inputs[~mask] == 0).all()
        assert (mask.int().diff(dim=0) <= 0).all()  # once a piece is over, it stays over
        if not batch.starts_anew:
            assert last.inputs.shape[1] == batch.inputs.shape[1]
            assert torch.equal(batch.inputs[0][mask[0]], last.inputs[-1][mask[0]] + 1)
        last = batch
    assert batches[0].starts_anew


@pytest.mark.parametrize("reset_every", [None, 50])
def test_evaluation_maps_no_more_at_a_time_than_a_window(monkeypatch, reset_every):
    mapped = []
    whole = TokenIds.map

    def record(self, raw):
        mapped.append(raw.size)
        return whole(self, raw)

    monkeypatch.setattr(TokenIds, "map", record)

    batches = list(iter_evaluation(counting(1000), 0, 1000, batch_size=4, bptt=8, reset_every=reset_every))

    assert max(mapped) == 4 * 9
    assert len(mapped) == len(batches)


@pytest.mark.parametrize("reset_every", [1, 4, 10, 50])
def test_pieces_have_the_length_asked_for(reset_every):
    starts = []
    for batch in iter_evaluation(counting(41), 0, 41, batch_size=3, bptt=4, reset_every=reset_every):
        if batch.starts_anew:
            starts.extend(batch.inputs[0].tolist())

    assert starts == list(range(1, 41, reset_every))


def test_without_resets_the_pieces_are_as_long_as_possible():
    batches = list(iter_evaluation(counting(21), 0, 21, batch_size=3, bptt=100))

    assert len(batches) == 1
    assert batches[0].inputs[0].tolist() == [1, 8, 15]
    assert batches[0].targets[:, 2].tolist() == [16, 17, 18, 19, 20, 21, IGNORED]


def test_padding_is_no_token_of_the_text():
    # the stored id 0 stands for an unknown symbol in the table, and must not be taken for the padding
    ids = TokenIds(np.array([1, 2, 0, 3]), np.array([UNK_ID, 4, 5, 6]))

    (batch,) = iter_evaluation(ids, 0, 4, batch_size=2, bptt=9)

    assert batch.inputs.tolist() == [[4, UNK_ID], [5, PAD_ID]]
    assert batch.targets.tolist() == [[5, 6], [UNK_ID, IGNORED]]


@pytest.mark.parametrize("length", [0, 1])
def test_evaluation_needs_a_target(length):
    with pytest.raises(DataTooShortError, match=f"a part of at least 2 tokens, got {length}"):
        iter_evaluation(counting(5), 2, 2 + length, batch_size=1, bptt=9)


def test_resets_have_a_range():
    with pytest.raises(ArgumentError, match="expected reset_every to be at least 1, got 0"):
        iter_evaluation(counting(5), 0, 5, batch_size=1, bptt=9, reset_every=0)


@settings(max_examples=60, deadline=None)
@given(length=st.integers(2, 2000), batch_size=st.integers(1, 6), bptt=st.integers(1, 40), seed=st.integers(0, 5))
def test_varied_windows_read_all_of_every_stream_in_every_pass(length, batch_size, bptt, seed):
    assume(length >= (batch_size + 1) * bptt)
    batches = streams(length, batch_size=batch_size, bptt=bptt, seed=seed, vary_bptt=True)
    stream_length = (length - 1) // batch_size
    expected = np.arange(1, batch_size * stream_length + 1).reshape(batch_size, stream_length).T

    for epoch in range(3):
        some = list(islice(batches.iter_batches(Cursor(epoch)), batches.num_batches(epoch)))
        steps = [len(batch.inputs) for batch in some]

        assert np.array_equal(torch.cat([batch.inputs for batch in some]).numpy(), expected)
        assert np.array_equal(torch.cat([batch.targets for batch in some]).numpy(), expected + 1)
        assert [batch.lr_factor for batch in some] == [count / bptt for count in steps]
        assert all(min(bptt, 5) <= count <= bptt + 20 for count in steps[:-1])
        assert 1 <= steps[-1] <= bptt + 20
        assert [batch.starts_anew for batch in some] == [True] + [False] * (len(some) - 1)
        assert some[-1].cursor_after == Cursor(epoch + 1, 0)


@pytest.mark.parametrize("stop", [0, 1, 40, 100, 150])
def test_varied_windows_go_on_from_any_cursor(stop):
    batches = streams(seed=3, vary_bptt=True)
    uninterrupted = list(islice(batches, stop + 100))
    cursor = uninterrupted[stop - 1].cursor_after if stop else Cursor()

    resumed = streams(seed=3, vary_bptt=True).iter_batches(cursor)

    assert cursor.epoch == 0 or stop > 40
    for expected, got in zip(uninterrupted[stop:], resumed, strict=False):
        assert same(expected, got)


def test_the_number_of_varied_windows_is_that_of_the_first_pass():
    batches = streams(10_000, batch_size=1, bptt=20, vary_bptt=True)

    counts = [batches.num_batches(epoch) for epoch in range(10)]

    assert batches.batches_per_epoch == counts[0]
    assert len(set(counts)) > 3
    with pytest.raises(ArgumentError, match=f"to be below {counts[1]}, got {counts[1]}"):
        batches.iter_batches(Cursor(1, counts[1]))
