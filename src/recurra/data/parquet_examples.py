"""Reading labelled examples from Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recurra.data.example_blocks import EXAMPLES_AT_A_TIME, Block, WantedColumns, block_of_values, names_of
from recurra.data.records import file_label
from recurra.data.text_files import open_regular
from recurra.errors import DataError


def iter_parquet(path: Path, wanted: WantedColumns) -> Iterator[Block]:
    """Yield the examples of a Parquet file.

    Raises:
        DataError: When the file is damaged, a column is missing, or a value is of the wrong type.
    """
    import pyarrow
    from pyarrow import parquet

    label = file_label(path) if wanted.labels_of_files else None
    with open_regular(path) as raw:
        try:
            file = parquet.ParquetFile(raw)
            columns = wanted.choose(file.schema_arrow.names, str(path))
            names = names_of(columns, label_of_file=label is not None)
            number = 0
            for batch in file.iter_batches(EXAMPLES_AT_A_TIME, columns=names):
                values = {name: batch.column(name).to_pylist() for name in names}
                places = range(number + 1, number + batch.num_rows + 1)
                number += batch.num_rows
                yield block_of_values(str(path), "row", places, columns, values, label_of_file=label)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(
                f"expected {path} to be a whole Parquet file, got a damaged one: {error}",
                hint="copy or download the file again",
            ) from error


__all__ = ["iter_parquet"]
