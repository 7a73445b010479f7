from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import (
    BOS_ID,
    EOS_ID,
    PAD_ID,
    UNK_ID,
    Cursor,
    LineBatches,
    TokenIds,
    find_lines,
    iter_line_evaluation,
    num_targets,
)
from recurra.errors import ArgumentError, DataTooShortError

IGNORED = -100
NEWLINE = 0


def lines_of(*lengths, table=None, is_labelled=False):
    """Lines of some lengths whose tokens are all different."""
    raw = np.arange(10, 10 + sum(lengths) + len(lengths), dtype=np.uint32)
    raw[np.cumsum(np.array(lengths) + 1) - 1] = NEWLINE
    labels = np.arange(len(lengths)) * 7 if is_labelled else None
    lines, _ = find_lines(raw, NEWLINE, labels=labels)
    return replace(lines, ids=TokenIds(raw, table))


def random_lines(count, seed=0, longest=30):
    return lines_of(*np.random.default_rng(seed).integers(1, longest + 1, count), is_labelled=True)


def one_pass(batches, epoch=0):
    return list(islice(batches.iter_batches(Cursor(epoch)), batches.batches_per_epoch))


def same(one, other):
    return all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in ("inputs", "targets", "lengths", "labels")
    ) and (one.starts_anew, one.cursor_after) == (other.starts_anew, other.cursor_after)


def expected_columns(line, max_length):
    """Inputs and targets of a line, in plain Python."""
    if max_length is not None and len(line) > max_length:
        return [BOS_ID, *line[: max_length - 1]], line[:max_length]
    return [BOS_ID, *line], [*line, EOS_ID]


def check_batch(batch, lines, max_length):
    """Compare a batch with its lines, which are found by their labels, and return these."""
    steps, size = batch.inputs.shape
    assert batch.targets.shape == (steps, size)
    assert all(tensor.dtype == torch.int64 for tensor in (batch.inputs, batch.targets, batch.lengths, batch.labels))
    assert batch.inputs.is_contiguous()
    assert batch.targets.is_contiguous()
    assert steps == batch.lengths[0]
    assert batch.starts_anew
    assert batch.lr_factor == 1.0
    assert (batch.lengths.diff() <= 0).all()
    indices = [label // 7 for label in batch.labels.tolist()]
    for row, index in enumerate(indices):
        inputs, targets = expected_columns(lines.read(index).tolist(), max_length)
        over = steps - len(inputs)
        assert batch.lengths[row] == len(inputs)
        assert batch.inputs[:, row].tolist() == inputs + [PAD_ID] * over
        assert batch.targets[:, row].tolist() == targets + [IGNORED] * over
    return indices


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    batch_size=st.integers(1, 7),
    max_length=st.one_of(st.none(), st.integers(1, 10)),
    seed=st.integers(0, 3),
)
def test_every_pass_has_every_line_once(lengths, batch_size, max_length, seed):
    lines = lines_of(*lengths, is_labelled=True)
    batches = LineBatches(lines, batch_size=batch_size, max_length=max_length, seed=seed)

    for epoch in range(2):
        some = one_pass(batches, epoch)
        indices = [index for batch in some for index in check_batch(batch, lines, max_length)]

        assert len(some) == batches.batches_per_epoch == -(-len(lengths) // batch_size)
        assert sorted(indices) == list(range(len(lengths)))
        assert sum(batch.inputs.shape[1] < batch_size for batch in some) == (len(lengths) % batch_size > 0)
        assert some[-1].cursor_after == Cursor(epoch + 1, 0)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    batch_size=st.integers(1, 7),
    max_length=st.one_of(st.none(), st.integers(1, 10)),
)
def test_evaluation_has_every_line_once_by_its_length(lengths, batch_size, max_length):
    lines = lines_of(*lengths, is_labelled=True)

    some = list(iter_line_evaluation(lines, batch_size=batch_size, max_length=max_length))

    indices = [index for batch in some for index in check_batch(batch, lines, max_length)]
    steps = torch.cat([batch.lengths for batch in some])
    assert sorted(indices) == list(range(len(lengths)))
    assert steps.tolist() == sorted(num_targets(lines, max_length).tolist(), reverse=True)
    assert [batch.cursor_after for batch in some] == [Cursor(0, count + 1) for count in range(len(some))]
    assert all(batch.inputs.shape[1] == batch_size for batch in some[:-1])


