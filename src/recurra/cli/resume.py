"""``recurra resume RUN``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recurra.cli.parsing import RunArgument, parse


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run that was stopped or killed, exactly where its last checkpoint is.

    It ends bit for bit like a run that was never stopped. To start a new run from given weights, use
    `recurra train text --init-from RUN`.
    """

    run: RunArgument
    """Folder of the run."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ResumeOptions, "resume", arguments)

    from recurra.cli.report import training_callbacks, training_report
    from recurra.tasks import task_package
    from recurra.training import train

    task = task_package(options.run).resume_task(options.run)
    result = train(task, run=options.run, resume=True, callbacks=training_callbacks())
    training_report(options.run, result, task)
    print(options.run)
    return 0
