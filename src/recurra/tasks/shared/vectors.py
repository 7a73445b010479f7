"""Pre-trained word vectors as the beginning of an embedding."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from recurra.data import SPECIAL_SYMBOLS, Vocabulary, WordVectors, read_vectors, resolve
from recurra.errors import ConfigError


def find_vectors(name: str, width: int | None = None) -> str:
    """Return the file that a path or the name of a data set stands for, as a path from the root.

    Args:
        name: A file, or a data set such as glove, which may have a file for each of several widths.
        width: Width that is wanted, where it is settled.

    Raises:
        DataNotFoundError: When there is neither.
        ConfigError: When it stands for several files, and the width does not say which.
    """
    paths = resolve([name]).paths
    if len(paths) > 1 and width is not None:
        paths = tuple(path for path in paths if f".{width}d." in path.name) or paths
    if len(paths) > 1:
        raise ConfigError(
            f"expected vectors to name one file, got {name}, which has {', '.join(path.name for path in paths)}",
            hint="give embedding_size, the width of the vectors, or name a file",
        )
    return str(paths[0].absolute())


def load_vectors(path: str, vocabulary: Vocabulary, *, width: int | None = None, is_tied: bool = False) -> WordVectors:
    """Return the pre-trained vectors of the symbols of a vocabulary.

    Args:
        path: File of vectors, in the text format of GloVe or word2vec.
        vocabulary: What vectors are wanted for.
        width: Width of the embedding, where it is settled.
        is_tied: Whether ``hidden_size`` must be as wide, for the hint.

    Raises:
        ConfigError: When their width is not that of the embedding.
        DataError: When the file cannot be used.
        VocabularyError: When it has none of the symbols.
    """
    vectors = read_vectors(Path(path).expanduser(), vocabulary.symbols)
    if width is not None and width != vectors.width:
        raise ConfigError(
            f"expected vectors of width {width}, as the embedding is, got width {vectors.width} in {path}",
            hint=f"give embedding_size {vectors.width}, or leave it out"
            + (f", and hidden_size {vectors.width} with tie_weights" if is_tied else ""),
        )
    return vectors


@torch.no_grad()
def set_vectors(embedding: nn.Embedding, vectors: WordVectors) -> None:
    """Put pre-trained vectors into an embedding; symbols that they lack keep their own, at the vectors' scale."""
    weight = embedding.weight
    found = torch.from_numpy(vectors.found)
    known = torch.from_numpy(vectors.matrix)[found].to(weight)
    scale = known.square().mean().sqrt() / weight.square().mean().sqrt()
    if scale > 0:  # vectors of nothing but zeros have no scale
        weight.mul_(scale)
    weight[found] = known


def vectors_line(path: str, vectors: WordVectors, vocabulary: Vocabulary, unit: str, *, frozen: bool) -> str:
    """Say how many of the symbols have a pre-trained vector, and how much of the training text that is."""
    special = len(SPECIAL_SYMBOLS)
    found, total = int(vectors.found[special:].sum()), len(vocabulary) - special
    line = f"vectors: {found:,} of {total:,} {unit}s ({found / total:.0%}) have one in {path}"
    if vocabulary.counts is not None:
        counts = zip(vocabulary.counts, vectors.found.tolist(), strict=True)
        known = sum(count for count, is_found in counts if is_found)
        line += f", {known / max(sum(vocabulary.counts), 1):.0%} of the training part"
    return f"{line}; {'frozen' if frozen else 'tuned'}"
