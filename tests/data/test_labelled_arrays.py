import numpy as np
import pytest

from recurra.data.labelled_arrays import read_arrays
from recurra.errors import DataError, DataNotFoundError

VALUES = np.arange(12, dtype=np.float64).reshape(2, 3, 2) / 3
LABELS = ["up", "down"]


@pytest.fixture
def save(tmp_path):
    """Write an archive of arrays and return its path."""

    def _save(**arrays):
        path = tmp_path / "series.npz"
        np.savez(path, **arrays)
        return path

    return _save


def test_sequences_are_cut_at_their_lengths(save):
    arrays = read_arrays(save(values=VALUES, lengths=[1, 3], labels=LABELS))

    assert [values.tolist() for values in arrays.values] == [
        VALUES[0, :1].astype("f4").tolist(),
        VALUES[1].astype("f4").tolist(),
    ]
    assert {values.dtype for values in arrays.values} == {np.dtype("float32")}
    assert (arrays.lengths.tolist(), arrays.lengths.dtype) == ([1, 3], np.int64)
    assert (arrays.labels, arrays.input_size, len(arrays)) == (LABELS, 2, 2)


def test_without_lengths_all_steps_count(save):
    arrays = read_arrays(save(values=VALUES, labels=LABELS))

    assert arrays.lengths.tolist() == [3, 3]


def test_single_numbers_get_an_axis(save):
    arrays = read_arrays(save(values=[[1, 2, 3], [4, 5, 6]], lengths=[3, 2], labels=LABELS))

    assert [values.shape for values in arrays.values] == [(3, 1), (2, 1)]
    assert arrays.values[1].ravel().tolist() == [4.0, 5.0]


@pytest.mark.parametrize(
    ("labels", "read"),
    [([7, -2], ["7", "-2"]), (np.array([True, False]), ["true", "false"]), (["a", "é"], ["a", "é"])],
)
def test_labels_become_strings(save, labels, read):
    assert read_arrays(save(values=VALUES, labels=labels)).labels == read


def test_labels_may_be_missing_where_none_are_needed(save):
    assert read_arrays(save(values=VALUES), need_labels=False).labels is None


@pytest.mark.parametrize("behind", [np.nan, np.inf, -np.inf, 1e300])
def test_what_stands_behind_the_lengths_does_not_matter(save, behind):
    values = VALUES.copy()
    values[0, 1:] = behind

    arrays = read_arrays(save(values=values, lengths=[1, 3], labels=LABELS))

    assert np.isfinite(np.concatenate(arrays.values)).all()


@pytest.mark.parametrize(("number", "shown"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e300, r"1e\+300")])
def test_numbers_that_are_not_finite_are_named(save, number, shown):
    values = VALUES.copy()
    values[1, 2, 1] = number

    with pytest.raises(DataError, match=rf"expected finite numbers in .*, got {shown} in values\[1, 2\]"):
        read_arrays(save(values=values, labels=LABELS))


def test_a_gap_in_single_numbers_is_named(save):
    with pytest.raises(DataError, match=r"got nan in values\[0, 1\]") as caught:
        read_arrays(save(values=[[1, np.nan]], labels=["a"]))

    assert "fill gaps" in caught.value.hint


@pytest.mark.parametrize(("missing", "there"), [("values", "'labels', 'x'"), ("labels", "'values', 'x'")])
def test_a_missing_array_is_named_with_what_is_there(save, missing, there):
    arrays = {"values": VALUES, "labels": LABELS, "x": [1]}
    del arrays[missing]

    with pytest.raises(DataError, match=f"expected the array '{missing}' in .*, got {there}\n"):
        read_arrays(save(**arrays))


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 0)), np.zeros((0, 3)), np.zeros((1, 2, 3, 4))])
def test_values_of_another_shape_are_refused(save, values):
    with pytest.raises(DataError, match=r"expected values of shape \(sequences, steps, inputs\) or") as caught:
        read_arrays(save(values=values, labels=LABELS))

    assert caught.value.message.endswith(f"got {values.shape}")


@pytest.mark.parametrize("values", [np.zeros((2, 3), complex), np.full((2, 3), "a")])
def test_values_of_another_type_are_refused(save, values):
    with pytest.raises(DataError, match=f"expected real numbers in values of .*, got {values.dtype}"):
        read_arrays(save(values=values, labels=LABELS))


@pytest.mark.parametrize(("lengths", "where"), [([1, 4], r"lengths\[1\] = 4"), ([0, 3], r"lengths\[0\] = 0")])
def test_lengths_outside_the_steps_are_named(save, lengths, where):
    with pytest.raises(DataError, match=f"expected lengths from 1 to 3 in .*, the steps of values, got {where}"):
        read_arrays(save(values=VALUES, lengths=lengths, labels=LABELS))


def test_lengths_are_whole_numbers_one_for_each_sequence(save):
    with pytest.raises(DataError, match=r"expected lengths of shape \(2,\) in .*, as many as values, got \(3,\)"):
        read_arrays(save(values=VALUES, lengths=[1, 2, 3], labels=LABELS))
    with pytest.raises(DataError, match=r"expected whole numbers in lengths of .*, got float64"):
        read_arrays(save(values=VALUES, lengths=[1.0, 2.0], labels=LABELS))


def test_labels_are_names_one_for_each_sequence(save):
    with pytest.raises(DataError, match=r"expected labels of shape \(2,\) in .*, as many as values, got \(1,\)"):
        read_arrays(save(values=VALUES, labels=["a"]))
    with pytest.raises(DataError, match=r"expected strings or whole numbers in labels of .*, got float64"):
        read_arrays(save(values=VALUES, labels=[0.5, 1.0]))
    with pytest.raises(DataError, match=r"expected a label in labels\[1\] of .*, got ' '"):
        read_arrays(save(values=VALUES, labels=["a", " "]))


@pytest.mark.parametrize("name", ["values", "labels", "lengths"])
def test_pickled_objects_are_refused(save, name):
    arrays = {"values": VALUES, "labels": LABELS, "lengths": [1, 2], name: np.array([[1], [2, 3]], dtype=object)}

    with pytest.raises(DataError, match=f"expected numbers or strings in the array '{name}' of .*, got: ") as caught:
        read_arrays(save(**arrays))

    assert "pad sequences to one length" in caught.value.hint


def test_files_that_are_no_archives_are_told_apart(tmp_path, write, save):
    np.save(tmp_path / "single.npy", VALUES)
    half = save(values=VALUES, labels=LABELS).read_bytes()[:-30]

    with pytest.raises(DataNotFoundError, match=r"expected a \.npz archive at .*none\.npz, got nothing"):
        read_arrays(tmp_path / "none.npz")
    for path in (tmp_path / "single.npy", write("text", "text.npz"), write(half, "half.npz")):
        with pytest.raises(DataError, match=r"expected a \.npz archive at .*, got another kind of file, or a part"):
            read_arrays(path)


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "series.npz"
    np.savez(path, values=np.random.default_rng(0).random((50, 20)), labels=["a"] * 50)
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"to be a whole \.npz archive, got a damaged one: Bad CRC-32"):
        read_arrays(path)


def test_a_folder_is_no_archive(tmp_path):
    with pytest.raises(DataError, match=r"expected .* \.npz archive"):
        read_arrays(tmp_path)
