import re

import numpy as np
import pytest

from recurra.errors import ConfigError, DataError
from recurra.tasks.classify import DataConfig, ModelConfig
from recurra.tasks.classify.data import open_data
from recurra.tasks.classify.examples import PARTS, item_keys

from .conftest import sentences, write_arrays, write_table


def test_no_text_stands_in_two_parts(tmp_path):
    rows = sentences(60)
    path = write_table(tmp_path / "twice.csv", rows + rows[:30] + [(rows[0][0], "bad")])

    _, data = open_data(DataConfig(data=(path,), validation_fraction=0.2, test_fraction=0.2))

    keys = item_keys(data.items)
    parts = [set(keys[data.parts[name]].tolist()) for name in PARTS]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts))
    assert sum(len(data.parts[name]) for name in PARTS) == 91
    assert "1 text with more than one label" in data.notes
    train = keys[data.parts["train"]].tolist()
    assert f"{len(train) - len(set(train))} of the {len(train)} training examples are copies of others" in data.notes


def test_parts_that_the_data_have_are_kept_and_what_they_share_is_counted(tmp_path):
    rows = sentences(40)
    parted = [(*row, "train") for row in rows[:30]] + [(*row, "test") for row in rows[30:] + rows[:2]]
    path = write_table(tmp_path / "parts.csv", parted, ("text", "label", "part"))

    _, data = open_data(DataConfig(data=(path,), split_column="part", validation_fraction=0.2))

    assert [len(data.parts[name]) for name in PARTS] == [24, 6, 12]
    assert data.parts["test"].tolist() == list(range(30, 42))
    shared = [row for row in (0, 1) if row in data.parts["train"]]
    assert shared
    assert f"{len(shared)} of the 12 test examples also stand in the training part" in data.notes


def test_files_of_their_own_are_parts_and_nothing_else_is_cut_off(tmp_path):
    train, validation = (write_table(tmp_path / f"{k}.csv", sentences(n, k)) for k, n in enumerate((30, 10)))

    _, data = open_data(DataConfig(data=(train,), validation_data=(validation,)))

    assert [len(data.parts[name]) for name in PARTS] == [30, 10, 0]
    assert any(note.startswith("no test part: where data bring a validation part") for note in data.notes)


def test_what_test_and_validation_share_is_counted_too(tmp_path):
    rows = sentences(60)  # no two are equal
    files = [write_table(tmp_path / f"{k}.csv", some) for k, some in enumerate((rows[:30], rows[30:40]))]
    test = write_table(tmp_path / "test.csv", rows[38:45])

    _, data = open_data(DataConfig(data=files[0], validation_data=files[1], test_data=test))

    assert data.notes == ("2 of the 7 test examples also stand in the validation part",)


def test_classes_of_one_example_are_trained_on_and_said(tmp_path):
    rows = [*sentences(60), *((f"rare {k}", f"rare {k}") for k in range(20)), ("twice", "rare 3"), ("twice", "last")]
    path = write_table(tmp_path / "rare.csv", rows)

    _, data = open_data(DataConfig(data=path, validation_fraction=0.3, test_fraction=0.3))

    keys = item_keys(data.items)
    parts = [set(keys[data.parts[name]].tolist()) for name in PARTS]
    assert len(set.union(*parts)) == sum(map(len, parts))
    assert sum(len(data.parts[name]) for name in PARTS) == 82
    assert all(len(data.parts[name]) for name in PARTS)
    assert data.class_counts("train").min() >= 1
    assert len(data.labels) == 23
    (note,) = (note for note in data.notes if "went back" in note)
    assert re.fullmatch(r"\d+ examples drawn for validation or test went back to training, where .* class", note)


def test_labels_that_are_all_different_are_refused(tmp_path):
    path = write_table(tmp_path / "ids.csv", [(f"text {k}", f"label {k}") for k in range(40)])

    with pytest.raises(DataError, match="classes with several examples, so that some can validate, got 40 classes for"):
        open_data(DataConfig(data=path))


def test_whole_numbers_as_labels_are_in_their_order(tmp_path):
    path = write_table(tmp_path / "digits.csv", [(f"text {k}", str(k % 12 - 1)) for k in range(240)])

    _, data = open_data(DataConfig(data=path))

    assert data.labels == tuple(str(k - 1) for k in range(12))
    assert all(data.labels[target] == str(k % 12 - 1) for k, target in enumerate(data.targets))


