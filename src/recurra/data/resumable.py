"""Copying a remote file in parts: a transfer that was stopped goes on where it ended."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from recurra.errors import DownloadError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and with how many there will be, where that is known."""
_CHUNK_BYTES = 1 << 18
_TIMEOUT_S = 30


class ResumableDownloader:
    """Fetches a file to ``PART``, moves it to where it is wanted, and goes on with what is in ``PART`` the next time.

    A part is gone on with only when the server says that the file is still the one that the part is of: its entity
    tag, else its date, is kept in ``PART.version``. What the server sends is stored as it is, never unpacked.

    Pooch calls it with an address and the place of the file.

    Args:
        part: The file that grows; it stays when the transfer is stopped.
        progress: Told about every piece.

    Raises:
        DownloadError: When the file cannot be fetched.
        OSError: When it cannot be written.
    """

    def __init__(self, part: Path, progress: Progress) -> None:
        self._part = part
        self._version = part.with_name(part.name + ".version")
        self._progress = progress

    def __call__(self, url: str, output_file: str | Path, pooch: Any = None, check_only: bool = False) -> None:
        """Fetch ``url``, an address or a local path, to ``output_file``."""
        if urlsplit(url).scheme in ("http", "https"):
            self._fetch(url)
        else:
            self._copy(url)
        os.replace(self._part, output_file)
        self._version.unlink(missing_ok=True)

    def _copy(self, url: str) -> None:
        path = Path(unquote(urlsplit(url).path) if url.startswith("file:") else url)
        try:
            file = open(path, "rb")  # noqa: SIM115
            size = path.stat().st_size
        except OSError as error:
            raise DownloadError(f"expected a file at {path}, got: {error.strerror or error}") from error
        with file:
            self._write(iter(lambda: file.read(_CHUNK_BYTES), b""), 0, size)

    def _fetch(self, url: str) -> None:
        import requests

        try:
            with requests.Session() as session:
                response = self._ask(session, url)
                with response:
                    response.raise_for_status()
                    start = self._start(response, url)
                    total = _total_bytes(response, start)
                    self._note_version(response)
                    self._write(response.iter_content(_CHUNK_BYTES), start, total)
        except requests.HTTPError as error:
            raise DownloadError(f"expected a file at {url}, got: {error}") from error
        except requests.RequestException as error:
            raise DownloadError(
                f"expected to fetch {url}, got no connection, or one that broke: {_reason(error)}"
            ) from error
        if total is not None and self._part.stat().st_size != total:
            raise DownloadError(
                f"expected {total:,} bytes from {url}, got {self._part.stat().st_size:,} before the connection ended"
            )

    def _ask(self, session: Any, url: str) -> Any:
        """Ask for what is missing, or for the whole file."""
        # packed on the way, a file has another length, and its bytes are not counted as those of the file
        headers = {"Accept-Encoding": "identity"}
        here = self._part.stat().st_size if self._part.exists() else 0
        if here and self._version.exists():
            version = self._version.read_text(encoding="utf-8")
            range_headers = {"Range": f"bytes={here}-", "If-Range": version}
            response = session.get(url, headers=headers | range_headers, stream=True, timeout=_TIMEOUT_S)
            if response.status_code != _RANGE_NOT_SATISFIABLE:
                return response
            response.close()
        return session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S)

    def _start(self, response: Any, url: str) -> int:
        """Return how many of the bytes that are here the answer goes on from."""
        if response.status_code != _PARTIAL_CONTENT:
            return 0
        answered = response.headers.get("Content-Range", "")
        found = re.match(r"bytes (\d+)-", answered)
        here = self._part.stat().st_size
        if not found or int(found[1]) != here:
            raise DownloadError(f"expected the bytes of {url} from {here:,} on, got {answered or 'others'}")
        return here

    def _note_version(self, response: Any) -> None:
        tag = response.headers.get("ETag", "")
        # a weak tag says that files mean the same, not that their bytes are
        version = response.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
        if version:
            self._version.write_text(version, encoding="utf-8")
        else:
            self._version.unlink(missing_ok=True)

    def _write(self, chunks: Iterable[bytes], start: int, total: int | None) -> None:
        with open(self._part, "r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            self._progress(start, total)
            for chunk in chunks:
                file.write(chunk)
                file.flush()  # what was told about is there when the process is killed
                self._progress(file.tell(), total)


_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416


def _total_bytes(response: Any, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    """The innermost cause, which says what happened; the outer ones are about the library."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    return str(inner) or type(inner).__name__


__all__ = ["Progress", "ResumableDownloader"]
