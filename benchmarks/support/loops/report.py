"""What is measured, what was found, and how it stands to what the project wants to reach."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.limits import verdict
from support.quiet import Quietness


@dataclass(frozen=True)
class Options:
    """What to measure."""

    engine: str = "auto"
    """Engine of our side."""
    rounds: int = 15
    """Rounds of every comparison; slow ones get fewer."""
    quick: bool = False
    """Fewer sizes and cells."""
    threads: int = 2
    """Threads of torch, and of our side."""

    @property
    def compiling_engine(self) -> str:
        """The engine where the question is one about compiled code, also at sizes where "auto" would not take it."""
        return "native" if self.engine == "auto" else self.engine


@dataclass
class Report:
    """Prints lines as they come, and keeps what is in them."""

    records: list[dict[str, Any]] = field(default_factory=list)
    limits: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    quietness: dict[str, float | None] = field(default_factory=dict)
    section: str = ""

    @contextmanager
    def part(self, name: str, title: str) -> Iterator[None]:
        """Print a heading, and at the end whether the machine was quiet."""
        self.section = name
        print(f"\n## {name}: {title}", flush=True)
        quiet = Quietness()
        yield
        self.quietness[name] = quiet.share()
        print(f"({quiet.line()})", flush=True)

    def row(self, line: str, **values: Any) -> None:
        """Print a line, and keep its figures."""
        print(line, flush=True)
        self.records.append({"section": self.section, **values})

    def judge(
        self, what: str, figure: float, *, at_least: float | None = None, at_most: float | None = None, unit: str = ""
    ) -> None:
        """Print a figure beside what is to be reached."""
        words = verdict(figure, at_least=at_least, at_most=at_most, unit=unit)
        print(f"  -> {what}: {figure:.3f}   {words}", flush=True)
        self.limits.append(
            {"section": self.section, "what": what, "figure": figure, "at_least": at_least, "at_most": at_most}
            | {"verdict": words}
        )

    def problem(self, what: str) -> None:
        """Print what makes a figure worthless; the script then fails."""
        print(f"  PROBLEM: {what}", flush=True)
        self.problems.append(f"{self.section}: {what}")

    def summary(self) -> None:
        """Print all that was judged, one line each."""
        if self.limits or self.problems:
            print("\n## summary")
        for limit in self.limits:
            what = f"{limit['section']}: {limit['what']}"
            print(f"{what:<76} {limit['figure']:7.3f}   {limit['verdict']}")
        for problem in self.problems:
            print(f"PROBLEM: {problem}")

    def as_json(self) -> dict[str, Any]:
        """Return all that was found."""
        return {
            "records": self.records,
            "limits": self.limits,
            "problems": self.problems,
            "share_of_others": self.quietness,
        }