def test_columns_are_refused_where_there_are_none(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text("".join(f"{name} {k}\n" for k in range(20)))
    files = (str(tmp_path / "one.txt"), str(tmp_path / "two.txt"))

    with pytest.raises(
        ConfigError, match=r"expected no text_column for .*two\.txt, where there are no columns, got re"
    ):
        open_data(DataConfig(data=files, text_column="review"))
    with pytest.raises(ConfigError, match=r"expected no split_column for .*a\.npz, where there are no columns"):
        open_data(DataConfig(data=write_arrays(tmp_path / "a.npz"), split_column="part"))
    _, data = open_data(DataConfig(data=files, label_column="file"))
    assert data.labels == ("one", "two")


def test_a_part_of_its_own_needs_no_column_of_parts(tmp_path):
    rows = [(*row, part) for row, part in zip(sentences(20), ["train"] * 14 + ["test"] * 6, strict=True)]
    path = write_table(tmp_path / "parts.csv", rows, ("text", "label", "part"))
    validation = write_table(tmp_path / "more.csv", sentences(10, 1))

    _, data = open_data(DataConfig(data=path, split_column="part", validation_data=validation))

    assert [len(data.parts[name]) for name in PARTS] == [14, 10, 6]


def test_long_texts_are_cut_at_the_end_that_is_asked_for(tmp_path):
    path = write_table(tmp_path / "long.csv", sentences(40))

    settled, whole = open_data(DataConfig(data=(path,), tokenizer="word"))
    _, begin = open_data(DataConfig(data=(path,), tokenizer="word", max_length=3))
    _, end = open_data(DataConfig(data=(path,), tokenizer="word", max_length=3, keep="end"))

    assert settled.max_length == 400
    assert (settled.lowercase, settled.min_count) == (True, 2)
    assert (whole.sequences.num_cut, begin.sequences.num_cut) == (0, 40)
    for row, ids in enumerate(whole.sequences.values):
        assert begin.sequences.values[row].tolist() == ids[:3].tolist()
        assert end.sequences.values[row].tolist() == ids[-3:].tolist()


def test_the_vocabulary_is_that_of_the_training_part(tmp_path):
    path = write_table(tmp_path / "reviews.csv", sentences(40))

    _, data = open_data(DataConfig(data=(path,), tokenizer="word", min_count=1))

    known = set(data.tokenizer.vocabulary.known)
    assert known == {word for row in data.parts["train"] for word in data.items[row].split()}


def test_numbers_are_read_with_their_lengths(tmp_path):
    _, data = open_data(DataConfig(data=(write_arrays(tmp_path / "a.npz"),)))

    batch = next(data.evaluation_batches("validation", 4))

    assert data.labels == ("falling", "flat", "rising")
    assert (data.input_size, data.tokenizer) == (2, None)
    assert batch.inputs.shape == (int(batch.lengths.max()), 4, 2)
    assert np.isfinite(batch.inputs.numpy()).all()


def test_labels_that_training_lacks_are_named(tmp_path):
    train = write_table(tmp_path / "train.csv", sentences(30))
    test = write_table(tmp_path / "test.csv", [("x y", "good"), ("z", "mixed"), ("z z", "odd")])

    with pytest.raises(DataError) as caught:
        open_data(DataConfig(data=(train,), test_data=(test,)))

    assert caught.value.message == (
        "expected labels of the test part among those of the training part, 'bad', 'good'; got 'mixed', 'odd'"
    )


def test_one_class_alone_is_refused(tmp_path):
    path = write_table(tmp_path / "one.csv", [(f"text {k}", "good") for k in range(30)])

    with pytest.raises(DataError, match="at least two classes to train on, got one label only: 'good'"):
        open_data(DataConfig(data=(path,)))


def test_parts_named_twice_and_mixed_kinds_are_refused(tmp_path):
    rows = [(*row, part) for row, part in zip(sentences(20), ["train", "test"] * 10, strict=True)]
    path = write_table(tmp_path / "parts.csv", rows, ("text", "label", "part"))
    arrays = write_arrays(tmp_path / "a.npz")

    with pytest.raises(DataError, match=r"expected no test_data with .*parts.csv, which has a test part of its own"):
        open_data(DataConfig(data=(path,), split_column="part", test_data=(path,)))
    with pytest.raises(DataError, match=r"either texts or \.npz files of numbers for data, got both"):
        open_data(DataConfig(data=(path, arrays)))
    with pytest.raises(DataError, match="either texts or numbers for all parts of the data, got both"):
        open_data(DataConfig(data=(arrays,), test_data=(path,)))


def test_numbers_of_two_widths_are_refused(tmp_path):
    first = write_arrays(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", values=np.zeros((4, 5, 3)), labels=np.array(["flat"] * 4))

    with pytest.raises(DataError, match="numbers whose steps are of one width, got widths 2 and 3"):
        open_data(DataConfig(data=(first, str(tmp_path / "b.npz"))))


def test_faults_of_a_configuration_are_named_together():
    with pytest.raises(ConfigError) as caught:
        DataConfig(data=(), max_length=0, batch_size=0)
    assert len(caught.value.faults) == 3
    with pytest.raises(ConfigError, match="no lowercase with the tokenizer bpe") as caught:
        DataConfig(tokenizer="bpe", lowercase=True, min_count=3)
    assert len(caught.value.faults) == 2
    with pytest.raises(ConfigError) as caught:
        ModelConfig(freeze_vectors=True, width=3, label_smoothing=1.0, embedding_size=0)
    assert set(caught.value.faults) == {
        "expected a file of vectors with freeze_vectors, got none",
        "expected no width with model = recurrent, whose width is hidden_size, got one",
        "expected label_smoothing in [0, 1), got 1.0",
        "expected embedding_size of at least 1, got 0",
    }
