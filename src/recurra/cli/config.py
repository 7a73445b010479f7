"""``recurra config TASK``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import tyro

from recurra.cli.parsing import parse


@dataclass(frozen=True)
class ConfigOptions:
    """Print a configuration file with every key explained: `recurra config text > my.toml`.

    `recurra train TASK --config my.toml` uses it.
    """

    task: tyro.conf.Positional[Literal["text"]]
    """Task."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ConfigOptions, "config", arguments)

    from recurra.tasks.text.config import SECTIONS
    from recurra.training.config_file import write_config

    print(write_config(options.task, {name: cls() for name, cls in SECTIONS.items()}), end="")
    return 0
