"""What a translator knows between two target tokens, of several hypotheses for each sentence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import Tensor

from recurra.cells.cell import map_tensors
from recurra.layers.states import LayerState


@dataclass(frozen=True)
class Memory:
    """Encoded sentences.

    Attributes:
        output: The encoder's output, zero behind the lengths; None where nothing attends to it. Shape (S, B, M).
        keys: What attention compares queries with; None without attention. Shape (S, B, A).
        lengths: Tokens of each sentence. Shape (B,), int64.
        context: One vector a sentence for every step; None where there is none. Shape (B, C).
    """

    output: Tensor | None
    keys: Tensor | None
    lengths: Tensor
    context: Tensor | None

    def select(self, sentences: Tensor) -> Memory:
        """Return the memory of some sentences, given by their places (B',)."""

        def chosen(tensor: Tensor | None, axis: int) -> Tensor | None:
            return None if tensor is None else tensor.index_select(axis, sentences)

        lengths = self.lengths.index_select(0, sentences)
        return Memory(chosen(self.output, 1), chosen(self.keys, 1), lengths, chosen(self.context, 0))


@dataclass(frozen=True)
class TranslatorState:
    """A decoder's state and the sentences it translates.

    There are N = K * B rows for B sentences, K hypotheses each; row ``k * B + b`` is one of sentence b. So memories
    are never repeated: to attention, hypotheses are further queries of their sentence.

    Attributes:
        memory: The encoded sentences.
        recurrent: The state of the decoder's layers, of N rows.
        fed: The attentional vector of the step before, where it is fed to the next. Shape (N, W).
        is_stacked: Whether the rows of ``recurrent`` are on axis 1 and not 0.
    """

    memory: Memory
    recurrent: LayerState
    fed: Tensor | None
    is_stacked: bool

    @property
    def num_sentences(self) -> int:
        """Number of sentences, B."""
        return len(self.memory.lengths)

    def select(self, rows: Tensor, sentences: Tensor | None = None) -> TranslatorState:
        """Return the state of some rows.

        Args:
            rows: Which row each new one continues, in the order above for the sentences that stay. Shape (K' * B',).
            sentences: Which sentences stay, by their places (B',); None is all.
        """
        axis = 1 if self.is_stacked else 0
        return dataclasses.replace(
            self,
            memory=self.memory if sentences is None else self.memory.select(sentences),
            recurrent=map_tensors(self.recurrent, lambda tensor: tensor.index_select(axis, rows)),
            fed=None if self.fed is None else self.fed.index_select(0, rows),
        )
