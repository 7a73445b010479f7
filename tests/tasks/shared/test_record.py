import pytest

from recurra.errors import DataError, RunError
from recurra.tasks.shared.record import DataRecord, check_unchanged, fingerprint, load_record, save_record
from recurra.training.run_folder import RunFolder

RECORD = DataRecord("abc", {"train": 3, "test": 1}, ("a.csv",), {"labels": ["x", "y"]})


def test_a_record_comes_back(tmp_path):
    save_record(tmp_path, RECORD)

    assert load_record(RunFolder(tmp_path)) == RECORD


def test_a_damaged_record_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"data.json is missing or damaged"):
        load_record(RunFolder(tmp_path))
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(RunError, match=r"data.json is missing or damaged: KeyError"):
        load_record(RunFolder(tmp_path))


def test_where_texts_end_matters():
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint(["a"], ["b"]) != fingerprint(["a", "b"], [])
    assert fingerprint(["1:a"]) != fingerprint(["1", "a"])


def test_data_that_changed_are_refused():
    found = DataRecord("abd", {"train": 2, "test": 1}, ("a.csv",))

    check_unchanged(RECORD, RECORD, ["a.csv"])
    with pytest.raises(DataError, match=r"a.csv have changed since the run began: 2 instead of 3 train, 1 instead of"):
        check_unchanged(RECORD, found, ["a.csv"])
