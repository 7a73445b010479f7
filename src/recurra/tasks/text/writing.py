"""Writing with a language model: prime, draw, go on with the state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recurra.data import Vocabulary
from recurra.decoding import Generation, SamplingPolicy, generate_ids
from recurra.errors import ArgumentError
from recurra.models import LanguageModel
from recurra.tasks.text.saved_state import SavedState, load_state, repeated, save_state, weights_fingerprint

UNKNOWN_ID = 0
DEFAULT_PRIME = "\n"
_PRIME_CHUNK = 1024  # symbols read at once: a long prime needs bounded memory


class Writer:
    """Texts being written, several at once; the recurrent state is carried, so they may go on for ever.

    Args:
        model: The language model; put into evaluation mode.
        vocabulary: Its symbols.
        policy: How symbols are drawn; the unknown symbol never is.
        num_samples: Texts in the batch.
        seed: Fixes the draws, from 0 and below 2**63. None draws a seed.

    Attributes:
        unknown: Symbols read so far that the vocabulary lacks, in order of appearance.

    Raises:
        ArgumentError: When the policy or the seed is out of range.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        policy: SamplingPolicy,
        *,
        num_samples: int = 1,
        seed: int | None = None,
    ) -> None:
        policy.check_vocab_size(len(vocabulary) - 1)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63):
            raise ArgumentError(f"generate expected seed to be an integer in [0, 2**63), got {seed!r}")
        self.model = model.eval()
        self.vocabulary = vocabulary
        self.policy = SamplingPolicy(
            temperature=policy.temperature,
            top_k=policy.top_k,
            top_p=policy.top_p,
            banned=(*policy.banned, UNKNOWN_ID),
        )
        self.num_samples = num_samples
        self.generator = torch.Generator()
        self.seed = self.generator.seed() % 2**32 if seed is None else seed
        self.generator.manual_seed(self.seed)
        self.unknown: list[str] = []
        self._logits: Tensor | None = None
        self._state: Any = None
        self._device = next(model.parameters()).device

    @torch.no_grad()
    def read(self, text: str) -> None:
        """Take in a text without writing anything.

        As long as all texts are equal, one of them is read for all.
        """
        self.unknown += [symbol for symbol in self.vocabulary.unknown_in(text) if symbol not in self.unknown]
        ids = torch.from_numpy(self.vocabulary.encode(text)).to(self._device)
        for begin in range(0, len(ids), _PRIME_CHUNK):
            num_different = 1 if self._logits is None else len(self._logits)
            tokens = ids[begin : begin + _PRIME_CHUNK, None].expand(-1, num_different)  # (T, B)
            logits, self._state = self.model(tokens, self._state)
            self._logits = logits[-1]

    def write(self, num_symbols: int | None) -> Iterator[list[str]]:
        """Yield the next symbol of every text, so many times, or for ever with None."""
        state, logits = self._start()
        generation: Generation[Any] = generate_ids(
            self._step, logits, state, self.policy, num_steps=num_symbols, generator=self.generator
        )
        symbols = self.vocabulary.symbols
        for ids, _ in generation:
            self._logits, self._state = generation.logits, generation.state
            yield [symbols[index] for index in ids.tolist()]

    def _start(self) -> tuple[Any, Tensor]:
        """Return the state of every text, (L, B, width), and its next logits, (B, V)."""
        if self._logits is None:
            self.read(DEFAULT_PRIME if DEFAULT_PRIME in self.vocabulary.symbols else self.vocabulary.symbols[1])
        assert self._logits is not None
        if len(self._logits) == self.num_samples:
            return self._state, self._logits
        return repeated(self._state, self._logits, self.num_samples)

    def visible(self, text: str) -> str:
        """Return a text as the model reads it: symbols that it does not know are replaced."""
        return self.vocabulary.decode(self.vocabulary.encode(text))

    def _step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = self.model(ids.to(self._device)[None], state)  # (1, B, V)
        return logits[0], state

    def save(self, path: str | Path) -> None:
        """Write everything that going on needs: state, next logits, and where the draws stand."""
        state, logits = self._start()
        weights = weights_fingerprint(self.model)
        save_state(path, SavedState(state, logits, self.generator.get_state(), weights), self.vocabulary)

    def load(self, path: str | Path, *, keep_seed: bool) -> bool:
        """Go on from what ``save`` wrote.

        Args:
            path: The file.
            keep_seed: Go on with this writer's draws rather than with the saved ones: a fork.

        Returns:
            Whether the same weights wrote it. A state of other weights is taken all the same, but the text may show it.

        Raises:
            VocabularyError: When the file belongs to a model with other symbols.
            RunError: When it is no state file, or of a model of another shape.
        """
        saved = load_state(path, self.vocabulary, self.model, self.num_samples)
        self._state, self._logits = saved.state, saved.logits
        if not keep_seed:
            self.generator.set_state(saved.generator)
        return saved.weights == weights_fingerprint(self.model)


def unknown_line(symbols: Sequence[str]) -> str:
    """Say which symbols of a text a run does not know, and what becomes of them."""
    shown = " ".join(map(repr, symbols))
    return f"symbols that the run has never seen, read as unknown and shown as \ufffd: {shown}"


def write_text(writer: Writer, num_symbols: int) -> list[str]:
    """Return so many further symbols of every text."""
    return joined(writer.write(num_symbols), writer.num_samples)


def joined(pieces: Iterable[list[str]], num_texts: int) -> list[str]:
    """Return whole texts from the pieces of each moment."""
    return ["".join(text) for text in zip(*pieces, strict=True)] or [""] * num_texts
