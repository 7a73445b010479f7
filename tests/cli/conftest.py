import sys

import pytest

from recurra.cli.main import main


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "animals.txt"
    path.write_text("The cat sat on the mat.\nThe dog sat on the log.\n" * 60, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def surroundings(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands add the working directory


SMALL = ["--batch-size", "2", "--bptt", "16", "--hidden-size", "16", "--num-threads", "1", "--num-samples", "0"]


@pytest.fixture(scope="session")
def small():
    return SMALL


@pytest.fixture(scope="session")
def trained(text_file, tmp_path_factory, cache):
    """The folder of a trained run; tests read it only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "text", "--data", str(text_file), "--run", str(run), "--max-steps", "40", *SMALL]) == 0
    patch.undo()
    return run


@pytest.fixture
def fails(capsys):
    """Run a command that must fail, and return its exit code and what it said."""

    def run(*arguments):
        capsys.readouterr()
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.err

    return run
