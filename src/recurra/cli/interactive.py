"""``recurra generate RUN --interactive``: writing together with a model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from recurra.cli.report import console
from recurra.errors import RecurraError

if TYPE_CHECKING:
    from recurra.tasks.text import Draft

HELP = """\
  NUMBER      take that token; Enter alone takes the first one
  text        anything else is typed as it stands; \\n is a line break
  "text       type text that looks like a number or a command
  :write N    let the model write N tokens (20 without N)
  :undo N     take the last N steps back (1 without N)
  :fork       begin another text here; this one stays as it is
  :texts      show all texts
  :go N       go on with text N
  :help       this list
  :quit       end, and print the current text (Ctrl-D too)"""
_SHOWN = 400
"""Characters of the text's end that are shown again at each step."""


class Session:
    """Asks for one command after the other, and shows what comes of it on standard error.

    Args:
        draft: What is written.
        num_choices: Tokens to offer.
        read_line: Returns the next command; raises EOFError when there is none.
    """

    def __init__(self, draft: Draft, num_choices: int, read_line: Callable[[], str]) -> None:
        self.draft, self.num_choices, self.read_line = draft, num_choices, read_line
        self.console: Console = console()
        self._commands: dict[str, Callable[[str], None]] = {
            "write": self._write,
            "undo": self._undo,
            "fork": self._fork,
            "texts": self._texts,
            "go": self._go,
            "help": lambda rest: self.console.print(HELP, markup=False),
        }

    def run(self) -> None:
        """Go on until the end of the input, or ``:quit``."""
        self.console.print(":help lists the commands", style="dim")
        for line in self._lines():
            try:
                self._obey(line)
            except RecurraError as error:
                self.console.print(error.message, style="red", markup=False)

    def _lines(self) -> Iterator[str]:
        while True:
            self._show()
            try:
                line = self.read_line()
            except EOFError:
                return
            if line.strip() in (":quit", ":q"):
                return
            yield line

    def _show(self) -> None:
        draft = self.draft
        text = draft.text
        head = f"[{draft.current + 1}/{len(draft.texts)}] " if len(draft.texts) > 1 else ""
        self.console.print(Text(head, style="cyan"), Text(("…" if len(text) > _SHOWN else "") + text[-_SHOWN:]), sep="")
        if draft.is_over:
            self.console.print("the line is over: :undo, :fork or :quit", style="dim")
            return
        found = draft.choices(self.num_choices)
        # no-break spaces: an offer stays on one line
        offers = (f"{number}\u00a0{offer.text!r}\u00a0{offer.prob:.1%}" for number, offer in enumerate(found, start=1))
        self.console.print(Text("   ".join(offers), style="yellow"))

    def _obey(self, line: str) -> None:
        from recurra.cli.generate import unescape

        word = line.strip()
        if not word and not line:
            self._take(1)
        elif word.isdecimal():
            self._take(int(word))
        elif word.startswith(":"):
            name, _, rest = word[1:].partition(" ")
            found = [command for command in self._commands if name and command.startswith(name)]
            if len(found) != 1:
                self.console.print(f"no command :{name}; :help lists them", style="red", markup=False)
                return
            self._commands[found[0]](rest.strip())
        else:
            unknown = self.draft.type(unescape(line.removeprefix('"')))
            if unknown:
                self.console.print(
                    f"not known, read as unknown: {' '.join(map(repr, unknown))}", style="red", markup=False
                )

    def _take(self, number: int) -> None:
        found = self.draft.choices(self.num_choices)
        if not 1 <= number <= len(found):
            self.console.print(
                f'expected a number from 1 to {len(found)}; "{number} types it', style="red", markup=False
            )
            return
        self.draft.take(found[number - 1].token)

    def _write(self, rest: str) -> None:
        self.draft.write(self._count(rest, 20))

    def _undo(self, rest: str) -> None:
        for _ in range(self._count(rest, 1)):
            if not self.draft.undo():
                self.console.print("nothing to undo", style="dim")
                return

    def _fork(self, rest: str) -> None:
        number = self.draft.fork() + 1
        self.console.print(f"text {number} begins here; :go N goes back to text N", style="dim")

    def _texts(self, rest: str) -> None:
        for number, text in enumerate(self.draft.texts, start=1):
            self.console.print(f"--- {number} ---\n{text}", markup=False)

    def _go(self, rest: str) -> None:
        self.draft.switch(self._count(rest, 1) - 1)

    def _count(self, rest: str, default: int) -> int:
        if not rest:
            return default
        if not rest.isdecimal():
            self.console.print(f"expected a number, got {rest!r}; taking {default}", style="red", markup=False)
            return default
        return int(rest)


def write_together(draft: Draft, num_choices: int) -> None:
    """Run a session on the terminal, or on commands from a pipe, and print the current text to standard output."""
    try:
        Session(draft, num_choices, _read_line).run()
    finally:
        # Ctrl-C loses nothing of what was written
        print(draft.text)


def _read_line() -> str:
    if sys.stdin.isatty():
        print("> ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
