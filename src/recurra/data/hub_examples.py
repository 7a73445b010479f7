"""Reading labelled examples of data sets of the Hugging Face hub, through the package ``datasets``."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recurra.data.example_blocks import EXAMPLES_AT_A_TIME, Block, WantedColumns, block_of_values, names_of
from recurra.data.part_names import PART_NAMES
from recurra.data.quiet_loggers import quiet
from recurra.errors import DataError, DataNotFoundError, DownloadError

_TIMEOUT_S = 10


def iter_hub(name: str, wanted: WantedColumns) -> Iterator[Block]:
    """Yield the examples of a data set of the hub, part by part.

    Parts of names that say neither training, validation nor test are left out, as are examples whose class is not
    known; both are counted.

    Args:
        name: Its name there, such as ``stanfordnlp/imdb``; behind a colon that of a configuration, where it has
            several: ``nyu-mll/glue:sst2``.
        wanted: The columns to read.

    Raises:
        DownloadError: When the hub cannot be reached, and the data set was not fetched before.
        DataNotFoundError: When the hub knows no such data set.
        DataError: When no part is of use, a column is missing, or a value is of the wrong type.
    """
    parts = _load(name)
    known = [part for part in parts if part.lower() in PART_NAMES]
    if not known:
        raise DataError(
            f"expected a part for training, validation or test in the data set {name!r} of the hub, "
            f"got {', '.join(map(repr, parts))}"
        )
    for part, examples in parts.items():
        if part in known:
            yield from _iter_part(f"{name} ({part})", part, examples, wanted)
        else:
            yield Block(name, "row", [], [], left_out={f"texts in the part {part!r} of {name}": len(examples)})


def _load(name: str) -> dict[str, Any]:
    datasets = importlib.import_module("datasets")
    identifier, _, configuration = name.partition(":")
    # its client tells of every retry
    with quiet(logging.getLogger("huggingface_hub")):
        silence = _ask_hub(datasets.config.HF_ENDPOINT)
        try:
            with _offline(datasets.config, silence is not None):
                found: dict[str, Any] = dict(datasets.load_dataset(identifier, configuration or None))
        except ConnectionError as error:
            raise DownloadError(
                f"expected the data set {name!r} of the hub, got: {silence or error}",
                hint="check the network; without one, fetch its files elsewhere and name them",
            ) from error
        except OSError as error:  # what it raises where there is no such data set derives from this
            raise DataNotFoundError(
                f"expected the data set {name!r} of the hub, got: {error}", hint="check the name"
            ) from error
        except (ValueError, RuntimeError) as error:
            raise DataError(
                f"expected to load the data set {name!r} of the hub, got: {error}",
                hint="where it has several configurations, name one behind a colon: hub:NAME:CONFIGURATION",
            ) from error
    return found


def _ask_hub(address: str) -> str | None:
    """Return why the hub does not answer, or None where it does.

    The package tries six times, for half a minute, and cannot be told to try less.
    """
    client = importlib.import_module("huggingface_hub.utils").get_session()
    try:
        client.head(address, timeout=_TIMEOUT_S)
    except Exception as error:  # which class it is depends on the release: requests, httpx or its own
        return f"no answer from {address}: {error}"
    return None


@contextmanager
def _offline(config: Any, is_offline: bool) -> Iterator[None]:
    """Let the package look at what it has fetched before only, and at once."""
    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or is_offline
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def _iter_part(where: str, part: str, examples: Any, wanted: WantedColumns) -> Iterator[Block]:
    columns = wanted.choose(examples.column_names, where, files=False)
    names = names_of(columns, label_of_file=False)
    label = columns.label
    classes = None if label is None else getattr(examples.features[label], "names", None)
    number = 0
    for batch in examples.select_columns(names).with_format(None).iter(EXAMPLES_AT_A_TIME):
        values = {name: batch[name] for name in names}
        places = list(range(number + 1, number + len(values[names[0]]) + 1))
        number += len(places)
        num_unknown = 0
        if label is not None and classes is not None:
            kept = [index for index, value in enumerate(values[label]) if value is not None and value >= 0]
            num_unknown = len(places) - len(kept)
            places = [places[index] for index in kept]
            values = {name: [column[index] for index in kept] for name, column in values.items()}
            values[label] = [classes[value] for value in values[label]]
        block = block_of_values(where, "row", places, columns, values)
        splits = block.splits or ([part] * len(places) if wanted.need_labels else None)
        left_out = {f"texts in {where} whose class is not known": num_unknown} if num_unknown else {}
        yield Block(where, "row", places, block.texts, block.labels, splits, left_out)


__all__ = ["iter_hub"]
