"""``recurra train TASK``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from recurra.cli.parsing import parse
from recurra.errors import ChoiceError, ConfigError, RunError
from recurra.tasks import TASKS
from recurra.tasks.text.config import SECTIONS, TextConfig
from recurra.training.config import TrainingConfig

_LENGTHS = ("max_steps", "num_epochs", "time_budget_s")


@dataclasses.dataclass(frozen=True)
class TrainTextOptions:
    """Train a language model on a text: characters, words or subwords, one stream or lines.

    Ctrl-C saves, evaluates and ends; `recurra resume RUN` goes on. The run's folder is printed to standard output.
    """

    run: Path | None = None
    """Folder of the run; unset means the next free one of runs/text-001, runs/text-002, ..."""
    config: Path | None = None
    """Configuration file to take options from; options given here win. `recurra config text` prints one."""
    overwrite: bool = False
    """Replace the run in the folder."""
    # without a name of its own, the groups of the help text are called after the sections
    options: Annotated[TextConfig, tyro.conf.arg(name="")] = dataclasses.field(default_factory=TextConfig)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if not arguments or arguments[0] in ("--help", "-h"):
        print(
            f"usage: recurra train TASK [OPTIONS]\n\ntasks: {', '.join(TASKS)}; recurra train TASK --help explains each"
        )
        return 0 if arguments else 2
    if arguments[0] not in TASKS:
        raise ChoiceError("TASK of `recurra train`", arguments[0], TASKS)
    return train_text(parse_text(arguments[1:]))


def parse_text(arguments: Sequence[str]) -> TrainTextOptions:
    """Return options from a command line on top of the configuration file that it names, if any."""
    from recurra.training.config_file import read_config, read_task_name

    path = config_path(arguments)
    if path is None:
        return parse(TrainTextOptions, "train text", arguments)
    if read_task_name(path) != "text":
        raise ConfigError(f"{path} is a configuration of the task {read_task_name(path)!r}, expected 'text'")
    config = TextConfig(**read_config(path, SECTIONS))
    training = without_other_lengths(config.training, arguments)
    default = TrainTextOptions(options=dataclasses.replace(config, training=training))
    return parse(TrainTextOptions, "train text", arguments, default)


def without_other_lengths(training: TrainingConfig, arguments: Sequence[str]) -> TrainingConfig:
    """Return a configuration without the length of training, where the command line gives it in another way."""
    given = {argument.partition("=")[0].removeprefix("--").replace("-", "_") for argument in arguments}
    if not given & set(_LENGTHS):
        return training
    others: dict[str, Any] = {name: None for name in _LENGTHS if name not in given}
    return dataclasses.replace(training, **others)


def config_path(arguments: Sequence[str]) -> Path | None:
    """Return the value of ``--config``, which must be known before the other options have their defaults."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--config="):
            return Path(argument.removeprefix("--config="))
        if argument == "--config" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
    return None


def train_text(options: TrainTextOptions) -> int:
    """Train, and say how it went."""
    from recurra.cli.report import text_callbacks, text_report
    from recurra.tasks.text import TextTask
    from recurra.training import train

    task = TextTask.from_config(options.options)
    folder = options.run or next_run_folder("text")
    training = options.options.training
    result = train(task, training, run=folder, callbacks=text_callbacks(), overwrite=options.overwrite)
    text_report(folder, result, task)
    print(folder)
    return 0


def next_run_folder(task: str, parent: Path = Path("runs")) -> Path:
    """Make and return the first of runs/TASK-001, runs/TASK-002, ... that does not exist.

    Making it claims it: another command started at the same moment takes the next one.
    """
    number = 1
    while True:
        folder = parent / f"{task}-{number:03d}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            raise RunError(f"the run folder {folder} cannot be made: {error.strerror}") from error
