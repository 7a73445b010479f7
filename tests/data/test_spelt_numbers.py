import csv
import importlib.metadata
import sys
from collections import Counter, defaultdict

import pytest

from recurra.data.spelt_numbers import LANGUAGES, write_number_languages, write_number_pairs
from recurra.errors import DataError, DataNotFoundError

SPLITS = ["train", "validation", "test"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cache that the tests of this module share, since filling it takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def records(folder):
    """The records of the table of languages: text, label, number as text, and split."""
    with open(write_number_languages(folder), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def pairs(folder):
    """The English and French sides of each split."""
    paths = write_number_pairs(folder)
    lines = [path.read_text(encoding="utf-8").splitlines() for path in paths]
    return {split: [tuple(line.split("\t")) for line in part] for split, part in zip(SPLITS, lines, strict=True)}


def test_every_number_is_spelt_out_once_in_each_of_20_languages(records):
    numbers = Counter(int(record["number"]) for record in records)
    languages = Counter(record["label"] for record in records)

    assert len(numbers) == 1000
    assert set(numbers.values()) == {20}
    assert languages == dict.fromkeys(LANGUAGES, 1000)
    assert len({(record["label"], record["text"]) for record in records}) == 20_000


def test_numbers_of_all_sizes_are_there(records):
    numbers = {int(record["number"]) for record in records}

    assert numbers >= set(range(100))
    assert sum(100 <= number < 1000 for number in numbers) == 300
    assert sum(1000 <= number < 10_000 for number in numbers) == 600


def test_a_number_and_its_words_are_in_one_split_in_all_languages(records):
    splits_of_number, splits_of_text = defaultdict(set), defaultdict(set)
    for record in records:
        splits_of_number[record["number"]].add(record["split"])
        splits_of_text[record["text"]].add(record["split"])

    assert Counter(split for (split,) in splits_of_number.values()) == {"train": 800, "validation": 100, "test": 100}
    assert {len(splits) for splits in splits_of_text.values()} == {1}


def test_numbers_are_spelt_as_their_speakers_do(records):
    spelt = {(record["label"], int(record["number"])): record["text"] for record in records}

    assert [spelt[language, 21] for language in ("English", "French", "German", "Italian", "Spanish", "Turkish")] == [
        "twenty-one",
        "vingt et un",
        "einundzwanzig",
        "ventuno",
        "veintiuno",
        "yirmibir",
    ]
    assert [spelt[language, 7] for language in ("Catalan", "Czech", "Danish", "Dutch", "Finnish", "Hungarian")] == [
        "set",
        "sedm",
        "syv",
        "zeven",
        "seitsemän",
        "hét",
    ]
    assert [spelt[language, 10] for language in ("Icelandic", "Lithuanian", "Norwegian", "Polish", "Portuguese")] == [
        "tíu",
        "dešimt",
        "ti",
        "dziesięć",
        "dez",
    ]
    assert [spelt[language, 2] for language in ("Romanian", "Slovak", "Swedish")] == ["doi", "dva", "två"]


def test_related_languages_share_some_words(records):
    languages = defaultdict(set)
    for record in records:
        languages[record["text"]].add(record["label"])

    assert languages["to"] == {"Danish", "Norwegian"}
    assert 0 < sum(len(several) > 1 for several in languages.values()) < 200


def test_records_are_sorted(records):
    keys = [(SPLITS.index(record["split"]), int(record["number"]), record["label"]) for record in records]

    assert keys == sorted(keys)


def test_pairs_are_one_number_in_two_languages(pairs):
    every = [pair for part in pairs.values() for pair in part]

    assert {split: len(part) for split, part in pairs.items()} == {"train": 4800, "validation": 600, "test": 600}
    assert {("zero", "zéro"), ("eighty-one", "quatre-vingt-un"), ("two hundred", "deux cents")} <= set(every)
    assert sum("thousand" not in english for english, _ in every) == 1000
    assert all(("thousand" in english) == ("mille" in french) for english, french in every)


def test_numbers_of_pairs_stand_in_one_split_only(pairs):
    english = [pair[0] for part in pairs.values() for pair in part]
    french = [pair[1] for part in pairs.values() for pair in part]

    assert len(set(english)) == len(set(french)) == len(english) == 6000


def test_every_word_of_held_out_pairs_is_known_from_training(pairs):
    for side in (0, 1):
        words = {
            split: {word for pair in part for word in pair[side].replace("-", " ").replace(",", "").split()}
            for split, part in pairs.items()
        }

        assert words["validation"] | words["test"] <= words["train"]


def test_files_are_found_again_without_spelling_anything(folder, records, pairs, monkeypatch):
    before = [path.stat().st_mtime_ns for path in (write_number_languages(folder), *write_number_pairs(folder))]
    monkeypatch.setitem(sys.modules, "num2words", None)

    again = [write_number_languages(folder), *write_number_pairs(folder)]

    assert [path.stat().st_mtime_ns for path in again] == before


def test_files_lie_in_the_cache_under_the_version_of_the_package(folder, records, pairs):
    version = importlib.metadata.version("num2words")

    paths = [write_number_languages(folder), *write_number_pairs(folder)]

    names = ["languages", *(f"pairs-{split}" for split in SPLITS)]
    assert all(path.parent == folder / "builtin" for path in paths)
    assert all(path.name.startswith(f"number-{name}-{version}-1-") for path, name in zip(paths, names, strict=True))


@pytest.fixture
def few(monkeypatch):
    """Let few pairs be made, which takes no time."""
    monkeypatch.setattr("recurra.data.spelt_numbers._PAIRED_RANGES", ((0, 30, 30),))


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("damage", [lambda path: path.write_text("one\tdeux\n"), lambda path: path.unlink()])
def test_damaged_and_missing_files_are_replaced(tmp_path, few, part, damage):
    paths = write_number_pairs(tmp_path)
    whole = [path.read_bytes() for path in paths]
    damage(paths[part])

    again = write_number_pairs(tmp_path)

    assert again == paths
    assert [path.read_bytes() for path in again] == whole


@pytest.mark.parametrize("missing", ["module", "metadata"])
@pytest.mark.parametrize(
    ("write_numbers", "name"),
    [(write_number_languages, "builtin:number-languages"), (write_number_pairs, "builtin:number-pairs")],
)
def test_a_missing_package_is_told(tmp_path, monkeypatch, write_numbers, name, missing):
    def version(package):
        raise importlib.metadata.PackageNotFoundError(package)

    if missing == "module":
        monkeypatch.setitem(sys.modules, "num2words", None)
    else:
        monkeypatch.setattr("importlib.metadata.version", version)

    with pytest.raises(DataNotFoundError, match=f"expected the package num2words for {name}, got none") as caught:
        write_numbers(tmp_path)

    assert caught.value.hint.startswith("install num2words")


def test_a_cache_that_cannot_be_written_is_named(write, few):
    with pytest.raises(DataError, match=r"expected to write to the cache folder .*text.txt") as caught:
        write_number_pairs(write("no folder"))

    assert "RECURRA_CACHE" in caught.value.hint