@pytest.mark.parametrize("stop", [0, 1, 12, 13, 14, 30])
def test_lines_go_on_from_any_cursor_as_if_never_interrupted(stop):
    lines = random_lines(100)
    uninterrupted = list(islice(LineBatches(lines, batch_size=8, seed=3), stop + 30))
    cursor = uninterrupted[stop - 1].cursor_after if stop else Cursor()

    resumed = LineBatches(lines, batch_size=8, seed=3).iter_batches(cursor)

    assert cursor == Cursor(stop // 13, stop % 13)
    for expected, got in zip(uninterrupted[stop:], resumed, strict=False):
        assert same(expected, got)


def test_seed_and_pass_determine_the_order():
    lines = random_lines(200)

    orders = {
        (seed, epoch): torch.cat(
            [batch.labels for batch in one_pass(LineBatches(lines, batch_size=8, seed=seed), epoch)]
        )
        for seed in (0, 1)
        for epoch in (0, 1)
    }

    assert len({tuple(order.tolist()) for order in orders.values()}) == 4


def test_the_order_of_a_seed_never_changes():
    # a run that was begun with an earlier version goes on with the same batches
    lines = lines_of(3, 1, 2, 1, 2, 3, 1, is_labelled=True)

    some = one_pass(LineBatches(lines, batch_size=3, seed=7), epoch=2)

    assert [(batch.labels // 7).tolist() for batch in some] == [[6], [4, 1, 3], [5, 0, 2]]


def test_lines_of_equal_length_meet_others_in_each_pass():
    batches = LineBatches(lines_of(*[4] * 100, is_labelled=True), batch_size=10)

    groups = [{frozenset(batch.labels.tolist()) for batch in one_pass(batches, epoch)} for epoch in range(3)]

    assert not groups[0] & groups[1]
    assert not groups[1] & groups[2]


def test_batches_are_not_sorted_by_length():
    steps = [len(batch.inputs) for batch in one_pass(LineBatches(random_lines(1000), batch_size=10))]

    assert steps != sorted(steps)
    assert steps != sorted(steps, reverse=True)
    assert abs(np.corrcoef(steps, np.arange(len(steps)))[0, 1]) < 0.3


def test_little_of_a_batch_is_padding():
    some = one_pass(LineBatches(random_lines(3200), batch_size=32))

    valid = sum(int(batch.lengths.sum()) for batch in some)
    assert valid / sum(batch.inputs.numel() for batch in some) > 0.96


def test_ids_are_read_as_the_vocabulary_has_them():
    table = np.full(20, UNK_ID)
    table[[10, 11]] = [5, 6]

    (batch,) = iter_line_evaluation(lines_of(3, table=table), batch_size=2)

    assert batch.inputs[:, 0].tolist() == [BOS_ID, 5, 6, UNK_ID]
    assert batch.targets[:, 0].tolist() == [5, 6, UNK_ID, EOS_ID]
    assert batch.labels is None


def test_a_line_at_the_end_of_a_text_that_does_not_end_in_one_is_whole():
    raw = np.array([5, NEWLINE, 6, 7])
    lines, _ = find_lines(raw, NEWLINE)

    (batch,) = iter_line_evaluation(lines, batch_size=2)

    assert batch.targets.tolist() == [[6, 5], [7, EOS_ID], [EOS_ID, IGNORED]]


def test_batches_are_copies():
    lines = lines_of(3, 3, is_labelled=True)
    (batch,) = iter_line_evaluation(lines, batch_size=2)

    for tensor in (batch.inputs, batch.targets, batch.lengths, batch.labels):
        tensor.zero_()

    assert lines.read(0).tolist() == [10, 11, 12]
    assert lines.labels.tolist() == [0, 7]
    assert lines.lengths.tolist() == [3, 3]


@pytest.mark.parametrize("build", [LineBatches, iter_line_evaluation])
def test_settings_have_ranges(build):
    with pytest.raises(ArgumentError, match=f"{build.__name__} expected batch_size to be at least 1, got 0"):
        build(lines_of(2), batch_size=0)
    with pytest.raises(ArgumentError, match=f"{build.__name__} expected max_length to be at least 1, got 0"):
        build(lines_of(2), batch_size=1, max_length=0)
    with pytest.raises(DataTooShortError, match=f"{build.__name__} expected at least 1 line, got none"):
        build(lines_of(2).take(np.zeros(0, np.int64)), batch_size=1)


def test_the_seed_has_a_range():
    with pytest.raises(ArgumentError, match="LineBatches expected seed to be at least 0, got -1"):
        LineBatches(lines_of(2), batch_size=1, seed=-1)


def test_a_cursor_of_other_settings_is_refused():
    with pytest.raises(ArgumentError, match=r"LineBatches expected cursor.window to be below 2, got 2") as caught:
        LineBatches(lines_of(1, 2, 3), batch_size=2).iter_batches(Cursor(0, 2))

    assert "data and batch_size" in caught.value.hint


def test_lines_are_sorted_in_pools_and_not_all_together():
    # of 1000 different lengths the nearest of 100 in a pool are about 10 apart, those of all would be 1 apart
    some = one_pass(LineBatches(lines_of(*range(1, 1001)), batch_size=2))

    apart = [int(batch.lengths[0] - batch.lengths[1]) for batch in some]
    assert 5 < np.mean(apart) < 15
