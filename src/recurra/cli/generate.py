"""``recurra generate RUN``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from recurra.cli.parsing import parse

if TYPE_CHECKING:
    from recurra.tasks.text import TextRun, Writer


@dataclass(frozen=True)
class GenerateOptions:
    """Write with a trained model; the text streams to standard output, everything else goes to standard error."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    prime: str = ""
    """Text to go on with; nothing means a new line. Backslash escapes such as \\n are understood."""
    length: int = 500
    """Characters to write, at most. At least 0."""
    temperature: float = 0.8
    """0 takes the likeliest character, 1 the model's own distribution; higher is wilder."""
    top_k: int | None = None
    """Draw among so many likeliest characters only. At least 1."""
    top_p: float | None = None
    """Draw among the likeliest characters that together have this probability, in (0, 1]."""
    stop: str | None = None
    """End before this text. Backslash escapes such as \\n\\n are understood."""
    num_samples: int = 1
    """Texts to write, in one batch. At least 1."""
    seed: int | None = None
    """Fixes the draws; unset draws one and prints it."""
    state_out: Path | None = None
    """Save the state after the last character, to go on from there later."""
    state_in: Path | None = None
    """Go on from a saved state; with a seed this forks, without one the draws go on too."""
    checkpoint: str = "best"
    """Which weights: best, last, or the step of a checkpoint that is still there."""
    copied: bool = True
    """Report which share of the written 20-character pieces stands in the training text."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(GenerateOptions, "generate", arguments)

    from recurra.tasks import load
    from recurra.tasks.text.run import stream

    run = load(options.run, checkpoint=options.checkpoint)
    writer = run.writer(
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        num_samples=options.num_samples,
        seed=options.seed,
    )
    prime = unescape(options.prime)
    pieces = stream(writer, options.length, None if options.stop is None else unescape(options.stop))
    begin(writer, options, prime)
    texts = show(pieces, options.num_samples, visible(writer, prime))
    if options.state_out is not None:
        writer.save(options.state_out)
        tell(f"state saved to {options.state_out}")
    if options.copied:
        tell(copied_line(run, texts))
    return 0


def begin(writer: Writer, options: GenerateOptions, prime: str) -> None:
    """Bring the writer to where it starts, and say what is worth knowing."""
    if options.state_in is not None:
        writer.load(options.state_in, keep_seed=options.seed is not None)
    elif options.seed is None and options.temperature > 0:
        tell(f"seed {writer.seed}")
    if prime:
        writer.read(prime)
    if writer.unknown:
        shown = " ".join(map(repr, writer.unknown))
        tell(f"symbols that the run has never seen, read as unknown and shown as \ufffd: {shown}")


def visible(writer: Writer, prime: str) -> str:
    """Return the prime as the model reads it: symbols that it does not know replaced."""
    return writer.vocabulary.decode(writer.vocabulary.encode(prime))


def show(pieces: object, num_samples: int, prime: str) -> list[str]:
    """Print what is written: one text as it comes, several one after the other once they are complete."""
    texts = ["" for _ in range(num_samples)]
    if num_samples == 1:
        emit(prime)
    for step in pieces:  # type: ignore[attr-defined]
        texts = [text + piece for text, piece in zip(texts, step, strict=True)]
        if num_samples == 1:
            emit(step[0])
    if num_samples == 1:
        emit("\n")
    else:
        for number, text in enumerate(texts, start=1):
            emit(f"--- {number} ---\n{prime}{text}\n")
    return texts


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
    from recurra.errors import DataError

    try:
        share = run.copied_share(texts)
    except DataError as error:
        return f"copying not checked: {error.message}"
    return "" if share is None else f"{share:.0%} of the written 20-character pieces stand in the training text"


def unescape(text: str) -> str:
    r"""Return a text with backslash escapes resolved.

    Example:
        >>> unescape(r"\n\té")
        '\n\té'
    """
    if "\\" not in text:
        return text
    # latin-1 with backslash escapes for the rest survives the round trip
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
