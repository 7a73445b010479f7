import pytest

from recurra.data import Columns, Sources, catalog, iter_text, resolve
from recurra.data.data_set import DataSet, Layout
from recurra.errors import DataError, DataNotFoundError


def test_names_are_listed():
    assert catalog.names() == (
        "airline-passengers",
        "alice",
        "builtin:identifiers",
        "builtin:number-languages",
        "builtin:number-pairs",
        "builtin:place-names",
        "builtin:python-manual",
        "daily-min-temperatures",
        "eng-fra",
        "etth1",
        "frankenstein",
        "glove",
        "grimm",
        "imdb",
        "jsb-chorales",
        "multi30k",
        "names",
        "pride-and-prejudice",
        "ptb",
        "ptb-char",
        "sherlock-holmes",
        "time-machine",
        "tinyshakespeare",
        "ud-english-ewt",
        "wikitext-2",
        "wnut17",
    )


def test_a_file_is_itself(write):
    path = write("text")

    assert resolve([str(path)]) == Sources((str(path),), (path,))


def test_a_name_is_looked_up_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare/input.txt").write_text("First Citizen")

    assert resolve(["tinyshakespeare"]).paths == (tmp_path / "tinyshakespeare/input.txt",)


def test_a_file_comes_before_the_data_set_of_its_name(tmp_path, monkeypatch):
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grimm").write_text("mine")

    assert "".join(iter_text(resolve(["grimm"]).paths)) == "mine"


def test_a_folder_does_not_hide_the_data_set_of_its_name(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    (tmp_path / "grimm").mkdir()

    with pytest.raises(DataNotFoundError, match="'grimm' in RECURRA_DATA, which is not set"):
        resolve(["grimm"], folders=True)


def test_without_the_data_folder_a_name_tells_what_to_do(monkeypatch, cache):
    monkeypatch.delenv("RECURRA_DATA", raising=False)

    with pytest.raises(DataNotFoundError, match="the data set 'grimm' in RECURRA_DATA, which is not set") as caught:
        resolve(["grimm"])

    assert f"or fetched to {cache / 'downloads'}, got neither" in caught.value.message
    assert "`recurra data get grimm` fetches it" in caught.value.hint
    assert "holds books/book_EN_grimms_fairy_tails.txt or books/pg2591.txt or grimm/pg2591.txt" in caught.value.hint


@pytest.mark.parametrize("name", ["imdb", "wnut17"])
def test_every_way_in_which_files_may_lie_is_named_once(tmp_path, monkeypatch, cache, name):
    ways = {
        "imdb": ["imdb/imdb.csv", "the folder imdb/aclImdb", "the folder aclImdb"],
        "wnut17": ["wnut17/wnut17train.conll"],
    }[name]
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    with pytest.raises(DataNotFoundError) as without_folder:
        resolve([name], folders=True)
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    with pytest.raises(DataNotFoundError) as with_folder:
        resolve([name], folders=True)

    assert without_folder.value.hint.endswith(f"or set RECURRA_DATA to a folder that holds {' or '.join(ways)}")
    elsewhere = f", or {' or '.join(ways[1:])} into {tmp_path}" if ways[1:] else ""
    assert "got nothing: no such file" in with_folder.value.message
    assert with_folder.value.hint.endswith(f"put it there{elsewhere}, or set RECURRA_DATA to another folder")


def test_a_data_folder_without_the_file_tells_where_it_looked(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))

    with pytest.raises(
        DataNotFoundError, match=r"'tinyshakespeare' at .*tinyshakespeare/input\.txt, got nothing"
    ) as caught:
        resolve(["tinyshakespeare"])

    assert f"and none is fetched to {cache / 'downloads'}" in caught.value.message
    assert "`recurra data get tinyshakespeare` fetches it" in caught.value.hint


