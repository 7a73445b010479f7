"""What a person sees of a language model while it trains."""

from __future__ import annotations

from collections.abc import Iterator

from recurra.decoding import SamplingPolicy
from recurra.models import LanguageModel
from recurra.tasks.text.config import SamplingConfig
from recurra.tasks.text.line_data import LineData
from recurra.tasks.text.parts import TextData
from recurra.tasks.text.stream_data import StreamData
from recurra.tasks.text.words import distinct_words, known_word_share
from recurra.tasks.text.writing import Writer, write_text

_MAX_FOR_WORDS = 20_000_000
_AT_ONCE = 1 << 20
_LINES = 10


class Sampler:
    """Writes samples, each under a line that says how much of it the training text knows.

    Args:
        data: The text that the model learns.
        config: What to write.
    """

    def __init__(self, data: TextData, config: SamplingConfig) -> None:
        self.data, self.config = data, config
        self._known_words: frozenset[str] | None = None

    def sample(self, model: LanguageModel, seed: int) -> list[str]:
        """Return one text a temperature; of a model of lines each is some lines."""
        write = self._lines if isinstance(self.data, LineData) else self._stream
        return [write(model, seed, temperature) for temperature in self.config.temperatures]

    def _stream(self, model: LanguageModel, seed: int, temperature: float) -> str:
        writer = Writer(model, self.data.tokenizer, SamplingPolicy(temperature=temperature), seed=seed)
        prime = writer.read(self.config.sample_prime) if self.config.sample_prime else ""
        text = prime + write_text(writer, self.config.sample_length)[0]
        head = f"temperature {temperature:g}"
        if self.data.tokenizer.kind in ("char", "bpe"):
            share = known_word_share(text, self.known_words)
            known = "no words" if share != share else f"{share:.0%} of its words are in the training text"
            head = f"{head}: {known}"
        return f"[{head}]\n{text}"

    def _lines(self, model: LanguageModel, seed: int, temperature: float) -> str:
        assert isinstance(self.data, LineData)
        names = self.data.facts.label_names
        labels = [number % len(names) for number in range(max(_LINES, len(names)))] if names else None
        num_samples = _LINES if labels is None else len(labels)
        policy = SamplingPolicy(temperature=temperature)
        writer = Writer(
            model,
            self.data.tokenizer,
            policy,
            num_samples=num_samples,
            seed=seed,
            is_of_lines=True,
            labels=labels,
        )
        prime = writer.read(self.config.sample_prime) if self.config.sample_prime else ""
        lines = [prime + line for line in write_text(writer, self.config.sample_length)]
        known = sum(self.data.tokenizer.encode(line) in self.data.training_lines for line in lines)
        head = f"[temperature {temperature:g}: {known} of {len(lines)} are lines of the training part]"
        if labels is not None:
            lines = [f"{names[label]}: {line}" for label, line in zip(labels, lines, strict=True)]
        return "\n".join([head, *lines])

    @property
    def known_words(self) -> frozenset[str]:
        """The distinct words of the training part, or of its beginning where that is very long."""
        if self._known_words is None:
            self._known_words = distinct_words(self._pieces())
        return self._known_words

    def _pieces(self) -> Iterator[str]:
        assert isinstance(self.data, StreamData)
        start, stop = self.data.splits.train
        stop = min(stop, start + _MAX_FOR_WORDS)
        for begin in range(start, stop, _AT_ONCE):
            yield self.data.tokenizer.decode(self.data.ids.read(begin, min(begin + _AT_ONCE, stop)))
