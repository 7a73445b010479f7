"""``recurra train TASK``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from recurra.cli.parsing import parse
from recurra.cli.task_classes import check_task, config_class, section_classes, task_class
from recurra.errors import ConfigError, RunError
from recurra.tasks import TASKS
from recurra.training.config import TrainingConfig

_LENGTHS = ("max_steps", "num_epochs", "time_budget_s")
ABOUT = {
    "text": "Train a language model on a text: characters, words or subwords, one stream or lines.",
    "classify": "Train a classifier of texts or numeric sequences: one class for each.",
    "tag": "Train a tagger of the words of sentences: parts of speech, names, or whatever the data tag.",
    "translate": "Train a translator of sentences: an encoder that reads one and a decoder that writes another.",
}
"""What training each task means, in one line."""
_ENDING = (
    "Ctrl-C saves, evaluates and ends; `recurra resume RUN` goes on. The run's folder is printed to standard output."
)


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """What training takes beside the options of the task.

    ``options_class`` adds these as ``options``.
    """

    run: Path | None = None
    """Folder of the run; unset means the next free one of runs/TASK-001, runs/TASK-002, ..."""
    config: Path | None = None
    """Configuration file to take options from; options given here win. `recurra config TASK` prints one."""
    overwrite: bool = False
    """Replace the run in the folder."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if not arguments or arguments[0] in ("--help", "-h"):
        print(usage())
        return 0 if arguments else 2
    check_task(arguments[0], "train")
    return train_task(arguments[0], parse_options(arguments[0], arguments[1:]))


def usage() -> str:
    """Return the help text of the command without a task."""
    width = max(map(len, TASKS))
    tasks = [f"  {task:<{width}}  {ABOUT[task].partition(':')[0].lower()}" for task in TASKS]
    ending = [
        "Without --data, each trains on data that is built in.",
        "`recurra train TASK --help` explains the options of a task.",
    ]
    return "\n".join(["usage: recurra train TASK [OPTIONS]", "", "tasks:", *tasks, "", *ending])


def options_class(task: str) -> Any:
    """Return the dataclass of what `recurra train TASK` takes."""
    config = config_class(task)
    # without a name of its own, the groups of the help text are called after the sections
    section: Any = Annotated[config, tyro.conf.arg(name="")]
    return dataclasses.make_dataclass(
        f"Train{task.capitalize()}Options",
        [("options", section, dataclasses.field(default_factory=config))],
        bases=(TrainOptions,),
        frozen=True,
        namespace={"__doc__": f"{ABOUT[task]}\n\n{_ENDING}"},
    )


def parse_options(task: str, arguments: Sequence[str]) -> Any:
    """Return options from a command line on top of the configuration file that it names, if any.

    Returns:
        A ``TrainOptions`` with the task's configuration as ``options``.
    """
    from recurra.training.config_file import read_config, read_task_name

    cls, command = options_class(task), f"train {task}"
    path = config_path(arguments)
    if path is None:
        return parse(cls, command, arguments)
    if read_task_name(path) != task:
        raise ConfigError(f"{path} is a configuration of the task {read_task_name(path)!r}, expected {task!r}")
    config = config_class(task)(**read_config(path, section_classes(task)))
    training = without_other_lengths(config.training, arguments)
    return parse(cls, command, arguments, cls(options=dataclasses.replace(config, training=training)))


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


def train_task(name: str, options: Any) -> int:
    """Train, and say how it went.

    Args:
        name: The task.
        options: What ``parse_options`` returned for it.
    """
    from recurra.cli.report import training_callbacks, training_report
    from recurra.training import train

    task = task_class(name).from_config(options.options)
    folder = options.run or next_run_folder(name)
    training = options.options.training
    result = train(task, training, run=folder, callbacks=training_callbacks(), overwrite=options.overwrite)
    training_report(folder, result, task)
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
