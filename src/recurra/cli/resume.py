"""``recurra resume RUN``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from recurra.cli.parsing import parse


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run that was stopped or killed, exactly where its last checkpoint is.

    It ends bit for bit like a run that was never stopped. To start a new run from given weights, use
    `recurra train text --init-from RUN`.
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ResumeOptions, "resume", arguments)

    from recurra.cli.report import text_callbacks, text_report
    from recurra.tasks import task_package
    from recurra.training.loop import Trainer
    from recurra.training.records import record_keepers

    task, config, folder = task_package(options.run).resume_task(options.run)
    result = Trainer(task, config, folder, [*record_keepers(folder), *text_callbacks()]).fit(resume=True)
    text_report(options.run, result)
    print(options.run)
    return 0
