"""Writing with a language model: prime, draw, go on with the state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer
from recurra.decoding import Generation, SamplingPolicy, generate_ids
from recurra.errors import ArgumentError, RunError
from recurra.models import LanguageModel
from recurra.tasks.text.saved_state import SavedState, load_state, repeated, save_state, weights_fingerprint

_MAX_RECENT = 4096
_PRIME_CHUNK = 1024  # tokens read at once: a long prime needs bounded memory
NEVER_WRITTEN = (PAD_ID, UNK_ID, BOS_ID)


class Writer:
    """Texts being written, several at once; the recurrent state is carried, so they may go on for ever.

    Of a model of lines, a text is one line: it begins with the begin token, and is over with the end token.

    Args:
        model: The language model; put into evaluation mode.
        tokenizer: What makes its tokens.
        policy: How tokens are drawn; unknown and padding never are.
        num_samples: Texts in the batch.
        seed: Fixes the draws, from 0 and below 2**63. None draws a seed.
        is_of_lines: Whether the model was trained on lines.
        labels: Number of the label that conditions each text, shape (num_samples,); only for models with labels.

    Attributes:
        unknown: Units read so far that the vocabulary lacks, in order of appearance.

    Raises:
        ArgumentError: When the policy or the seed is out of range.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        policy: SamplingPolicy,
        *,
        num_samples: int = 1,
        seed: int | None = None,
        is_of_lines: bool = False,
        labels: Sequence[int] | None = None,
    ) -> None:
        policy.check_vocab_size(len(tokenizer))
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.policy = replace(policy, banned=(*policy.banned, *NEVER_WRITTEN))
        self.num_samples = num_samples
        self.is_of_lines = is_of_lines
        self.generator, self.seed = seeded(seed)
        self.unknown: list[str] = []
        self._device = next(model.parameters()).device
        self._labels = None if labels is None else torch.tensor(labels, device=self._device)
        self._logits: Tensor | None = None
        self._state: Any = None
        # what was read is behind a decoder already: how a word joins the text depends on the one before it
        self._decoders = [tokenizer.decoder() for _ in range(num_samples)]
        # since the last line end: quotes that are open, bytes of a character that is not whole
        self._recent = [[BOS_ID if is_of_lines else EOS_ID] for _ in range(num_samples)]

    def read(self, text: str) -> str:
        """Take in a text without writing anything, and return it as the model sees it.

        As long as all texts are equal, one of them is read for all.
        """
        self.unknown += [symbol for symbol in self.tokenizer.unknown_in(text) if symbol not in self.unknown]
        ids = self.tokenizer.encode(text)
        begins = self.is_of_lines and self._logits is None
        self._run(np.concatenate([[BOS_ID], ids]) if begins else ids)
        for row in range(self.num_samples):
            self._remember(row, ids.tolist())
        shown = ["".join(map(decoder.feed, ids.tolist())) for decoder in self._decoders]
        return shown[0]

    def _remember(self, row: int, ids: list[int]) -> None:
        recent = self._recent[row]
        recent.extend(ids)
        if EOS_ID in ids:
            del recent[: len(recent) - 1 - recent[::-1].index(EOS_ID)]
        elif len(recent) > 2 * _MAX_RECENT:  # rarely, so that a token costs nothing
            del recent[:-_MAX_RECENT]

    @torch.no_grad()
    def _run(self, ids: np.ndarray) -> None:
        tensor = torch.from_numpy(np.asarray(ids, np.int64)).to(self._device)
        for begin in range(0, len(tensor), _PRIME_CHUNK):
            num_different = 1 if self._logits is None else len(self._logits)
            if self._labels is not None and self._logits is None:
                num_different = self.num_samples
            tokens = tensor[begin : begin + _PRIME_CHUNK, None].expand(-1, num_different)  # (T, B)
            logits, self._state = self.model(tokens, self._state, labels=self._labels)
            self._logits = logits[-1]

    def write(self, num_tokens: int | None) -> Iterator[list[str]]:
        """Yield what the next token adds to every text, so many times, or for ever with None; lines end by themselves.

        A piece may be empty: a byte of a character that is not whole yet, or a line that is over already.
        """
        is_over = self._are_over()
        state, logits = self._start()
        generation: Generation[Any] = generate_ids(
            self._step, logits, state, self.policy, num_steps=num_tokens, generator=self.generator
        )
        while not all(is_over):
            drawn = next(generation, None)
            if drawn is None:
                break
            self._logits, self._state = generation.logits, generation.state
            ids = [EOS_ID if over else token for over, token in zip(is_over, drawn[0].tolist(), strict=True)]
            for row, token in enumerate(ids):
                self._remember(row, [token])
            is_over = self._are_over()
            yield [
                "" if over else decoder.feed(token)
                for over, decoder, token in zip(is_over, self._decoders, ids, strict=True)
            ]
        yield [decoder.flush() for decoder in self._decoders]

    def _are_over(self) -> list[bool]:
        """Return which texts are lines that have their end."""
        return [self.is_of_lines and recent[-1] == EOS_ID for recent in self._recent]

    def _start(self) -> tuple[Any, Tensor]:
        """Return the state of every text, (L, B, width), and its next logits, (B, V)."""
        if self._logits is None:
            # a stream begins like a new line, a line at its beginning
            self._run(np.array([BOS_ID if self.is_of_lines else EOS_ID]))
        assert self._logits is not None
        if len(self._logits) == self.num_samples:
            return self._state, self._logits
        return repeated(self._state, self._logits, self.num_samples)

    def _step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = self.model(ids.to(self._device)[None], state, labels=self._labels)  # (1, B, V)
        return logits[0], state

    def save(self, path: str | Path) -> None:
        """Write everything that going on needs: state, next logits, and where the draws stand."""
        state, logits = self._start()
        weights = weights_fingerprint(self.model)
        recent = [torch.tensor(ids) for ids in self._recent]
        labels = None if self._labels is None else self._labels.cpu()
        saved = SavedState(state, logits, recent, labels, self.generator.get_state(), weights)
        save_state(path, saved, self.tokenizer)

    def load(self, path: str | Path, *, keep_seed: bool) -> bool:
        """Go on from what ``save`` wrote.

        Args:
            path: The file.
            keep_seed: Go on with this writer's draws rather than with the saved ones: a fork.

        Returns:
            Whether the same weights wrote it. A state of other weights is taken all the same, but the text may show it.

        Raises:
            VocabularyError: When the file belongs to a model with other tokens.
            RunError: When it is no state file, of a model of another shape, or was written for another label.
        """
        saved = load_state(path, self.tokenizer, self.model, self.num_samples)
        if saved.labels is not None and self._labels is not None and not torch.equal(saved.labels, self._labels.cpu()):
            raise RunError(f"the state in {path} was written for another label", hint="give the condition it had")
        self._state, self._logits = saved.state, saved.logits
        self._recent = [ids.tolist() for ids in saved.recent]
        for decoder, ids in zip(self._decoders, self._recent, strict=True):
            for token in ids:
                decoder.feed(token)  # shown already
        if not keep_seed:
            self.generator.set_state(saved.generator)
        return saved.weights == weights_fingerprint(self.model)


def seeded(seed: int | None) -> tuple[torch.Generator, int]:
    """Return a generator of draws and its seed; None draws a seed.

    Raises:
        ArgumentError: When the seed is out of range.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63):
        raise ArgumentError(f"generate expected seed to be an integer in [0, 2**63), got {seed!r}")
    generator = torch.Generator()
    seed = generator.seed() % 2**32 if seed is None else seed
    return generator.manual_seed(seed), seed


def unknown_line(symbols: Sequence[str], most: int = 40) -> str:
    """Say which units of a text a run does not know, and what becomes of them."""
    shown = " ".join(map(repr, symbols[:most])) + (" ..." if len(symbols) > most else "")
    return f"the run does not know these and reads them as unknown: {shown}"


def write_text(writer: Writer, num_tokens: int) -> list[str]:
    """Return so many further tokens of every text."""
    return joined(writer.write(num_tokens), writer.num_samples)


def joined(pieces: Iterable[list[str]], num_texts: int) -> list[str]:
    """Return whole texts from the pieces of each moment."""
    return ["".join(text) for text in zip(*pieces, strict=True)] or [""] * num_texts
