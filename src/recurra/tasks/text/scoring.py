"""How likely a model finds given lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import BOS_ID, EOS_ID, IGNORE_INDEX, PAD_ID, UNK_ID, Tokenizer
from recurra.errors import ArgumentError
from recurra.models import LanguageModel

_POOL = 4096  # lines that are sorted by length together
_BATCH_TOKENS, _MAX_BATCH = 16_384, 512
"""Tokens, padding included, and lines that are read side by side at most; a longer line is read alone."""
_STEPS = 256  # of a line read at once: memory does not grow with its length


@dataclass(frozen=True)
class Score:
    """How likely a line is.

    Attributes:
        text: The line, without its end.
        log_prob: Natural logarithm of its probability, its end included where that counts.
        num_chars: Characters of the line, its end included where that counts.
        num_unknown: How many of its tokens the model does not know.
        tokens: Each token as text, the line end last.
        token_log_probs: Natural logarithm of the probability of each token.
        unit: What a token is.
    """

    text: str
    log_prob: float
    num_chars: int
    num_unknown: int
    tokens: tuple[str, ...]
    token_log_probs: tuple[float, ...]
    unit: str

    @property
    def num_tokens(self) -> int:
        """Tokens of the line, its end included where that counts."""
        return len(self.tokens)

    @property
    def loss(self) -> float:
        """Nats a token; NaN without tokens."""
        return -self.log_prob / self.num_tokens if self.tokens else math.nan

    @property
    def bits_per_char(self) -> float:
        """Bits a character; NaN without characters."""
        return -self.log_prob / math.log(2) / self.num_chars if self.num_chars else math.nan

    @property
    def perplexity(self) -> float:
        """Number of equally likely choices a token that the line corresponds to."""
        return math.exp(self.loss) if not self.loss > 700 else math.inf

    def to_json(self, *, per_token: bool = False) -> dict[str, Any]:
        """Return the score as plain values."""
        values: dict[str, Any] = {
            "text": self.text,
            "log_prob": self.log_prob,
            "loss": self.loss,
            "bits_per_char": self.bits_per_char,
            "perplexity": self.perplexity,
            "unit": self.unit,
            "num_tokens": self.num_tokens,
            "num_chars": self.num_chars,
            "num_unknown": self.num_unknown,
        }
        if per_token:
            pairs = zip(self.tokens, self.token_log_probs, strict=True)
            values["tokens"] = [{"token": token, "log_prob": value} for token, value in pairs]
        # JSON has neither NaN nor infinity
        return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in values.items()}


class Scorer:
    """Scores lines with a language model.

    A line is scored as one that begins and ends: from the beginning of a line, up to and including its end. That holds
    for models of streams too, to which the line before it has just ended.

    Args:
        model: The language model; put into evaluation mode.
        tokenizer: What makes its tokens.
        is_of_lines: Whether the model was trained on lines.
        label: Number of the label that conditions it.
        with_end: Whether the end of a line counts.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        *,
        is_of_lines: bool,
        label: int | None = None,
        with_end: bool = True,
    ) -> None:
        self.model, self.tokenizer, self.with_end = model.eval(), tokenizer, with_end
        self._first = BOS_ID if is_of_lines else EOS_ID
        self._label = label
        self._device = next(model.parameters()).device
        self._texts: dict[int, str] = {}  # of tokens: decoding them one by one takes as long as a small model

    def score(self, lines: Iterable[str]) -> Iterator[Score]:
        """Yield the score of each line in its order, every one from the initial state."""
        remaining = iter(lines)
        while pool := list(islice(remaining, _POOL)):
            # lines of similar length side by side: little padding
            ids = [self._targets(line) for line in pool]
            order = sorted(range(len(pool)), key=lambda number: -len(ids[number]))
            log_probs: dict[int, np.ndarray] = {}
            begin = 0
            while begin < len(order):
                num_rows = min(max(_BATCH_TOKENS // max(len(ids[order[begin]]), 1), 1), _MAX_BATCH)
                numbers = order[begin : begin + num_rows]
                begin += num_rows
                log_probs.update(zip(numbers, self._batch([ids[number] for number in numbers]), strict=True))
            for number, line in enumerate(pool):
                yield self._score(line, ids[number], log_probs[number])

    def score_carried(self, lines: Iterable[str]) -> Iterator[Score]:
        """Yield the score of each line in its order, given all lines before it."""
        state: Any = None
        for line in lines:
            ids = self._targets(line, carried=True)
            # of a stream what begins a line is the end of the one before
            values, state = self._run(np.concatenate([[self._first], ids[:-1]])[:, None], ids[:, None], state)
            shown = ids if self.with_end else ids[:-1]
            yield self._score(line, shown, values[: len(shown), 0])

    def _targets(self, line: str, *, carried: bool = False) -> np.ndarray:
        if "\n" in line:
            raise ArgumentError(f"score expected lines without line breaks, got {line[:60]!r}")
        ids = self.tokenizer.encode(line)
        return np.append(ids, EOS_ID) if self.with_end or carried else ids

    def _batch(self, targets: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the log-probabilities of the tokens of some lines, longest first."""
        longest, count = len(targets[0]), len(targets)
        wanted = np.full((longest, count), IGNORE_INDEX, np.int64)  # (T, B)
        inputs = np.full((longest, count), PAD_ID, np.int64)
        for row, ids in enumerate(targets):
            wanted[: len(ids), row] = ids
            inputs[: len(ids), row] = np.concatenate([[self._first], ids[:-1]])[: len(ids)]
        values, _ = self._run(inputs, wanted, None)
        return [values[: len(ids), row] for row, ids in enumerate(targets)]

    @torch.no_grad()
    def _run(self, inputs: np.ndarray, targets: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """Return the log-probability of each target, (T, B), and the state behind them."""
        values = np.zeros(targets.shape)
        labels = None if self._label is None else torch.full((inputs.shape[1],), self._label, device=self._device)
        for begin in range(0, len(inputs), _STEPS):
            window = slice(begin, begin + _STEPS)
            lengths = torch.from_numpy((targets[window] != IGNORE_INDEX).sum(axis=0))
            prediction, state = self.model(
                self._tensor(inputs[window]),
                state,
                lengths=lengths.to(self._device),
                labels=labels,
                targets=self._tensor(targets[window]),
            )
            values[window] = -prediction.nll.double().cpu().numpy()
        return values, state

    def _tensor(self, ids: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(ids)).to(self._device)

    def _score(self, line: str, ids: np.ndarray, log_probs: np.ndarray) -> Score:
        return Score(
            text=line,
            log_prob=float(log_probs.sum()),
            num_chars=len(line) + self.with_end,
            num_unknown=int((ids == UNK_ID).sum()),
            tokens=tuple(map(self._text, ids.tolist())),
            token_log_probs=tuple(log_probs.tolist()),
            unit=self.tokenizer.unit,
        )

    def _text(self, token: int) -> str:
        if token not in self._texts:
            self._texts[token] = self.tokenizer.decode([token])
        return self._texts[token]
