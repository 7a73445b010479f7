"""``recurra generate RUN``."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from recurra.cli.parsing import RunArgument, parse
from recurra.cli.runs import load_text_run

if TYPE_CHECKING:
    from recurra.tasks.text import TextRun, Writer

_INTERRUPTED = 130
_ESCAPE = re.compile(r"\\(?:([ntr\\])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


@dataclass(frozen=True)
class GenerateOptions:
    """Write with a trained model; the text streams to standard output, everything else goes to standard error."""

    run: RunArgument
    """Folder of the run."""
    prime: str = ""
    """Text to go on with; nothing means a new line. The escapes \\n \\t \\r \\xHH \\uHHHH \\\\ are understood."""
    length: int = 500
    """Tokens (characters, words, subwords) to write, at most; a model of lines ends by itself. At least 0."""
    temperature: float = 0.8
    """0 takes the likeliest token, 1 the model's own distribution; higher is wilder."""
    top_k: int | None = None
    """Draw among so many likeliest tokens only. At least 1."""
    top_p: float | None = None
    """Draw among the likeliest tokens that together have this probability, in (0, 1]."""
    stop: str | None = None
    """End before this text. Backslash escapes are understood as in the prime."""
    num_samples: int = 1
    """Texts to write, in one batch. At least 1."""
    seed: int | None = None
    """Fixes the draws; unset draws one and prints it. At least 0."""
    state_out: Path | None = None
    """Save the state after the last token, to go on from there later; Ctrl-C saves it too."""
    state_in: Path | None = None
    """Go on from a saved state; with a seed this forks, without one the draws go on too."""
    checkpoint: str = "best"
    """Which weights: best, last, or the step of a checkpoint that is still there."""
    copied: bool = True
    """Report how much of what was written stands in the training text: pieces of a stream, whole lines of lines."""
    condition: str | None = None
    """Label to write for, where the model was trained with labels."""
    interactive: bool = False
    """Write together: see the likeliest next tokens, pick one, type, undo, fork. Needs a terminal or piped commands."""
    num_choices: int = 8
    """Likeliest tokens to show with --interactive. At least 1."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(GenerateOptions, "generate", arguments)

    from recurra.tasks.text.run import stream
    from recurra.tasks.text.saved_state import check_state_target

    if options.state_out is not None:
        check_state_target(options.state_out)
    run = load_text_run(options.run, "generate", checkpoint=options.checkpoint)
    if options.interactive:
        return together(run, options)
    writer = run.writer(
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        num_samples=options.num_samples,
        seed=options.seed,
        condition=options.condition,
    )
    prime = unescape(options.prime)
    stop = None if options.stop is None else unescape(options.stop)
    interrupt = Interrupt()
    pieces = stream(writer, options.length, stop, is_over=interrupt.is_asked_for)
    visible = begin(writer, options, prime, stop)
    with interrupt.held_back():
        texts = show(pieces, options.num_samples, visible)
    if options.state_out is not None:
        writer.save(options.state_out)
        tell(f"state saved to {options.state_out}")
    if interrupt.is_asked_for():
        tell("interrupted")
        return _INTERRUPTED
    if options.copied:
        tell(copied_line(run, [visible + text for text in texts] if run.is_of_lines else texts))
    return 0


def together(run: TextRun, options: GenerateOptions) -> int:
    """Write together with a person; what has no meaning then is refused."""
    from recurra.cli.interactive import write_together
    from recurra.errors import ConfigError
    from recurra.tasks.text.writing import unknown_line

    given = {"num_samples": options.num_samples != 1, "stop": options.stop, "state_in": options.state_in}
    given["state_out"] = options.state_out
    wrong = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if wrong:
        raise ConfigError(f"expected none of {', '.join(wrong)} with --interactive")
    if options.num_choices < 1:
        raise ConfigError(f"expected --num-choices of at least 1, got {options.num_choices}")
    prime = unescape(options.prime)
    draft = run.draft(
        prime,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        seed=options.seed,
        condition=options.condition,
    )
    if options.seed is None and options.temperature > 0:
        tell(f"seed {draft.seed}")
    unknown = run.tokenizer.unknown_in(prime)
    if unknown:
        tell(unknown_line(unknown))
    write_together(draft, options.num_choices)
    return 0


class Interrupt:
    """Ctrl-C while a text is written: a state must not be left between two characters."""

    def __init__(self) -> None:
        self._asked = False

    def is_asked_for(self) -> bool:
        """Say whether Ctrl-C was pressed."""
        return self._asked

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Only note the first Ctrl-C; the second one leaves at once."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread only
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


def begin(writer: Writer, options: GenerateOptions, prime: str, stop: str | None) -> str:
    """Bring the writer to where it starts, say what is worth knowing, and return the prime as the model sees it."""
    from recurra.tasks.text.writing import unknown_line

    if options.state_in is not None:
        if not writer.load(options.state_in, keep_seed=options.seed is not None):
            tell("this state was written by other weights; going on with it all the same")
    elif options.seed is None and options.temperature > 0:
        tell(f"seed {writer.seed}")
    visible = writer.read(prime) if prime else ""
    if writer.unknown:
        tell(unknown_line(writer.unknown))
    never = writer.tokenizer.unknown_in(stop or "") if writer.tokenizer.kind == "char" else []
    if never:
        shown = " ".join(map(repr, never))
        tell(f"--stop has symbols that the run has never seen and never writes, so it ends nothing: {shown}")
    return visible


def show(pieces: Iterable[list[str]], num_samples: int, prime: str) -> list[str]:
    """Print what is written: one text as it comes, several one after the other once they are complete."""
    from recurra.tasks.text.writing import joined

    if num_samples == 1:
        emit(prime)
        texts = joined(shown(pieces), num_samples)
        emit("\n")
        return texts
    texts = joined(pieces, num_samples)
    for number, text in enumerate(texts, start=1):
        emit(f"--- {number} ---\n{prime}{text}\n")
    return texts


def shown(pieces: Iterable[list[str]]) -> Iterator[list[str]]:
    """Pass pieces on, each printed as it comes."""
    for piece in pieces:
        emit(piece[0])
        yield piece


def emit(text: str) -> None:
    """Write to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(message: str) -> None:
    """Write a message to standard error."""
    if message:
        print(message, file=sys.stderr)


def copied_line(run: TextRun, texts: Sequence[str]) -> str:
    """Return what to say about copying; nothing when the texts are too short to tell."""
    from recurra.errors import RecurraError

    try:
        share = run.copied_share(texts)
    except RecurraError as error:
        return f"copying not checked: {error.message}"
    if share is None:
        return ""
    if run.is_of_lines:
        return f"{share:.0%} of the written lines stand in the training part"
    return f"{share:.0%} of the written pieces of {run.piece} {run.tokenizer.unit}s stand in the training text"


def unescape(text: str) -> str:
    r"""Return a text with backslash escapes resolved: ``\n``, ``\t``, ``\r``, ``\\``, ``\xHH`` and ``\uHHHH``.

    Anything else stays as it was typed.

    Example:
        >>> unescape(r"\n\té \u00e9 C:\users")
        '\n\té é C:\\users'
    """

    def resolve(found: re.Match[str]) -> str:
        letter, *digits = found.groups()
        if letter:
            return _LETTERS[letter]
        code = int(digits[0] or digits[1], 16)
        # half a surrogate pair is no character
        return found[0] if 0xD800 <= code < 0xE000 else chr(code)

    return _ESCAPE.sub(resolve, text)
