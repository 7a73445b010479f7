"""``recurra explain CELL`` and ``recurra explain RUN --input TEXT``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from recurra.cli.parsing import parse
from recurra.cli.runs import load_text_run

if TYPE_CHECKING:
    from recurra.inspection.pages import Wishes

_SUFFIXES = {".txt": "text", ".tex": "latex", ".html": "html", ".htm": "html", ".svg": "svg"}


@dataclass(frozen=True)
class ExplainOptions:
    """Explain a cell from its own code: equations forward and backward, sizes, drawings, a worked example.

    CELL is a registered name (`recurra cells` lists them) or module:Class of your own. Every equation is parsed as
    printed, evaluated, and compared with the cell and its autograd before it is shown. With RUN, the folder of a
    trained run, and --input, it shows how the model reads a text: tokens, states, the likeliest next tokens.
    """

    target: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CELL|RUN")]
    """A cell by name or as module:Class, or the folder of a run."""
    format: Literal["text", "latex", "html", "svg"] | None = None
    """How to write it; unset, by the ending of --output, else text. An HTML page stands alone and needs no network."""
    output: Path | None = None
    """File to write; unset, standard output. A file that is there is replaced."""
    input_size: int | None = None
    """Width d of the input. Unset: that of --inputs, or 3."""
    hidden_size: int | None = None
    """Width n of the state. Unset: 4, and 2 in the worked example of a page where the cell can be so small."""
    cell_options: tuple[str, ...] = ()
    """What else the cell's class takes, each as name=value."""
    every_assignment: bool = False
    """Give each assignment of forward a line; without it, products with weights stand inside the activations."""
    evaluation: bool = False
    """Explain the cell in evaluation mode; without it, in training mode."""
    unfold: int | None = None
    """Draw the network unfolded over so many steps. At least 1."""
    fold: bool = False
    """Draw the network folded."""
    form: Literal["one-to-one", "one-to-many", "many-to-one", "many-to-many", "encoder-decoder"] = "many-to-many"
    """At which steps the network reads and writes; encoder-decoder is many to many out of step."""
    num_layers: int = 1
    """Layers of the drawn network, 1 to 8."""
    bidirectional: bool = False
    """Whether the drawn network reads in both directions."""
    inputs: str | None = None
    """Work this sequence through by hand: a list of steps as JSON, each a list of numbers, '[[4,0],[0,8]]'."""
    targets: str | None = None
    """What each step should give: classes counted from 0, '0,1', or lists of numbers as JSON, '[[0.5],[1]]'."""
    output_size: int | None = None
    """Width of the worked example's output layer. Unset: what the targets need."""
    init: float | None = None
    """Set every parameter of the worked example to this number; unset, they are drawn."""
    loss: Literal["auto", "cross-entropy", "squared-error"] = "auto"
    """Loss of the worked example; auto: cross-entropy for classes, half the squared error for numbers."""
    max_steps: int = 12
    """Longest sequence that is worked through, as every step is printed. At least 1."""
    digits: int = 4
    """Significant digits of the worked example's numbers, 1 to 17."""
    gate: bool = False
    """Show the gates: how each responds, and over time where a gate has a rhythm."""
    seed: int = 0
    """Of the weights that are drawn. At least 0."""
    input: str | None = None
    """Text to read with the model of RUN."""
    condition: str | None = None
    """Label to read it for, where the model of RUN was trained with labels."""
    top: int = 5
    """Likeliest next tokens to show after each token of --input. At least 1."""
    max_tokens: int = 500
    """Longest text to read, in tokens. At least 1."""
    checkpoint: str = "best"
    """Which weights of RUN: best, last, or the step of a checkpoint that is still there."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ExplainOptions, "explain", arguments)
    check_output(options.output)
    text = read_run(options) if is_run(options) else explain(options)
    write(options.output, text)
    return 0


def check_output(path: Path | None) -> None:
    """Check, before anything takes time, that a file can stand where it is to be written."""
    from recurra.errors import ArgumentError

    if path is not None and path.is_dir():
        raise ArgumentError(f"explain expected --output to be a file, got the folder {path}")
    if path is not None and not path.absolute().parent.is_dir():
        raise ArgumentError(f"explain expected --output in a folder that exists, got {path}")


def is_run(options: ExplainOptions) -> bool:
    """Say whether the folder of a run is meant, and not a cell."""
    from recurra.errors import ArgumentError

    is_folder = Path(options.target).is_dir()
    is_run = options.input is not None or (is_folder and (Path(options.target) / "config.toml").exists())
    if is_run and options.input is None:
        raise ArgumentError(
            f"explain expected --input with the run {options.target}, got none",
            hint='give the text to read: --input "Once upon a time"',
        )
    return is_run


def format_of(options: ExplainOptions) -> str:
    """Return the format asked for, by name or by the ending of the file."""
    from recurra.errors import ArgumentError, ChoiceError

    if options.format is not None:
        return options.format
    if options.output is None:
        return "text"
    suffix = options.output.suffix.lower()
    if suffix not in _SUFFIXES:
        raise (
            ChoiceError("ending of --output", suffix, _SUFFIXES)
            if suffix
            else ArgumentError(f"explain expected --format with the file {options.output}, got none")
        )
    return _SUFFIXES[suffix]


def explain(options: ExplainOptions) -> str:
    """Return the explanation of a cell."""
    from recurra.inspection.pages import explain_page

    return explain_page(options.target, format_of(options), wishes_of(options))


def wishes_of(options: ExplainOptions) -> Wishes:
    """Return what is to be explained, and at which sizes."""
    from recurra.inspection.pages import Wishes
    from recurra.tasks.shared.cell_options import read_options

    given: dict[str, Any] = {
        name: getattr(options, name)
        for name in Wishes.__dataclass_fields__
        if name not in ("cell_options", "inputs", "targets", "width")
    }
    return Wishes(
        **given,
        cell_options=read_options(check_pairs(options.cell_options)),
        inputs=None if options.inputs is None else from_json("--inputs", options.inputs),
        targets=None if options.targets is None else targets_of(options.targets),
        width=terminal_width(),
    )


def check_pairs(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the options of a cell if each is name=value."""
    from recurra.errors import ArgumentError

    for option in given:
        if "=" not in option[1:]:
            raise ArgumentError(f"explain expected --cell-options as name=value, got {option!r}")
    return given


