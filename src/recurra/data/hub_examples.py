"""Reading labelled examples of data sets of the Hugging Face hub, through the package ``datasets``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from recurra.data.example_blocks import EXAMPLES_AT_A_TIME, Block, WantedColumns, block_of_values, names_of
from recurra.data.part_names import PART_NAMES
from recurra.errors import DataError, DataNotFoundError


def iter_hub(name: str, wanted: WantedColumns) -> Iterator[Block]:
    """Yield the examples of a data set of the hub, part by part.

    Parts of names that say neither training, validation nor test are left out, as are examples whose class is not
    known; both are counted.

    Args:
        name: Its name there, such as ``stanfordnlp/imdb``; behind a colon that of a configuration, where it has
            several: ``nyu-mll/glue:sst2``.
        wanted: The columns to read.

    Raises:
        DataNotFoundError: When the hub cannot be reached, or knows no such data set.
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
    load_dataset = importlib.import_module("datasets").load_dataset
    identifier, _, configuration = name.partition(":")
    try:
        found: dict[str, Any] = dict(load_dataset(identifier, configuration or None))
    except OSError as error:  # what it raises where there is no network, or no such data set, derives from this
        raise DataNotFoundError(
            f"expected the data set {name!r} of the hub, got: {error}",
            hint="check the name and the network; without one, fetch its files elsewhere and name them",
        ) from error
    except (ValueError, RuntimeError) as error:
        raise DataError(
            f"expected to load the data set {name!r} of the hub, got: {error}",
            hint="where it has several configurations, name one behind a colon: hub:NAME:CONFIGURATION",
        ) from error
    return found


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
