"""Which tags may follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.errors import ArgumentError

OUTSIDE, BEGIN, INSIDE = "O", "B-", "I-"
"""The tag outside of all spans, and how those begin that stand at the beginning of one and inside it."""


class TagConstraints(NamedTuple):
    """Which tags may stand where; True is allowed.

    Attributes:
        transitions: Which tag (column) may follow another (row). Shape (K, K), bool.
        start: Which tags a sentence may begin with. Shape (K,), bool.
        end: Which tags a sentence may end with. Shape (K,), bool.
    """

    transitions: Tensor
    start: Tensor
    end: Tensor


def bio_constraints(tag_names: Sequence[str]) -> TagConstraints:
    """Return what the BIO scheme allows: I-kind stands behind B-kind or I-kind only.

    Args:
        tag_names: The K tags: "O", "B-kind" and "I-kind".

    Raises:
        ArgumentError: When one has another form, or an I-kind has no B-kind to stand behind.

    Example:
        >>> bio_constraints(["O", "B-place", "I-place"]).start.tolist()
        [True, True, False]

    Source: Ramshaw and Marcus 1995, Text chunking using transformation-based learning; this is their scheme as
    Tjong Kim Sang and Veenstra 1999 call it IOB2.
    """
    for name in tag_names:
        if name != OUTSIDE and (name[:2] not in (BEGIN, INSIDE) or len(name) == 2):
            raise ArgumentError(f"bio_constraints expected tag_names to be O, B-kind or I-kind, got {name!r}")
    known = set(tag_names)
    for name in tag_names:
        if name.startswith(INSIDE) and BEGIN + name[2:] not in known:
            raise ArgumentError(
                f"bio_constraints expected a {BEGIN}{name[2:]} among tag_names for {name} to stand behind, got none",
                hint="tags that mark the beginning of a span only behind another one (IOB1) are not BIO",
            )
    is_inside = [name.startswith(INSIDE) for name in tag_names]
    # O has no kind, and no tag inside a span has none
    kinds = [name[2:] for name in tag_names]
    transitions = [
        [not inside or kind == before for kind, inside in zip(kinds, is_inside, strict=True)] for before in kinds
    ]
    start = [not inside for inside in is_inside]
    return TagConstraints(torch.tensor(transitions), torch.tensor(start), torch.ones(len(start), dtype=torch.bool))
