"""``recurra data``."""

import io
import json
import sys

import pytest

from recurra.cli.data import readable_size
from recurra.cli.main import main
from recurra.data import catalog
from recurra.data.data_set import DataSet, Layout, Remote, RemoteFile


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """The folder that a small data set "mine" is fetched to."""
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "own-cache"))
    (tmp_path / "mine.txt").write_text("some text")
    remote = Remote(
        (RemoteFile((tmp_path / "mine.txt").as_uri(), 1_500_000),),
        home="https://example.org",
        licence="CC BY 4.0",
        terms="name the author",
        citation="Author (2020), Title",
    )
    mine = DataSet("my text", "text", (Layout(("mine/mine.txt",)),), remote=remote)
    monkeypatch.setitem(catalog.DATA_SETS, "mine", mine)
    return tmp_path / "own-cache/downloads/mine"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def answer(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", Terminal(text))


def test_all_data_sets_are_listed_with_their_terms(capsys, offered):
    assert main(["data", "list"]) == 0

    said = capsys.readouterr()
    lines = {line.split()[0]: line for line in said.out.splitlines() if line[:1].strip()}
    assert set(lines) == {"name", *catalog.names()}
    assert lines["builtin:number-languages"].split() == [
        "builtin:number-languages",
        "classify,",
        "-",
        "-",
        "built",
        "in",
    ]
    assert lines["mine"].split() == ["mine", "text", "1.5", "MB", "CC", "BY", "4.0", "no"]
    assert lines["glove"].split() == ["glove", "word", "vectors", "862", "MB", "PDDL", "1.0", "no"]
    assert max(map(len, said.out.splitlines())) <= 100


def test_some_are_listed_as_json_with_their_place(capsys, offered):
    assert main(["data", "get", "mine", "--yes"]) == 0
    capsys.readouterr()

    assert main(["data", "list", "mine", "builtin:identifiers", "--json"]) == 0

    mine, builtin = json.loads(capsys.readouterr().out)
    assert mine == {
        "name": "mine",
        "about": "my text",
        "tasks": "text",
        "num_bytes": 1_500_000,
        "licence": "CC BY 4.0",
        "is_builtin": False,
        "folder": str(offered),
    }
    assert builtin["is_builtin"]
    assert builtin["tasks"] == "tag"


def test_terms_are_said_before_anything_is_fetched(capsys, offered):
    assert main(["data", "get", "mine", "--yes"]) == 0

    said = capsys.readouterr()
    assert said.out == f"{offered}\n"
    assert said.err.splitlines()[0] == "mine: my text"
    for line in ("  licence  CC BY 4.0", "  terms    name the author", "  cite     Author (2020), Title"):
        assert line in said.err.splitlines()
    assert "no checksum known of mine.txt" in said.err
    assert (offered / "mine.txt").read_text() == "some text"


def test_the_second_time_it_is_already_here(capsys, offered):
    main(["data", "get", "mine", "--yes"])
    capsys.readouterr()

    assert main(["data", "get", "mine", "--json"]) == 0

    said = capsys.readouterr()
    assert json.loads(said.out) == {"name": "mine", "folder": str(offered)}
    assert said.err == "mine is already here\n"


def test_the_second_time_it_is_compared_with_what_was_fetched(offered, fails):
    main(["data", "get", "mine", "--yes"])
    (offered / "mine.txt").write_text("changed")

    code, said = fails("data", "get", "mine")

    assert code == 2
    assert "as it was fetched, got other files" in said


def test_what_lies_in_the_data_folder_is_already_here(capsys, offered, tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "data"))
    (tmp_path / "data/mine").mkdir(parents=True)
    (tmp_path / "data/mine/mine.txt").write_text("text")

    assert main(["data", "get", "mine"]) == 0

    assert capsys.readouterr() == (f"{tmp_path / 'data/mine'}\n", "mine is already here\n")
    assert not offered.exists()


def test_what_was_put_there_by_hand_is_already_here(capsys, offered):
    offered.mkdir(parents=True)
    (offered / "mine.txt").write_text("text")

    assert main(["data", "get", "mine"]) == 0

    assert capsys.readouterr() == (f"{offered}\n", "mine is already here\n")


@pytest.mark.parametrize("said", ["y\n", "Yes\n"])
def test_at_a_terminal_it_asks(capsys, offered, monkeypatch, said):
    answer(monkeypatch, said)

    assert main(["data", "get", "mine"]) == 0

    assert "fetch mine? [y/N] " in capsys.readouterr().err
    assert offered.is_dir()


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
def test_whoever_does_not_agree_gets_nothing(capsys, offered, monkeypatch, said):
    answer(monkeypatch, said)

    assert main(["data", "get", "mine"]) == 1

    assert "mine is not fetched" in capsys.readouterr().err
    assert not offered.exists()


def test_without_a_terminal_the_terms_must_be_agreed_to(offered, monkeypatch, fails):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    code, said = fails("data", "get", "mine")

    assert code == 2
    assert "recurra data get mine expected --yes, since there is no terminal to ask at; got none" in said
    assert not offered.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get"], "recurra data get expected NAME, got none"),
        (["get", "mien", "--yes"], "did you mean 'mine'?"),
        (["list", "mien"], "did you mean 'mine'?"),
        (["get", "mine", "builtin:identifiers", "--yes"], "got 'builtin:identifiers', which is built in"),
    ],
)
def test_what_cannot_be_fetched_is_wrong_use(offered, fails, arguments, message):
    code, said = fails("data", *arguments)

    assert code == 2
    assert message in said
    assert not offered.exists()


def test_a_fetch_that_fails_says_what_to_do(offered, fails, tmp_path):
    (tmp_path / "mine.txt").unlink()

    code, said = fails("data", "get", "mine", "--yes")

    assert code == 1
    assert "got: No such file" in said
    assert "[RECURRA-206]" in said
    assert "`recurra data get mine` goes on where this ended" in said


@pytest.mark.parametrize(
    ("num_bytes", "text"), [(2180, "2 kB"), (1_115_394, "1.1 MB"), (9_960_000, "10 MB"), (862_182_613, "862 MB")]
)
def test_sizes_are_readable(num_bytes, text):
    assert readable_size(num_bytes) == text
