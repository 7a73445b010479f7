import pytest

from recurra.errors import DataError
from recurra.tasks.shared.options import ExampleOptions
from recurra.tasks.shared.sources import absolute, one_part, part_files


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "cache"))
    for name in ("a.txt", "b.txt", "ptb"):
        (tmp_path / name).write_text("a\n")
    for name in ("labels", "imdb"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_files_and_folders_are_named_from_the_root_and_data_sets_stay(here):
    config = ExampleOptions(data=("a.txt", "labels", "imdb", "ptb", "builtin:place-names", "hub:x", "gone.txt"))

    data = absolute(config).data

    # a file goes before a data set of its name, a data set before a folder
    assert data[:4] == (str(here / "a.txt"), str(here / "labels"), "imdb", str(here / "ptb"))
    assert data[4:] == ("builtin:place-names", "hub:x", "gone.txt")


def test_files_that_are_named_go_before_those_of_a_data_set(here):
    config = ExampleOptions(data=("builtin:number-pairs",), validation_data=("b.txt",))

    train, validation, test = part_files(config, kind="pairs", what="pairs")

    assert validation[0].name == "b.txt"
    assert train != test
    assert len(train) == len(test) == 1


def test_other_data_sets_and_those_with_parts_are_refused(here):
    with pytest.raises(DataError, match="expected tags for data, got builtin:number-pairs, a data set of pairs"):
        part_files(ExampleOptions(data=("builtin:number-pairs",)), kind="tags", what="tags")
    with pytest.raises(DataError, match="expected files that are one part, got builtin:number-pairs, which has parts"):
        one_part(["builtin:number-pairs"])
