"""What the characters of a word say of it: a vector for each word of a batch, each distinct word read once."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from recurra.errors import ChoiceError, ShapeError
from recurra.layers import Recurrent, last_step, max_steps
from recurra.loop.checks import check_lengths
from recurra.loop.plan import valid_steps

CHAR_FEATURES = ("cnn", "recurrent")
"""What reads the characters."""

_WIDTH = 3  # characters that a filter sees, as in the source


class CharFeatures(nn.Module):
    """Vectors of words from their characters.

        cnn        v = max over t of (W [c_{t-1}; c_t; c_{t+1}] + b), a zero vector before and behind the word
        recurrent  v = [last state of a layer that reads forwards; last of one that reads backwards]

    Args:
        vocab_size: Number of characters.
        embedding_size: Width of a character's vector c_t.
        hidden_size: Filters, or units of each direction.
        kind: "cnn" or "recurrent".
        cell: Cell of the recurrent layer.
        engine: Engine of the recurrent layer.

    Attributes:
        output_size: Width of a word's vector: ``hidden_size``, twice that for "recurrent".

    Raises:
        ChoiceError: When ``kind`` is another.

    Source: Ma and Hovy 2016, arXiv 1603.01354, section 2.1 ("cnn"); Lample et al. 2016, arXiv 1603.01360, section 4.1
    ("recurrent").
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        kind: Literal["cnn", "recurrent"],
        *,
        cell: str | type[nn.Module] = "lstm",
        engine: str = "auto",
    ) -> None:
        super().__init__()
        if kind not in CHAR_FEATURES:
            raise ChoiceError("kind of CharFeatures", kind, CHAR_FEATURES)
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.reader: nn.Conv1d | Recurrent
        if kind == "cnn":
            self.reader = nn.Conv1d(embedding_size, hidden_size, _WIDTH, padding=_WIDTH // 2)
            self.output_size = hidden_size
        else:
            self.reader = Recurrent(cell, embedding_size, hidden_size, bidirectional=True, engine=engine)
            self.output_size = self.reader.output_size
        # components of order one, as the words' vectors beside them
        nn.init.normal_(self.embedding.weight)

    def forward(self, chars: Tensor, lengths: Tensor) -> Tensor:
        """Return the vectors of words (W, output_size); zeros for one without characters.

        Args:
            chars: Ids of characters, one word a column. Shape (C, W), int64.
            lengths: Characters of each word (W,), 0 allowed.

        Raises:
            ShapeError: When there are no characters or words, or the lengths do not fit.
        """
        if chars.dim() != 2 or not chars.numel():
            raise ShapeError(
                f"CharFeatures expected chars of shape (characters, words), with at least one of each, "
                f"got {tuple(chars.shape)}"
            )
        known = check_lengths("CharFeatures", lengths, *chars.shape).to(chars.device)
        vectors = self.embedding(chars)  # (C, W, E)
        if isinstance(self.reader, Recurrent):
            output, _ = self.reader(vectors, lengths=known)  # (C, W, 2H)
            return last_step(output, known, is_bidirectional=True)
        # behind a word stands what stands before it: nothing
        filled = vectors.masked_fill(~valid_steps(known, len(chars)).unsqueeze(2), 0)
        found = self.reader(filled.permute(1, 2, 0))  # (W, H, C)
        return max_steps(found.permute(2, 0, 1), known)


def word_vectors(features: Tensor, word_index: Tensor, is_valid: Tensor) -> Tensor:
    """Return the vector (T, B, F) of the word at each step, of those (W, F) of distinct words; any behind the ends."""
    return functional.embedding(word_index.masked_fill(~is_valid, 0), features)
