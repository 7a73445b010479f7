import http.server
import socket
import threading

import pytest

from recurra.data.resumable import ResumableDownloader
from recurra.errors import DownloadError

CONTENT = bytes(range(256)) * 8192  # 2 MiB


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file as real servers do: with ranges, and with whatever ``server`` says."""

    def do_GET(self):
        server = self.server
        server.asked.append(dict(self.headers))
        content, start = server.content, 0
        wanted = self.headers.get("Range")
        if self.path != "/file":
            self.send_error(404, "Not Found")
            return
        if wanted and self.headers.get("If-Range") in server.version.values():
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start + server.shift}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        for name, value in server.version.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.num_sent])

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.version, server.num_sent, server.shift = CONTENT, {"ETag": '"one"'}, None, 0
        server.asked = []
        server.address = f"http://127.0.0.1:{server.server_address[1]}/file"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def told():
    return []


@pytest.fixture
def downloader(tmp_path, told):
    return ResumableDownloader(tmp_path / "file.part", lambda here, total: told.append((here, total)))


def stop_after(part, num_bytes):
    """A downloader that is interrupted as by Ctrl-C."""

    def progress(here, total):
        if here >= num_bytes:
            raise KeyboardInterrupt

    return ResumableDownloader(part, progress)


def test_a_file_is_fetched_as_it_is(server, downloader, told, tmp_path):
    downloader(server.address, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert server.asked[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("version", [{"ETag": '"one"'}, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}])
def test_an_interrupted_file_goes_on_where_it_ended(server, downloader, told, tmp_path, version):
    server.version = version
    with pytest.raises(KeyboardInterrupt):
        stop_after(tmp_path / "file.part", 500_000)(server.address, tmp_path / "file")
    here = (tmp_path / "file.part").stat().st_size

    downloader(server.address, tmp_path / "file")

    assert len(CONTENT) > here >= 500_000
    assert server.asked[1]["Range"] == f"bytes={here}-"
    assert told[0] == (here, len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_connection_that_breaks_leaves_what_came(server, downloader, tmp_path):
    server.num_sent = 1_000_000

    with pytest.raises(DownloadError, match=r"expected to fetch http://.*, got no connection, or one that broke: "):
        downloader(server.address, tmp_path / "file")
    server.num_sent = None
    here = (tmp_path / "file.part").stat().st_size
    downloader(server.address, tmp_path / "file")

    assert here > 0
    assert server.asked[1]["Range"] == f"bytes={here}-"
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, downloader, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stop_after(tmp_path / "file.part", 500_000)(server.address, tmp_path / "file")
    server.content, server.version = b"new" * 1000, {"ETag": '"two"'}

    downloader(server.address, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == b"new" * 1000


@pytest.mark.parametrize("version", [{}, {"ETag": 'W/"one"'}])
def test_a_file_of_which_the_version_is_not_known_is_fetched_anew(server, downloader, tmp_path, version):
    server.version = version
    with pytest.raises(KeyboardInterrupt):
        stop_after(tmp_path / "file.part", 500_000)(server.address, tmp_path / "file")

    downloader(server.address, tmp_path / "file")

    assert "Range" not in server.asked[1]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_fetched_anew(server, downloader, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.version").write_text('"one"')

    downloader(server.address, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_answer_with_other_bytes_is_refused(server, downloader, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    (tmp_path / "file.part.version").write_text('"one"')
    server.shift = 7

    with pytest.raises(DownloadError, match=r"expected the bytes of http.* from 1,000 on, got bytes 1007-"):
        downloader(server.address, tmp_path / "file")


def test_an_answer_that_is_no_file_is_named(server, downloader, tmp_path):
    with pytest.raises(DownloadError, match=r"expected a file at http://.*/other, got: 404"):
        downloader(server.address.replace("/file", "/other"), tmp_path / "file")


def test_no_network_is_named(downloader, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/file"

    with pytest.raises(
        DownloadError, match=f"expected to fetch {address}, got no connection, or one that broke: .*refused"
    ):
        downloader(address, tmp_path / "file")


@pytest.mark.parametrize("as_address", [True, False])
def test_a_local_file_is_copied(downloader, told, tmp_path, as_address):
    path = tmp_path / "my data.txt"
    path.write_text("local")

    downloader(path.as_uri() if as_address else str(path), tmp_path / "file")

    assert (tmp_path / "file").read_text() == "local"
    assert path.exists()
    assert told == [(0, 5), (5, 5)]


def test_a_local_file_that_is_not_there_is_named(downloader, tmp_path):
    with pytest.raises(DownloadError, match=r"expected a file at .*/none, got: No such file"):
        downloader(f"file://{tmp_path}/none", tmp_path / "file")