def targets_of(text: str) -> Any:
    """Return targets: numbers between commas, or JSON."""
    stripped = text.strip()
    return from_json("--targets", stripped if stripped.startswith("[") else f"[{stripped}]")


def from_json(option: str, text: str) -> Any:
    """Return what an option holds as JSON."""
    from recurra.errors import ArgumentError

    try:
        return json.loads(text)
    except ValueError as error:
        raise ArgumentError(
            f"explain expected {option} as JSON, got {text!r}: {error}", hint="a list of steps: '[[4, 0], [0, 8]]'"
        ) from error


def read_run(options: ExplainOptions) -> str:
    """Return how the model of a run reads a text."""
    from recurra.errors import ChoiceError
    from recurra.inspection.pages.reading_page import reading_page
    from recurra.inspection.reading.reader import read_text

    form = format_of(options)
    if form == "latex":
        raise ChoiceError("format of a run", form, ("text", "html", "svg"))
    run = load_text_run(Path(options.target), "explain", checkpoint=options.checkpoint)
    assert options.input is not None, "is_run says so"
    reading = read_text(
        run, options.input, num_choices=options.top, condition=options.condition, max_tokens=options.max_tokens
    )
    return reading_page(reading, form, width=terminal_width())


def terminal_width() -> int:
    """Return the width to write text in: the terminal's, or 100 where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def write(path: Path | None, text: str) -> None:
    """Write the text: to standard output, or to a file that is there in full or not at all."""
    if not text.endswith("\n"):
        text += "\n"
    if path is None:
        sys.stdout.write(text)
        return
    from recurra.cli.report import console
    from recurra.training.files import replace_file

    replace_file(path, text)
    console().print(f"wrote {path}", markup=False, soft_wrap=True)
