import gzip
import hashlib
import lzma
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.text_files import TextFile, iter_text
from recurra.errors import DataError, DataNotFoundError, EncodingError

AWKWARD = "\ufeffa\r\nb\rc\n\r\r\n\u00e9\u2019\U0001f600\r"
AWKWARD_READ = "a\nb\nc\n\n\n\u00e9\u2019\U0001f600\n"


def read(*paths, **options):
    return "".join(iter_text(paths, **options))


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 5, 7, 1 << 20])
@pytest.mark.parametrize(("suffix", "pack"), [(".txt", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_chunk_borders_do_not_change_the_text(write, chunk_bytes, suffix, pack):
    path = write(pack(AWKWARD.encode()), "text" + suffix)

    assert read(path, chunk_bytes=chunk_bytes) == AWKWARD_READ


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("a\r\n\ufeff\u00e9\u2019\U0001f600"), min_size=1), chunk_bytes=st.integers(1, 9))
def test_files_are_read_as_pythons_text_mode_reads_them(tmp_path_factory, text, chunk_bytes):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(text.encode())
    expected = path.read_text(encoding="utf-8-sig")

    if not expected:
        with pytest.raises(DataError, match="empty"):
            read(path, chunk_bytes=chunk_bytes)
        return
    chunks = list(iter_text([path], chunk_bytes=chunk_bytes))

    assert "".join(chunks) == expected
    assert all(chunks)


def test_files_are_joined_in_order_and_each_loses_its_mark(write):
    first, second = write("\ufeffone ", "a.txt"), write("\ufefftwo", "b.txt")

    assert read(first, second) == "one two"
    assert read(second, first) == "twoone "


def test_a_carriage_return_at_the_end_of_a_file_does_not_join_the_next_file(write):
    assert read(write("a\r", "a.txt"), write("\nb", "b.txt")) == "a\n\nb"


def test_a_mark_inside_the_text_stays(write):
    assert read(write("a\ufeffb")) == "a\ufeffb"


def test_several_packed_members_are_one_text(write):
    assert read(write(gzip.compress(b"one ", mtime=0) + gzip.compress(b"two", mtime=0), "t.gz")) == "one two"
    assert read(write(lzma.compress(b"one ") + lzma.compress(b"two"), "t.xz")) == "one two"


@pytest.mark.parametrize(("suffix", "pack"), [(".txt", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_the_hash_is_that_of_the_stored_bytes(write, suffix, pack):
    stored = pack(AWKWARD.encode() * 1000)
    file = TextFile(write(stored, "text" + suffix))

    num_chars = sum(map(len, file.chunks(100)))

    assert file.sha256 == hashlib.sha256(stored).hexdigest()
    assert file.size_bytes == len(stored)
    assert file.num_chars == num_chars == len(AWKWARD_READ) * 1000 + 999  # 999 marks inside


def test_the_hash_covers_what_lies_behind_the_packed_text(write):
    stored = lzma.compress(b"text") + b"rubbish" * 100_000
    file = TextFile(write(stored, "t.xz"))

    assert "".join(file.chunks()) == "text"
    assert file.sha256 == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize("chunk_bytes", [1, 4, 1 << 20])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_an_encoding_error_names_file_line_and_byte(write, chunk_bytes, newline):
    path = write(newline.join(["one", "two", "thr"]).encode() + b"\xe9e")

    with pytest.raises(EncodingError) as caught:
        read(path, chunk_bytes=chunk_bytes)

    assert f"expected UTF-8 text in {path}, got byte 0xe9 in line 3: " in str(caught.value)
    assert "iconv -f latin1" in caught.value.hint


def test_text_that_ends_inside_a_character_is_an_encoding_error(write):
    with pytest.raises(EncodingError, match="byte 0xe2 in line 2: unexpected end of data"):
        read(write("a\n\u2019".encode()[:-1]))


def test_an_encoding_error_inside_a_packed_file_is_found(write):
    with pytest.raises(EncodingError, match=r"t\.gz, got byte 0xff in line 1"):
        read(write(gzip.compress(b"ab\xff", mtime=0), "t.gz"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("text".encode("utf-16"), "UTF-16"),
        ("text".encode("utf-32"), "UTF-32"),
        (b"\xfe\xff" + "text".encode("utf-16-be"), "UTF-16"),
        (gzip.compress(b"text", mtime=0), "gzip"),
        (lzma.compress(b"text"), "xz"),
        (b"PK\x03\x04rest", "zip"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_what_is_no_text_is_called_by_its_name(write, content, kind):
    with pytest.raises(EncodingError, match=f"expected UTF-8 text in .*, got {kind}") as caught:
        read(write(content))

    assert caught.value.hint


def test_a_nul_near_the_start_means_a_binary_file(write):
    with pytest.raises(EncodingError, match="got a binary file: byte 4 is NUL"):
        read(write(b"abc\0def"))
    with pytest.raises(EncodingError, match="got a binary file: byte 8000 is NUL"):
        read(write(b"a" * 7999 + b"\0"), chunk_bytes=100)


def test_a_nul_far_behind_the_start_is_a_character(write):
    assert read(write(b"a" * 10000 + b"\0")) == "a" * 10000 + "\0"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_named(write, content):
    good, empty = write("text", "good.txt"), write(content, "empty.txt")

    with pytest.raises(DataError, match=r"expected text in .*empty\.txt, got an empty file"):
        read(good, empty)


def test_an_empty_packed_file_is_empty(write):
    with pytest.raises(DataError, match="got an empty file"):
        read(write(gzip.compress(b"", mtime=0), "t.gz"))


def test_a_missing_file_is_named(write, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"expected a text file at .*gone\.txt, got nothing"):
        read(write("text"), tmp_path / "gone.txt")


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(DataError, match="got a folder") as caught:
        read(tmp_path)

    assert "*.txt" in caught.value.hint


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(DataError, match="got a pipe or a device"):
        read(tmp_path / "pipe")


def test_an_unreadable_file_says_why(tmp_path):
    path = tmp_path / ("x" * 300)

    with pytest.raises(DataError, match=r"expected to read .*, got: File name too long"):
        read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the super-user may read everything")
def test_a_file_without_permission_says_so(write):
    path = write("text")
    path.chmod(0)

    with pytest.raises(DataError, match=r"expected to read .*, got: Permission denied"):
        read(path)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_damaged_files_are_reported(write, suffix, pack):
    whole = pack(os.urandom(2000).hex().encode())
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF

    for name, content in [("cut", whole[:-20]), ("flipped", bytes(flipped)), ("other", b"just text")]:
        with pytest.raises(DataError, match=f"to be a whole {suffix[1:]} file, got a damaged one") as caught:
            read(write(content, name + suffix))
        assert "again" in caught.value.hint


MEMORY_PROBE = """
import sys
from recurra.data.text_files import iter_text

def anonymous_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

largest, chunks = 0, iter_text([sys.argv[1]])
next(chunks)
before = anonymous_kb()
for chunk in chunks:
    largest = max(largest, anonymous_kb() - before)
print(largest)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux to measure memory")
def test_memory_does_not_grow_with_a_packed_file(write):
    path = write(gzip.compress(b"to be or not to be\n" * 4_000_000), "large.gz")  # 76 MB unpacked

    run = subprocess.run([sys.executable, "-c", MEMORY_PROBE, path], capture_output=True, text=True, check=True)

    assert int(run.stdout) < 16_000


@pytest.mark.realdata
def test_real_files_read_as_python_reads_them(real_data):
    grimm = real_data / "books/book_EN_grimms_fairy_tails.txt"
    packed = real_data / "multi30k/train.de.gz"

    with gzip.open(packed, "rt", encoding="utf-8") as file:
        assert read(packed, chunk_bytes=1001) == file.read()
    assert read(grimm, chunk_bytes=1001) == grimm.read_text(encoding="utf-8-sig")
    assert read(real_data / "timeseries/airline-passengers.csv").count("\r") == 0
