"""``recurra config TASK``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from recurra.cli.parsing import parse
from recurra.cli.task_classes import check_task, section_classes
from recurra.tasks import TASKS


@dataclass(frozen=True)
class ConfigOptions:
    """Print a configuration file with every key explained: `recurra config text > my.toml`.

    `recurra train TASK --config my.toml` uses it.
    """

    task: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar=f"{{{','.join(TASKS)}}}")]
    """Task."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ConfigOptions, "config", arguments)

    from recurra.training.config_file import write_config

    check_task(options.task, "config")
    sections = {name: cls() for name, cls in section_classes(options.task).items()}
    print(write_config(options.task, sections), end="")
    return 0
