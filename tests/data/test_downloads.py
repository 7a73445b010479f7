import errno
import hashlib
import json
import zipfile

import pytest
from filelock import FileLock

from recurra.data import catalog, downloads, resolve
from recurra.data.data_set import DataSet, Layout, Remote, RemoteFile
from recurra.data.downloads import fetch, find_remote, is_fetched
from recurra.errors import ArgumentError, ChoiceError, DataError, DownloadError


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def there(tmp_path, monkeypatch, cache):
    """A folder that plays the network."""
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@pytest.fixture
def offer(there, monkeypatch):
    """Add a data set "mine" of one text file a part and an archive with reviews."""
    (there / "train.txt").write_bytes(b"to train")
    (there / "old-test.txt").write_bytes(b"to test")
    with zipfile.ZipFile(there / "more.zip", "w") as packed:
        packed.writestr("data/a.txt", "a")
        packed.writestr("data/b.txt", "bb")
        packed.writestr("readme", "no")

    def add(**checksums):
        files = (
            RemoteFile((there / "train.txt").as_uri(), 8, checksums.get("train")),
            RemoteFile((there / "old-test.txt").as_uri(), 7, stored_as="test.txt"),
            RemoteFile((there / "more.zip").as_uri(), 200, checksums.get("more"), members=("data/*.txt",)),
        )
        layout = Layout(("mine/train.txt", "mine/data/*.txt"), test=("mine/test.txt",))
        remote = Remote(files, home="home", licence="CC0")
        monkeypatch.setitem(catalog.DATA_SETS, "mine", DataSet("my texts", "text", (layout,), remote=remote))

    add()
    return add


def test_a_data_set_is_fetched_unpacked_and_found(offer, there, cache):
    told = []

    folder = fetch("mine", progress=lambda file, here, total: told.append((file.name, here, total)))

    assert folder == cache / "downloads/mine"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "data/a.txt",
        "data/b.txt",
        "fetched.json",
        "test.txt",
        "train.txt",
    ]
    assert resolve(["mine"]).paths == (folder / "train.txt", folder / "data/a.txt", folder / "data/b.txt")
    assert resolve(["mine"]).test == (folder / "test.txt",)
    assert [one for one in told if one[0] == "train.txt"] == [("train.txt", 0, 8), ("train.txt", 8, 8)]
    assert not (cache / "downloads/mine.partial").exists()


def test_what_was_fetched_is_noted_with_its_hash(offer, there):
    record = json.loads((fetch("mine") / "fetched.json").read_text())

    assert [one["address"] for one in record] == [
        (there / name).as_uri() for name in ("train.txt", "old-test.txt", "more.zip")
    ]
    for one, name in zip(record, ("train.txt", "old-test.txt", "more.zip"), strict=True):
        assert "sha256:" + one["sha256"] == sha256((there / name).read_bytes())
    assert (record[2]["num_files"], record[2]["num_bytes"]) == (2, 3)


def test_the_second_time_nothing_is_fetched(offer, there, cache):
    folder = fetch("mine")
    for path in there.iterdir():
        path.unlink()

    assert fetch("mine") == folder
    assert fetch("mine", cache) == folder


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [("train.txt", "other", "train.txt"), ("data/a.txt", "longer", "more.zip"), ("data/b.txt", None, "more.zip")],
)
def test_what_changed_since_it_was_fetched_is_found_out(offer, name, content, source):
    path = fetch("mine") / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    with pytest.raises(
        DataError, match=rf"expected .*mine as it was fetched, got other files than those of .*{source}"
    ) as caught:
        fetch("mine")

    assert f"remove {path.parents[name.count('/')]}, and it is fetched again" in caught.value.hint


@pytest.mark.parametrize("record", ["not json", "[{}]", "7"])
def test_a_damaged_record_is_named(offer, record):
    path = fetch("mine") / "fetched.json"
    path.write_text(record)

    with pytest.raises(DataError, match=r"to be noted in fetched\.json, got: "):
        fetch("mine")


