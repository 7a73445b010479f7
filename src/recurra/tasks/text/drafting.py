"""A text written together: a model proposes, a person picks, types, undoes and forks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import BOS_ID, EOS_ID, Tokenizer
from recurra.decoding import SamplingPolicy
from recurra.errors import ArgumentError
from recurra.models import LanguageModel
from recurra.tasks.text.writing import NEVER_WRITTEN, seeded

_STEPS = 1024  # tokens read at once: what is typed may be long


@dataclass(frozen=True)
class Choice:
    """A token that may come next.

    Attributes:
        token: Its id.
        text: What it reads as; a line end is a line break.
        prob: Its probability.
    """

    token: int
    text: str
    prob: float


@dataclass(frozen=True)
class _Moment:
    """A text and everything that going on from it needs; never changed, so any number of texts may share one."""

    ids: tuple[int, ...]
    state: Any
    logits: Tensor  # (1, V)
    before: _Moment | None


class Draft:
    """Texts that grow from one beginning; each step can be undone, and a text can be forked at any moment.

    Args:
        model: The language model; put into evaluation mode.
        tokenizer: What makes its tokens.
        policy: Probabilities of the choices, and how ``write`` draws; unknown and padding are never offered.
        prime: What the text begins with, which cannot be undone; nothing means a new line.
        is_of_lines: Whether the model was trained on lines: a text is over with its line end.
        label: Number of the label that conditions it.
        seed: Fixes the draws, from 0 and below 2**63. None draws a seed.

    Attributes:
        current: Number of the text that is being written, from 0.
        seed: What fixes the draws.

    Raises:
        ArgumentError: When the policy or the seed is out of range.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        policy: SamplingPolicy,
        *,
        prime: str = "",
        is_of_lines: bool = False,
        label: int | None = None,
        seed: int | None = None,
    ) -> None:
        policy.check_vocab_size(len(tokenizer))
        self.model, self.tokenizer, self.policy = model.eval(), tokenizer, policy
        self.is_of_lines = is_of_lines
        self.current = 0
        self._device = next(model.parameters()).device
        self._labels = None if label is None else torch.tensor([label], device=self._device)
        self._generator, self.seed = seeded(seed)
        ids = tokenizer.encode(prime).tolist()
        # a stream begins with its prime, or like a new line; a line at its beginning
        before = [BOS_ID] if is_of_lines else [] if ids else [EOS_ID]
        logits, state = self._advance([*before, *ids], None)
        self._moments = [_Moment(tuple(ids), state, logits, None)]

    @property
    def text(self) -> str:
        """The current text."""
        return self.texts[self.current]

    @property
    def texts(self) -> list[str]:
        """All texts, in the order in which they were forked."""
        return [self.tokenizer.decode(np.array(moment.ids, np.int64)) for moment in self._moments]

    @property
    def is_over(self) -> bool:
        """Whether the current text, a line, has its end."""
        return self.is_of_lines and self._moment.ids[-1:] == (EOS_ID,)

    @property
    def _moment(self) -> _Moment:
        return self._moments[self.current]

    def choices(self, count: int) -> list[Choice]:
        """Return the likeliest next tokens, the likeliest first; as many as there are, at most ``count``."""
        probs, ids = self.policy.log_probs(self._moment.logits)[0].exp().topk(min(count, len(self.tokenizer)))
        found = zip(ids.tolist(), probs.tolist(), strict=True)
        return [Choice(token, self._shown(token), prob) for token, prob in found if prob > 0]

    def _shown(self, token: int) -> str:
        return self.tokenizer.decode(np.array([token], np.int64))

    def take(self, token: int) -> None:
        """Go on with a token.

        Raises:
            ArgumentError: When the line is over already, or the token may not be written.
        """
        if token in NEVER_WRITTEN:
            raise ArgumentError(f"a draft expected a token of the vocabulary, got {self._shown(token) or token!r}")
        self._append([token])

    def type(self, text: str) -> list[str]:
        """Go on with typed text, and return the units of it that the model does not know."""
        ids = self.tokenizer.encode(text).tolist()
        if self.is_of_lines and EOS_ID in ids[:-1]:
            raise ArgumentError("a line expected no line break but at its end, got one inside the typed text")
        if ids:
            self._append(ids)
        return self.tokenizer.unknown_in(text)

    def write(self, num_tokens: int) -> None:
        """Let the model write so many tokens, fewer where a line ends; undone as one step."""
        moment = self._moment
        ids: list[int] = []
        logits, state = moment.logits, moment.state
        while len(ids) < num_tokens and not self.is_over:
            token = int(self.policy.draw(logits, self._generator))
            logits, state = self._advance([token], state)
            ids.append(token)
            # kept at each token, so that Ctrl-C loses nothing; all of them are undone as one
            self._moments[self.current] = _Moment((*moment.ids, *ids), state, logits, moment)

    def undo(self) -> bool:
        """Take the last step of the current text back; say whether there was one."""
        before = self._moment.before
        if before is None:
            return False
        self._moments[self.current] = before
        return True

    def fork(self) -> int:
        """Begin another text where the current one stands, make it the current one, and return its number."""
        self._moments.append(self._moment)
        self.current = len(self._moments) - 1
        return self.current

    def switch(self, number: int) -> None:
        """Make another text the current one.

        Raises:
            ArgumentError: When there is no such text.
        """
        if not 0 <= number < len(self._moments):
            raise ArgumentError(
                f"a draft expected the number of a text from 1 to {len(self._moments)}, got {number + 1}"
            )
        self.current = number

    def _append(self, ids: Sequence[int]) -> None:
        moment = self._moment
        if self.is_over:
            raise ArgumentError("the line is over; undo, or fork before its end")
        logits, state = self._advance(ids, moment.state)
        self._moments[self.current] = _Moment((*moment.ids, *ids), state, logits, moment)

    @torch.no_grad()
    def _advance(self, ids: Sequence[int], state: Any) -> tuple[Tensor, Any]:
        tokens = torch.tensor(ids, device=self._device)[:, None]  # (T, 1)
        for window in torch.split(tokens, _STEPS):
            logits, state = self.model(window, state, labels=self._labels)
        return logits[-1], state
