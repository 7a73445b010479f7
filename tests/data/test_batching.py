import pytest
import torch

from recurra.data import Cursor, TextBatch
from recurra.data.batching import check_at_least
from recurra.errors import ArgumentError


def batch(**values):
    values = {"starts_anew": True, "cursor_after": Cursor(0, 1), **values}
    return TextBatch(torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.int64), **values)


@pytest.mark.parametrize("value", [-1, 1.5, "1", True, None])
@pytest.mark.parametrize("name", ["epoch", "window"])
def test_cursors_are_counts(name, value):
    with pytest.raises(ArgumentError, match=f"Cursor expected {name} to be an integer of at least 0, got {value!r}"):
        Cursor(**{name: value})


@pytest.mark.parametrize("content", [{}, {"epoch": 1}, {"epoch": 1, "window": 2, "step": 3}])
def test_cursors_are_read_with_all_their_keys_only(content):
    with pytest.raises(ArgumentError, match="Cursor expected the keys epoch and window, got"):
        Cursor.from_json(content)


def test_cursors_go_on_to_the_next_pass():
    assert Cursor(3, 0).following(2) == Cursor(3, 1)
    assert Cursor(3, 1).following(2) == Cursor(4, 0)


def test_a_cursor_behind_a_pass_is_refused():
    Cursor(1, 4).check_inside("Somebody", 5, "data")

    with pytest.raises(ArgumentError, match=r"Somebody expected cursor\.window to be below 5, got 5") as caught:
        Cursor(1, 5).check_inside("Somebody", 5, "data and bptt")

    assert caught.value.hint == "go on with the data and bptt that the cursor was made with"


def test_a_batch_says_where_to_go_on_in_plain_numbers():
    assert batch(cursor_after=Cursor(2, 5)).cursor == {"epoch": 2, "window": 5}


def test_lengths_stay_on_the_cpu_where_layers_read_them():
    lengths, labels = torch.tensor([2, 2, 1]), torch.tensor([0, 4, 0])

    moved = batch(lengths=lengths, labels=labels, lr_factor=0.5).to(torch.device("meta"))

    assert {moved.inputs.device.type, moved.targets.device.type, moved.labels.device.type} == {"meta"}
    assert moved.lengths is lengths
    assert (moved.starts_anew, moved.cursor_after, moved.lr_factor) == (True, Cursor(0, 1), 0.5)


def test_a_batch_without_lengths_and_labels_can_be_moved():
    moved = batch().to(torch.device("cpu"))

    assert moved.lengths is None
    assert moved.labels is None
    assert moved.lr_factor == 1.0


def test_what_is_not_given_is_not_checked():
    check_at_least("Somebody", 1, count=None, size=1)

    with pytest.raises(ArgumentError, match="Somebody expected size to be at least 1, got 0"):
        check_at_least("Somebody", 1, count=None, size=0)
