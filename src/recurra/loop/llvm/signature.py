"""What a section's native function is called with: the order of its arguments."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.loop.graph import Node
from recurra.loop.schedule import Product, Program

HEADER = (
    "pieces",
    "cuts",
    "steps",
    "active",
    "offsets",
    "scratch",
    "piece_rows",
    "product",
    "reset",
    "together",
    "barrier",
)
"""The first arguments: number of pieces, their bounds (pieces + 1), number of steps, rows that run in each step, where
each step begins in a sequence, scratch memory, rows of the longest piece, address of the product, and bytes that say
for each row of a sequence whether its state is reset (0: there are none); whether all threads run each piece together,
and the address of what they wait in."""


@dataclass(frozen=True)
class Resets:
    """Slots that resets touch, and their widths.

    Attributes:
        entering: (from, initial, to): before a step, ``to`` is ``from``, or ``initial`` where the row is reset.
        leaving: (gradient, initial): after a step, a reset row's gradient is added to ``initial``'s and zeroed.
    """

    entering: tuple[tuple[str, str, str, int], ...] = ()
    leaving: tuple[tuple[str, str, int], ...] = ()

    def slots(self) -> dict[str, int]:
        """Return the width of each slot."""
        found = {slot: item[-1] for item in self.entering for slot in item[:3]}
        found.update({slot: item[-1] for item in self.leaving for slot in item[:2]})
        return {str(slot): int(width) for slot, width in found.items()}


@dataclass(frozen=True)
class Signature:
    """Where each thing stands among the arguments.

    Attributes:
        slots: Row slots with their widths; two arguments each: array, and where the rows of each step begin in it.
        weights: Batch-free values read as they are; one argument each.
        biases: Biases of products, with the columns they have; one argument each.
        matrices: Batch-free matrices in panels; one argument each.
        scratch_width: Numbers of scratch memory for each row of a piece and each thread.
    """

    slots: dict[str, int]
    weights: tuple[Node, ...]
    biases: tuple[tuple[Node, int], ...]
    matrices: tuple[Node, ...]
    scratch_width: int

    @property
    def size(self) -> int:
        """The number of arguments."""
        return len(HEADER) + 2 * len(self.slots) + len(self.weights) + len(self.biases) + len(self.matrices)


def signature_of(program: Program, resets: Resets) -> Signature:
    """Return the arguments that a program's function takes."""
    slots = {slot: size for slot, size in program.widths.items() if slot not in program.scratch}
    products = [work for work in program.work if isinstance(work, Product)]
    biases = dict.fromkeys((work.bias, work.columns) for work in products if work.bias is not None)
    return Signature(
        slots | resets.slots(),
        tuple(program.weights),
        tuple(biases),
        tuple(dict.fromkeys(work.matrix for work in products)),
        sum(program.scratch.values()),
    )
