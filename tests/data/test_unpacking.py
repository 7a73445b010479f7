import io
import tarfile
import zipfile

import pytest

from recurra.data.unpacking import unpack
from recurra.errors import DataError


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return path


def make_tar(path, files, links=()):
    with tarfile.open(path, "w:gz") as packed:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            packed.addfile(info)
    return path


MAKERS = pytest.mark.parametrize(("make", "name"), [(make_zip, "all.zip"), (make_tar, "all.tar.gz")])


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@MAKERS
def test_only_what_is_asked_for_is_unpacked(tmp_path, make, name):
    archive = make(tmp_path / name, {"./data/a.txt": "a", "data/b.txt": "b", "data/inner/c.txt": "c", "readme": "r"})

    written = unpack(archive, tmp_path / "out", ["data/*.txt"])

    assert files_below(tmp_path / "out") == {"data/a.txt": "a", "data/b.txt": "b"}
    assert [path.name for path in written] == ["a.txt", "b.txt"]


@MAKERS
@pytest.mark.parametrize(
    "inner", ["../evil.txt", "data/../../evil.txt", "/tmp/evil.txt", "a\\..\\evil.txt", "C:evil.txt"]
)
def test_nothing_is_written_outside_of_the_folder(tmp_path, make, name, inner):
    archive = make(tmp_path / name, {inner: "evil"})
    patterns = ["*.txt", "*/*.txt", "*/*/*.txt", "*/*/*/*.txt"]

    with pytest.raises(DataError, match=r"expected files inside of .*, got one that would lie outside: .*evil\.txt"):
        unpack(archive, tmp_path / "inner/out", patterns)

    assert not list(tmp_path.rglob("*evil*"))


def test_links_are_refused(tmp_path):
    archive = make_tar(tmp_path / "all.tar.gz", {"a.txt": "a"}, links=[("b.txt", "/etc/passwd")])

    with pytest.raises(DataError, match=r"expected plain files in .*, got a link or a device: b\.txt"):
        unpack(archive, tmp_path / "out", ["*.txt"])

    assert not (tmp_path / "out/b.txt").is_symlink()


@pytest.mark.parametrize("name", ["all.zip", "all.tar.gz"])
def test_what_is_no_archive_is_said_to_be_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>not found</html>")

    with pytest.raises(DataError, match=r"expected an archive at .*, got a damaged one or none"):
        unpack(tmp_path / name, tmp_path, ["*"])


@MAKERS
def test_an_archive_that_ends_too_early_is_said_to_be_damaged(tmp_path, make, name):
    text = "".join(map(str, range(50_000)))
    archive = make(tmp_path / name, {"a.txt": text})
    archive.write_bytes(archive.read_bytes()[:-5000])

    with pytest.raises(DataError, match="got a damaged one or none"):
        unpack(archive, tmp_path / "out", ["*"])


@MAKERS
def test_an_archive_without_the_files_is_refused(tmp_path, make, name):
    archive = make(tmp_path / name, {"other.txt": "x"})

    with pytest.raises(DataError, match=r"expected files data/\*\.txt, readme in .*, got none"):
        unpack(archive, tmp_path, ["data/*.txt", "readme"])