@pytest.mark.parametrize(
    ("item", "near"),
    [
        ("tinyshakespear", "tinyshakespeare"),
        ("Grim", "grimm"),
        ("python-manual", "builtin:python-manual"),
        ("placenames", "builtin:place-names"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(item, near):
    with pytest.raises(DataNotFoundError, match=f"got {item!r}: there is no file /.*, and the data sets are") as caught:
        resolve([item])

    assert caught.value.hint == f"did you mean {near!r}?"
    assert all(name in str(caught.value) for name in catalog.names())


@pytest.mark.parametrize("item", ["no such thing.txt", "builtin:else", "x" * 5000, "a\0b", ""])
def test_what_no_file_can_be_called_is_not_found(item):
    with pytest.raises(DataNotFoundError, match="expected a text file or a known data set for data"):
        resolve([item])


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a text file for data, got the folder"):
        resolve([str(tmp_path)])


@pytest.mark.parametrize("data", [[], (), "grimm"])
def test_data_is_a_list_of_something(data):
    with pytest.raises(DataError, match="expected a list of files or names of data sets for data"):
        resolve(data)


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """A data folder with some of the files of the named data sets."""
    files = (
        "books/book_EN_grimms_fairy_tails.txt",
        "tinyshakespeare/input.txt",
        "names/Greek.txt",
        "names/Czech.txt",
        "names/readme.md",
        *(f"ptb/ptb.{part}.txt" for part in ("train", "valid", "test")),
        *(f"ptb/ptb.char.{part}.txt.gz" for part in ("train", "valid", "test")),
    )
    for file in files:
        path = tmp_path / "data" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    (tmp_path / "data/names/old.txt").mkdir()
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_list_of_names_is_all_files_of_its_folder_in_order(data_folder):
    sources = resolve(["names"])

    assert sources.paths == (data_folder / "names/Czech.txt", data_folder / "names/Greek.txt")
    assert sources == Sources(
        ("names",), sources.paths, sequences="lines", columns=Columns(label="file"), kind="labels"
    )


@pytest.mark.parametrize(("name", "pattern"), [("ptb", "ptb.{}.txt"), ("ptb-char", "ptb.char.{}.txt.gz")])
def test_the_treebank_brings_its_parts_and_is_tokenised(data_folder, name, pattern):
    train, validation, test = (data_folder / "ptb" / pattern.format(part) for part in ("train", "valid", "test"))

    assert resolve([name]) == Sources((name,), (train,), (validation,), (test,), tokenizer="whitespace", kind="text")


def test_place_names_are_a_table_of_which_one_column_is_text(cache):
    sources = resolve(["builtin:place-names"])

    assert sources == Sources(
        ("builtin:place-names",),
        sources.paths,
        sequences="lines",
        columns=Columns(text="place", label="region"),
        kind="labels",
    )
    assert sources.paths[0].is_relative_to(cache)


def test_items_are_joined_in_order(data_folder, write):
    mine = write("mine", "mine.txt")

    sources = resolve(["names", str(mine), "grimm"])

    assert sources.names == ("names", str(mine), "grimm")
    assert [path.name for path in sources.paths] == [
        "Czech.txt",
        "Greek.txt",
        "mine.txt",
        "book_EN_grimms_fairy_tails.txt",
    ]
    assert sources.sequences == "lines"


@pytest.mark.parametrize("data", [["ptb", "grimm"], ["grimm", "ptb"], ["ptb", "ptb-char"]])
def test_a_data_set_with_parts_of_its_own_stands_alone(data_folder, data):
    with pytest.raises(DataError, match=r"expected 'ptb' alone for data, since it brings its own .*, got ") as caught:
        resolve(data)

    assert caught.value.message.endswith(", ".join(data))
    assert "name its files one by one" in caught.value.hint


def test_data_sets_that_do_not_agree_are_refused(data_folder, cache, monkeypatch):
    other = DataSet("other names", "labels", (Layout(("names/*.txt",), columns=Columns(text="name")),))
    monkeypatch.setitem(catalog.DATA_SETS, "other", other)

    with pytest.raises(
        DataError, match=r"expected data sets that agree on columns, got .* for 'builtin:place-names', "
    ):
        resolve(["other", "grimm", "builtin:place-names"][::-1])


def test_a_missing_part_of_a_data_set_is_named(data_folder):
    (data_folder / "ptb/ptb.valid.txt").unlink()

    with pytest.raises(DataNotFoundError, match=r"expected the data set 'ptb' at .*ptb\.valid\.txt, got nothing"):
        resolve(["ptb"])


def test_a_folder_without_any_file_of_a_data_set_is_named(data_folder):
    for path in data_folder.glob("names/*.txt"):
        path.rename(path.with_suffix(".old"))

    with pytest.raises(DataNotFoundError, match=r"expected the data set 'names' at .*names/\*\.txt, got nothing"):
        resolve(["names"])


def test_mere_text_goes_with_every_kind(data_folder, write):
    assert resolve([str(write("mine")), "grimm"]).kind == "text"
    assert resolve(["grimm", "names"]).kind == "labels"


def test_kinds_that_differ_are_refused(data_folder, write):
    (data_folder / "eng-fra").mkdir()
    (data_folder / "eng-fra/eng-fra.txt").write_text("Go.\tVa !\n")

    with pytest.raises(DataError, match="agree on kind, got labels for 'names', pairs for 'eng-fra'"):
        resolve(["names", "eng-fra"])


def test_a_packed_file_is_found_under_the_name_of_the_plain_one(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for name in ("train.de.gz", "train.en.gz", "val.de", "val.en.xz"):
        (folder / name).write_bytes(b"")

    sources = resolve(["multi30k"])

    assert sources.paths == (folder / "train.de.gz", folder / "train.en.gz")
    assert sources.validation == (folder / "val.de", folder / "val.en.xz")
    assert sources.test == ()
    assert sources.kind == "pairs"


def test_a_part_that_not_everybody_has_is_used_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    folder = tmp_path / "wnut17"
    folder.mkdir()
    for name in ("wnut17train.conll", "emerging.dev.conll"):
        (folder / name).write_text("a\tO\n")

    without = resolve(["wnut17"])
    (folder / "emerging.test.conll").write_text("a\tO\n")

    assert without.test == ()
    assert resolve(["wnut17"]).test == (folder / "emerging.test.conll",)


def test_what_is_fetched_is_found_after_the_data_folder(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "data"))
    fetched, mine = cache / "downloads/etth1/ETTh1.csv", tmp_path / "data/timeseries/ETTh1.csv"
    fetched.parent.mkdir(parents=True)
    fetched.write_text("date,OT\n")

    only_fetched = resolve(["etth1"])
    mine.parent.mkdir(parents=True)
    mine.write_text("date,OT\n")

    assert only_fetched.paths == (fetched,)
    assert resolve(["etth1"]).paths == (mine,)
    assert catalog.find_folder("etth1") == mine.parent
    assert catalog.find_folder("glove") is None


def test_reviews_may_be_a_table_or_a_folder(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    folder = tmp_path / "aclImdb"
    folder.mkdir()

    as_folder = resolve(["imdb"], folders=True)
    with pytest.raises(DataError, match=r"text files for data, got 'imdb', which is there as the folder .*aclImdb"):
        resolve(["imdb"])
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb/imdb.csv.xz").write_bytes(b"")

    assert as_folder == Sources(("imdb",), (folder,), kind="labels")
    assert catalog.find_folder("imdb") == tmp_path / "imdb"
    assert resolve(["imdb"]).columns == Columns(text="review", label="label", split="split")


def test_a_folder_is_an_item_where_folders_are_asked_for(tmp_path):
    (tmp_path / "spam").mkdir()

    assert resolve([str(tmp_path)], folders=True) == Sources((str(tmp_path),), (tmp_path,))


def test_a_data_set_of_the_hub_is_an_item_where_folders_are_asked_for():
    assert resolve(["hub:rotten_tomatoes"], folders=True) == Sources(
        ("hub:rotten_tomatoes",), (), kind="labels", hub=("rotten_tomatoes",)
    )
    with pytest.raises(DataError, match="expected a file for data, got 'hub:rotten_tomatoes', whose texts have labels"):
        resolve(["hub:rotten_tomatoes"])
    with pytest.raises(DataError, match="expected the name of a data set of the hub behind hub:, got 'hub:'"):
        resolve(["hub:"], folders=True)


def test_the_hub_and_files_do_not_mix(write):
    path = str(write("mine"))

    with pytest.raises(DataError, match=f"either data sets of the hub or files for data, got hub:x, {path}"):
        resolve(["hub:x", path], folders=True)


@pytest.mark.parametrize(("name", "kind"), [("number-pairs", "pairs"), ("identifiers", "tags")])
def test_built_in_data_sets_may_bring_their_parts(cache, name, kind):
    sources = resolve([f"builtin:{name}"])

    parts = (sources.paths, sources.validation, sources.test)
    assert sources.kind == kind
    assert [len(part) for part in parts] == [1, 1, 1]
    assert all(part[0].is_relative_to(cache) and part[0].stat().st_size for part in parts)


def test_built_in_languages_are_a_table_with_its_parts_in_a_column(cache):
    sources = resolve(["builtin:number-languages"])

    header = sources.paths[0].read_text(encoding="utf-8").split("\n", 1)[0].split("\t")
    assert sources.columns == Columns(text="text", label="label", split="split")
    assert {"text", "label", "split"} <= set(header)


@pytest.mark.realdata
def test_the_named_data_sets_are_there(real_data):
    for path in resolve(["grimm", "tinyshakespeare"]).paths:
        assert sum(map(len, iter_text([path]))) > 500_000
    assert len(resolve(["names"]).paths) == 15
    for name in ("ptb", "ptb-char"):
        sources = resolve([name])
        sizes = [len("".join(iter_text(paths))) for paths in (sources.paths, sources.validation, sources.test)]
        assert sizes[0] > 10 * sizes[2] > 10 * sizes[1]
