"""Lines of the standard library's sources, each token with the role that it plays there."""

from __future__ import annotations

import platform
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from recurra.data.cache import reported_writing, resolve_cache_dir, write_whole
from recurra.data.source_roles import iter_tagged_lines
from recurra.errors import DataNotFoundError

IDENTIFIERS = "builtin:identifiers"

_FORMAT = 1  # of the files: a new number for other content
_MAX_TOKENS = 2500  # of a module, so that none of them is most of a part
# modules written in Python that every supported version carries, for training, validation and test
_MODULES = {
    "train": (
        "argparse",
        "ast",
        "calendar",
        "cmd",
        "codecs",
        "configparser",
        "contextlib",
        "dataclasses",
        "enum",
        "fractions",
        "ftplib",
        "functools",
        "inspect",
        "ipaddress",
        "mailbox",
        "optparse",
        "pprint",
        "random",
        "shutil",
        "socket",
        "tarfile",
        "threading",
    ),
    "validation": ("difflib", "http/client", "queue", "statistics"),
    "test": ("imaplib", "logging/handlers", "selectors", "textwrap"),
}


def write_identifiers(cache_dir: str | Path | None = None) -> tuple[Path, Path, Path]:
    """Write lines of this Python's standard library with the role of each token to the cache, unless they are there.

    A line of source is a sentence, however many lines of text it takes; see ``iter_tagged_lines`` for the roles. The
    parts hold lines of different modules, and a line that stands in several of them is given once, in the first.

    Args:
        cache_dir: The cache folder; by default ``$RECURRA_CACHE``, else the user's cache folder.

    Returns:
        Two-column CoNLL files for training, validation and test: about 50,000, 9,000 and 8,000 tokens.

    Raises:
        DataNotFoundError: When this Python carries no sources.
        DataError: When the cache cannot be written.
    """
    folder = resolve_cache_dir(cache_dir) / "builtin"
    paths = {part: folder / f"identifiers-{_FORMAT}-{platform.python_version()}-{part}.conll" for part in _MODULES}
    # files are written whole: what is there is right
    if not all(path.is_file() for path in paths.values()):
        contents = _contents()
        with reported_writing(folder, "1 MB"):
            for part, path in paths.items():
                write_whole(path, contents[part].encode("utf-8"))
    return paths["train"], paths["validation"], paths["test"]


def _contents() -> dict[str, str]:
    seen: set[tuple[str, ...]] = set()
    contents = {}
    for part, modules in _MODULES.items():
        blocks = (_block(line) for module in modules for line in _iter_new_lines(_source_of(module), seen))
        contents[part] = "".join(blocks)
    return contents


def _source_of(module: str) -> str:
    path = Path(sysconfig.get_path("stdlib")) / f"{module}.py"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataNotFoundError(
            f"expected the sources of the standard library for {IDENTIFIERS}, got no file {path}",
            hint="install Python with its sources; name a tagged file of your own instead",
        ) from error


def _iter_new_lines(source: str, seen: set[tuple[str, ...]]) -> Iterator[list[tuple[str, str]]]:
    """Yield the lines of a module's beginning that were not given before."""
    num_tokens = 0
    for line in iter_tagged_lines(source):
        words = tuple(word for word, _ in line)
        if words in seen:
            continue
        seen.add(words)
        num_tokens += len(line)
        if num_tokens > _MAX_TOKENS:
            return
        yield line


def _block(line: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{word}\t{role}\n" for word, role in line) + "\n"


__all__ = ["IDENTIFIERS", "write_identifiers"]