def test_files_that_were_put_there_by_hand_are_not_to_be_removed(offer, cache):
    by_hand = cache / "downloads/mine"
    by_hand.mkdir(parents=True)
    (by_hand / "train.txt").write_text("to train")

    with pytest.raises(DataError, match=r"expected a folder with fetched\.json at .*mine, got one that") as caught:
        fetch("mine")

    assert not is_fetched("mine")
    assert caught.value.hint == (
        f"where files were put there by hand, add what is missing; or move {by_hand} away to fetch it"
    )


def test_known_checksums_are_checked(offer, there):
    offer(train=sha256(b"to train"), more="md5:" + hashlib.md5((there / "more.zip").read_bytes()).hexdigest())

    assert (fetch("mine") / "train.txt").read_bytes() == b"to train"


def test_a_file_with_another_checksum_is_refused_and_removed(offer, there, cache):
    offer(train=sha256(b"something else"))

    with pytest.raises(
        DownloadError, match=r"expected file:.*train\.txt with the checksum sha256:\w+, got another file"
    ) as caught:
        fetch("mine")
    unfinished = cache / "downloads/mine.partial"
    assert not (unfinished / "train.txt").exists()
    assert f"put it at {unfinished / 'train.txt'}, and repeat" in caught.value.hint

    (there / "train.txt").write_bytes(b"something else")
    assert (fetch("mine") / "train.txt").read_bytes() == b"something else"


def test_what_cannot_be_fetched_can_be_put_there_by_hand(offer, there, cache):
    (there / "old-test.txt").unlink()
    by_hand = cache / "downloads/mine.partial/test.txt"

    with pytest.raises(DownloadError, match=r"expected a file at .*old-test\.txt, got: No such file") as caught:
        fetch("mine")
    assert str(by_hand) in caught.value.hint
    assert catalog.find_folder("mine") is None
    by_hand.write_bytes(b"from elsewhere")

    assert (fetch("mine") / "test.txt").read_bytes() == b"from elsewhere"


def test_files_that_are_here_are_not_fetched_again(offer, there):
    aside = there / "more.zip"
    content = aside.read_bytes()
    aside.unlink()
    with pytest.raises(DataError):
        fetch("mine")
    aside.write_bytes(content)
    told = []

    fetch("mine", progress=lambda file, here, total: told.append(file.name))

    assert set(told) == {"more.zip"}


def test_an_interrupted_fetch_keeps_its_part(offer, cache):
    def interrupt(file, here, total):
        if here:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mine", progress=interrupt)

    assert (cache / "downloads/mine.partial/train.txt.part").read_bytes() == b"to train"
    assert not (cache / "downloads/mine").exists()
    assert fetch("mine").is_dir()


def test_what_is_no_archive_is_removed_so_that_it_is_fetched_again(offer, there):
    content = (there / "more.zip").read_bytes()
    (there / "more.zip").write_bytes(b"<html>")

    with pytest.raises(DownloadError, match=r"expected an archive at .*; it was removed") as caught:
        fetch("mine")
    assert caught.value.hint == "`recurra data get mine` fetches it again"
    (there / "more.zip").write_bytes(content)

    assert (fetch("mine") / "data/a.txt").exists()


def test_two_processes_do_not_fetch_the_same(offer, cache):
    (cache / "downloads").mkdir(parents=True)

    with (
        FileLock(cache / "downloads/.mine.lock"),
        pytest.raises(DataError, match="expected to fetch mine, got another process that does"),
    ):
        fetch("mine")


def test_a_full_disk_is_named(offer, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads, "unpack", full)

    with pytest.raises(
        DataError, match=r"expected room for about 0\.0 MB and what is packed in it in .*: No space left"
    ):
        fetch("mine")


def test_names_that_cannot_be_fetched_are_refused():
    with pytest.raises(ChoiceError, match=r"expected the name of a data set to be one of .*; got 'imbd'") as caught:
        fetch("imbd")
    assert caught.value.hint == "did you mean 'imdb'?"
    with pytest.raises(ArgumentError, match="got 'builtin:place-names', which is built in"):
        find_remote("builtin:place-names")


def test_pooch_says_nothing_of_hashes_that_are_not_known(offer, capfd):
    fetch("mine")

    assert capfd.readouterr() == ("", "")
