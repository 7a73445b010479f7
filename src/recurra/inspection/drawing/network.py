"""What a drawing shows: a recurrent network and what it reads and writes at which step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recurra.cells.checks import check_flag, check_size
from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection.terminal_columns import columns

Form = Literal["one-to-one", "one-to-many", "many-to-one", "many-to-many", "encoder-decoder"]
FORMS: tuple[str, ...] = get_args(Form)

Part = Literal["", "encoder", "decoder"]
"""The half of an encoder-decoder that a step belongs to; empty in other forms."""

FORWARD, BACKWARD = 0, 1
"""The directions in which a layer reads."""

MOST_LAYERS = 8
"""More do not fit a page."""


@dataclass(frozen=True)
class Column:
    """One step as it stands in a drawing.

    Attributes:
        time: Its number within its part, from 1.
        reads: What enters from below: an input, the output of the step before, or nothing.
        writes: Whether there is an output.
        part: The part it belongs to.
    """

    time: int
    reads: Literal["input", "output", "nothing"]
    writes: bool
    part: Part = ""


@dataclass(frozen=True)
class Network:
    """A recurrent network to draw.

    In ``encoder-decoder``, which is many to many out of step, ``num_steps`` inputs are read first and as many outputs
    written then, by a cell with weights of its own.

    Attributes:
        cell: What stands in every step's box: the name of the cell.
        states: Names of what a step hands to the next, as ``forward`` has them.
        input: Name of what a step is given.
        output: Name of what is made of a step's state; ``None`` is y, or o, q or u where y is taken.
        form: At which steps it reads and writes, one of ``FORMS``.
        num_layers: Layers above each other, 1 to 8.
        bidirectional: Whether a second copy runs from the last step to the first.
        num_steps: Steps that are unfolded; ``None`` is 3, and 1 in ``one-to-one``, which has no other.
        recurrent: The states that a step multiplies by a weight; ``None`` is the first one only.
        feedback: Whether each output is the next step's input, in ``one-to-many`` and ``encoder-decoder``.
        loss: Whether each output has a loss.

    Raises:
        ChoiceError: When the form is unknown.
        ArgumentError: When a name cannot be written or is given twice, a number is out of range, an option is of
            another type, or the form does not go together with the rest.

    Example:
        >>> [column.writes for column in Network("GRU", form="many-to-one").columns()]
        [False, False, True]
    """

    cell: str
    states: tuple[str, ...] = ("h",)
    input: str = "x"
    output: str | None = None
    form: str = "many-to-many"
    num_layers: int = 1
    bidirectional: bool = False
    num_steps: int | None = None
    recurrent: tuple[str, ...] | None = None
    feedback: bool = False
    loss: bool = False

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ChoiceError("form", self.form, FORMS)
        self._check_types()
        self._check_names()
        self._check_numbers()
        if self.bidirectional and self.form in ("one-to-many", "encoder-decoder"):
            raise ArgumentError(
                f"Network expected bidirectional=False for the form {self.form}, got True",
                hint="outputs that are written one after the other leave nothing to read backwards",
            )
        if self.feedback and self.form not in ("one-to-many", "encoder-decoder"):
            raise ArgumentError(
                f"Network expected feedback=False for the form {self.form}, got True",
                hint="outputs are fed back in one-to-many and encoder-decoder",
            )

    def _check_types(self) -> None:
        for option in ("bidirectional", "feedback", "loss"):
            check_flag("Network", option, getattr(self, option))
        for option in ("states", "recurrent"):
            value = getattr(self, option)
            is_names = isinstance(value, tuple) and all(isinstance(name, str) for name in value)
            if not is_names and (option, value) != ("recurrent", None):
                raise ArgumentError(f"Network expected {option} to be a tuple of names, got {value!r}")
        for option in ("cell", "input", "output"):
            value = getattr(self, option)
            if not isinstance(value, str) and (option, value) != ("output", None):
                raise ArgumentError(f"Network expected {option} to be a name, got {value!r}")

    def _check_names(self) -> None:
        if not self.states:
            raise ArgumentError("Network expected at least one name in states, got none")
        names = (*self.states, self.input, self.output_name)
        for name in (self.cell, *names):
            if not name.strip() or not name.isprintable():
                raise ArgumentError(
                    f"Network expected printable names for cell, states, input and output, got {name!r}"
                )
            if not columns(name[0]):
                raise ArgumentError(
                    f"Network expected names that begin with a character of their own, got {name!r}",
                    hint="a mark is drawn on the character before it",
                )
        for name in names:
            if names.count(name) > 1:
                raise ArgumentError(
                    f"Network expected different names for states, input and output, got {name!r} twice"
                )
        for name in self.recurrent or ():
            if name not in self.states:
                raise ArgumentError(f"Network expected names of states for recurrent, got {name!r}")

    def _check_numbers(self) -> None:
        if check_size("Network", "num_layers", self.num_layers) > MOST_LAYERS:
            raise ArgumentError(f"Network expected num_layers to be at most {MOST_LAYERS}, got {self.num_layers}")
        if self.num_steps is not None:
            check_size("Network", "num_steps", self.num_steps)
        if self.form == "one-to-one" and self.steps != 1:
            raise ArgumentError(
                f"Network expected num_steps=1 for the form one-to-one, got {self.num_steps}",
                hint="many-to-many has one output for one input at every step",
            )

    @property
    def output_name(self) -> str:
        """What the output is called."""
        if self.output is not None:
            return self.output
        return next(name for name in ("y", "o", "q", "u", "output") if name not in (*self.states, self.input))

    @property
    def steps(self) -> int:
        """How many steps are unfolded; in an encoder-decoder, of each part."""
        if self.num_steps is not None:
            return self.num_steps
        return 1 if self.form == "one-to-one" else 3

    @property
    def weighted(self) -> tuple[str, ...]:
        """The states that a step multiplies by a weight."""
        return self.states[:1] if self.recurrent is None else self.recurrent

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that follow each other in time."""
        return ("encoder", "decoder") if self.form == "encoder-decoder" else ("",)

    @property
    def directions(self) -> tuple[int, ...]:
        """The directions in which each layer reads."""
        return (FORWARD, BACKWARD) if self.bidirectional else (FORWARD,)

    def columns(self, most: int = 8) -> tuple[Column | None, ...]:
        """Return the steps to draw from left to right; ``None`` stands for those left out in the middle.

        Args:
            most: How many places there are; with fewer steps than that, none is left out. At least 3 for each part.
        """
        found: list[Column | None] = []
        places = most if self.steps * len(self.parts) <= most else most // len(self.parts)
        for part in self.parts:
            left_out = self.steps > places
            tail = (places - 1) // 2
            head = places - 1 - tail if left_out else self.steps
            found.extend(self._column(time, part) for time in range(1, head + 1))
            if left_out:
                found.append(None)
                found.extend(self._column(time, part) for time in range(self.steps - tail + 1, self.steps + 1))
        return tuple(found)

    def _column(self, time: int, part: Part) -> Column:
        after: Literal["output", "nothing"] = "output" if self.feedback else "nothing"
        if part:
            return Column(time, "input" if part == "encoder" else after, part == "decoder", part)
        reads = after if self.form == "one-to-many" and time > 1 else "input"
        return Column(time, reads, self.form != "many-to-one" or time == self.steps)

    def describe(self) -> str:
        """Say in words what it is: form, layers, directions."""
        words = [self.form.replace("-to-", " to ").replace("-", "–")]
        if self.num_layers > 1:
            words.append(f"{self.num_layers} layers")
        if self.bidirectional:
            words.append("both directions")
        return " · ".join(words)
