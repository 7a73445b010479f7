import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recurra.data import cache as cache_room
from recurra.data import open_cached, open_corpus
from recurra.errors import DataError

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
from recurra.data import open_corpus
from recurra.errors import DataError
try:
    open_corpus([sys.argv[1]], sys.argv[2])
except DataError as error:
    print(error)
"""

BUILD = """
import sys, time
from pathlib import Path
from recurra.data import open_corpus
Path(sys.argv[3]).touch()
while len(list(Path(sys.argv[3]).parent.glob("ready*"))) < 4:
    time.sleep(0.001)
corpus = open_corpus([sys.argv[1]], sys.argv[2])
print(corpus.fingerprint, int(corpus.ids(0, corpus.num_units).astype(int).sum()))
"""

KILLED = """
import os, signal, sys
from recurra.data import number_files, open_corpus
def killed(descriptor, data):
    os.write(descriptor, data[:10])
    os.kill(os.getpid(), signal.SIGKILL)
number_files.write_all = killed
open_corpus([sys.argv[1]], sys.argv[2])
"""


def entries(cache):
    return [entry.name for entry in (cache / "corpora-2").iterdir()]


def test_the_cache_folder_is_the_one_given_or_named_or_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", "~/somewhere")
    assert cache_room.resolve_cache_dir(tmp_path) == tmp_path
    assert cache_room.resolve_cache_dir(str(tmp_path)) == tmp_path
    assert cache_room.resolve_cache_dir() == Path.home() / "somewhere"

    monkeypatch.setenv("RECURRA_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    if sys.platform == "linux":
        assert cache_room.resolve_cache_dir() == tmp_path / "users/recurra"


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_full_disk_is_reported_with_folder_and_need(write, cache):
    path = write("to be or not to be\n" * 200_000)  # 3.8 MB

    run = subprocess.run([sys.executable, "-c", LIMITED, path, cache], capture_output=True, text=True, check=True)

    assert (
        f"expected room for 3.8 MB, or three times that where more than 255 characters are distinct, in the cache "
        f"folder {cache}/corpora-2, got: File too large" in run.stdout
    )
    assert "hint: make room there, or set RECURRA_CACHE" in run.stdout
    assert entries(cache) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_every_kind_of_a_full_disk_leaves_nothing_behind(write, cache, monkeypatch, number, call):
    def full(*_):
        raise OSError(number, os.strerror(number))

    path = write("text")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(DataError, match=r"expected room for .* in the cache folder"):
            open_corpus([path])

    assert entries(cache) == []
    assert open_corpus([path]).num_units == 4


def test_a_packed_file_tells_its_packed_size(write, cache, monkeypatch):
    import gzip

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = write(gzip.compress(b"text"), "t.gz")
    monkeypatch.setattr(os, "write", full)

    with pytest.raises(
        DataError, match=r"expected room for the unpacked text of 0.1 MB in .*: No space left on device"
    ):
        open_corpus([path])


def test_a_cache_folder_that_cannot_be_made_is_named(write):
    path, blocked = write("text"), write("a file", "blocked")

    with pytest.raises(DataError, match=r"expected to write to the cache folder .*blocked.*, got: Not a dir") as caught:
        open_corpus([path], blocked)

    assert "RECURRA_CACHE" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="the super-user may write everywhere")
def test_a_cache_folder_without_permission_is_named_but_can_be_read(write, cache, trusting):
    known, new = write("known", "known.txt"), write("new", "new.txt")
    open_corpus([known])
    (cache / "corpora-2").chmod(0o500)

    assert open_corpus([known]).num_units == 5
    with pytest.raises(DataError, match=r"expected to write to the cache folder .*, got: Permission denied"):
        open_corpus([new])


def test_a_hit_writes_nothing(write, cache, trusting, monkeypatch):
    path = write("text")
    open_corpus([path])

    def forbidden(*_, **__):
        raise PermissionError

    monkeypatch.setattr(Path, "mkdir", forbidden)
    monkeypatch.setattr(os, "replace", forbidden)

    assert open_corpus([path]).num_units == 4


def test_processes_that_build_the_same_corpus_at_once_agree(write, cache, tmp_path):
    path = write("to be or not to be \u00e9\u2019\n" * 100_000)

    runs = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, path, cache, tmp_path / f"ready{number}"], stdout=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    outputs = {run.communicate()[0] for run in runs}

    assert [run.returncode for run in runs] == [0] * 4
    assert len(outputs) == 1
    (fingerprint,) = (name for name in entries(cache) if name != "index")
    assert outputs.pop().startswith(fingerprint)


def test_a_killed_build_is_not_taken_for_a_corpus_and_is_cleared_away_later(write, cache):
    path = write("text")
    run = subprocess.run([sys.executable, "-c", KILLED, path, cache], check=False)
    assert run.returncode < 0
    (left,) = entries(cache)
    assert left.startswith(".aside-")

    opened = open_corpus([path])
    assert opened.ids(0, 4).tolist() == [1, 2, 3, 1]
    assert left in entries(cache)  # its owner might still be at work

    old = time.time() - 25 * 3600
    for entry in [cache / "corpora-2" / left, *(cache / "corpora-2" / left).iterdir()]:
        os.utime(entry, (old, old))
    open_corpus([path])
    assert left not in entries(cache)
    assert open_cached(opened.fingerprint) is not None


def test_an_interrupted_build_leaves_nothing_behind(write, cache, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    path = write("text")
    monkeypatch.setattr("recurra.data.number_files.write_all", interrupted)

    with pytest.raises(KeyboardInterrupt):
        open_corpus([path])
    assert entries(cache) == []


def test_a_full_disk_while_ids_are_widened_leaves_nothing_behind(write, cache, monkeypatch):
    real, calls = cache_room.write_all, []

    def full_later(descriptor, data):
        calls.append(data)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor, data)

    descriptors = len(os.listdir("/proc/self/fd"))
    path = write("a" * (1 << 20) + "".join(map(chr, range(0x100, 0x300))))
    monkeypatch.setattr("recurra.data.number_files.write_all", full_later)

    with pytest.raises(DataError, match="expected room for"):
        open_corpus([path])
    assert entries(cache) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_data_is_written_whole_even_in_parts(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)

    cache_room.write_all(descriptor, b"0123456789")
    os.close(descriptor)

    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_small_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    cache_room.write_whole(tmp_path / "folder/file", b"old")

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no"):
        cache_room.write_whole(tmp_path / "folder/file", b"new")

    assert (tmp_path / "folder/file").read_bytes() == b"old"
    assert [entry.name for entry in (tmp_path / "folder").iterdir()] == ["file"]


MEMORY_PROBE = """
import sys
from recurra.data import Columns, copied_share, number_files, open_corpus
import numpy as np

def anonymous_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

largest = 0
append = number_files.NumberFile.append
def probed(*arguments, **options):
    global largest
    append(*arguments, **options)
    largest = max(largest, anonymous_kb())
number_files.NumberFile.append = probed
rule, columns = ("word", Columns("1", "2")) if sys.argv[3] == "records" else (sys.argv[3], None)
corpus = open_corpus([sys.argv[1]], sys.argv[2], rule=rule, columns=columns)
corpus.counts(0, corpus.num_units)
copied_share(np.arange(1000), corpus.ids, 0, corpus.num_units)
print(max(largest, anonymous_kb()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to measure memory")
@pytest.mark.parametrize("kind", ["char", "records"])
def test_memory_does_not_grow_with_the_text(write, tmp_path, kind):
    line, name = ("to be or not to be,hamlet\n", "t.csv") if kind == "records" else ("to be or not to be\n", "t.txt")
    used = []
    for size, repeats in [("small", 100_000), ("large", 3_000_000 if kind == "char" else 800_000)]:
        path = write(line * repeats, f"{size}-{name}")
        command = [sys.executable, "-c", MEMORY_PROBE, path, tmp_path / "cache", kind]
        used.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))

    assert used[1] - used[0] < 12_000
