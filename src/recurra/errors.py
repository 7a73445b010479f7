"""The exception tree.

    RecurraError
    ├── ConfigError              an option or a configuration file holds values that cannot be used
    ├── ShapeError               a tensor has another shape, type or device than the callee needs
    ├── ChoiceError              a name is not among the known ones
    ├── ArgumentError            an argument of a function lies outside its range
    ├── DataError                a data set cannot be used
    │   ├── DataNotFoundError    a file or a named data set is not there
    │   ├── EncodingError        a file is not UTF-8 text
    │   ├── DataTooShortError    a data set is too short for the settings
    │   └── DownloadError        a data set cannot be fetched
    ├── VocabularyError          symbols and weights do not fit together
    ├── RunError                 a folder is not a usable run
    │   ├── RunExistsError       a run would overwrite what is there
    │   ├── RunLockedError       another process trains in this folder
    │   └── RunWriteError        a file of a run cannot be written
    ├── CheckpointError          a checkpoint cannot be read
    │   ├── CheckpointFormatError  a checkpoint comes from a newer version
    │   └── CheckpointWriteError   a checkpoint cannot be written
    ├── TrainingDivergedError    the loss is not finite or exploded
    └── UnsupportedCellError     an engine cannot run this cell

Every class has a stable ``code``, and its docstring is its section of ``docs/errors.md``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RecurraError(Exception):
    """Base of every error that Recurra raises on purpose.

    Attributes:
        code: Stable identifier, for searching and for programs.
        hint: What the reader can do about it; may be empty.
        exit_code: What the command line exits with: 2 for wrong use, 1 for failure.
    """

    code = "RECURRA-100"
    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments are lost by the default, and errors cross process borders
        return _rebuild, (type(self), self.message, self.hint, dict(self.__dict__))


def _rebuild(cls: type[RecurraError], message: str, hint: str, values: dict[str, object]) -> RecurraError:
    # a class with two built-in bases inherits the __new__ of the wrong one, which refuses to work
    error = OSError.__new__(cls) if issubclass(cls, OSError) else Exception.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(values, message=message, hint=hint)
    return error


class ConfigError(RecurraError, ValueError):
    """An option or a configuration file holds values that cannot be used.

    All faults are reported at once, in ``faults``.
    Correct the values named; ``recurra config TASK`` prints every key with its meaning and range.
    """

    code = "RECURRA-101"

    def __init__(self, faults: Iterable[str] | str, *, hint: str = "") -> None:
        self.faults = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("; ".join(self.faults), hint=hint)


class ShapeError(RecurraError, ValueError):
    """A tensor has another shape, type or device than the callee needs.

    The message says who expected what for which argument, and what came.
    """

    code = "RECURRA-102"


class ChoiceError(RecurraError, ValueError):
    """A name is not among the known ones.

    The message lists the known names, and the nearest one where there is one.
    """

    code = "RECURRA-103"

    def __init__(self, what: str, got: object, choices: Iterable[str]) -> None:
        self.what, self.got, self.choices = what, got, tuple(choices)
        near = difflib.get_close_matches(str(got), self.choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        super().__init__(f"expected {what} to be one of {', '.join(self.choices)}; got {got!r}", hint=hint)


class ArgumentError(RecurraError, ValueError):
    """An argument of a function lies outside its range."""

    code = "RECURRA-104"


class DataError(RecurraError, ValueError):
    """A data set cannot be used: it is empty, has one symbol only, or changed since the run began."""

    code = "RECURRA-201"


class DataNotFoundError(DataError, FileNotFoundError):
    """A file or a named data set is not there.

    Named data sets other than the built-in ones are looked up in the folder that ``RECURRA_DATA`` names, then among
    those that ``recurra data get`` has fetched.
    """

    code = "RECURRA-202"
    # FileNotFoundError's own __str__ would print errno fields
    __str__ = RecurraError.__str__


class EncodingError(DataError):
    """A file is not UTF-8 text; the message gives the line and the byte.

    Convert the file first, for example ``iconv -f latin1 -t utf-8 old.txt > new.txt``.
    """

    code = "RECURRA-203"


class DataTooShortError(DataError):
    """A data set is too short for the settings; the message says how long it must be.

    Use more text, or a smaller ``batch_size`` or ``bptt``.
    """

    code = "RECURRA-204"


class VocabularyError(RecurraError, ValueError):
    """Symbols and weights do not fit together."""

    code = "RECURRA-205"


class DownloadError(DataError):
    """A data set cannot be fetched: no connection, a file with another checksum, or a damaged archive.

    Try again later: what came stays, and the transfer goes on where it ended.
    """

    code = "RECURRA-206"
    exit_code = 1


class RunError(RecurraError, ValueError):
    """A folder is not a run, or a run lacks something that the command needs."""

    code = "RECURRA-301"


class RunExistsError(RunError):
    """A run would be written into a folder that is not empty.

    Choose another folder, go on with ``recurra resume``, or replace the run there with ``--overwrite``.
    """

    code = "RECURRA-302"


class RunLockedError(RunError):
    """Another process trains in this folder."""

    code = "RECURRA-303"
    exit_code = 1


class RunWriteError(RunError):
    """A file of a run cannot be written, for example because the disk is full.

    The checkpoints written before stay valid: make room, then ``recurra resume`` goes on from the last one.
    """

    code = "RECURRA-304"
    exit_code = 1


class CheckpointError(RecurraError, ValueError):
    """No valid checkpoint can be read: files are missing, torn or altered (their checksums do not match)."""

    code = "RECURRA-311"
    exit_code = 1


class CheckpointFormatError(CheckpointError):
    """A checkpoint was written by a newer version of Recurra.

    Install that version or a later one.
    """

    code = "RECURRA-312"
    exit_code = 2


class CheckpointWriteError(CheckpointError):
    """A checkpoint cannot be written, for example because the disk is full.

    The checkpoints written before stay valid: make room, then ``recurra resume`` goes on from the last one.
    """

    code = "RECURRA-313"
    exit_code = 1


class TrainingDivergedError(RecurraError, ArithmeticError):
    """The loss is not finite, or rose far above its first value.

    The last good checkpoint is kept.
    Lower ``lr``, clip gradients harder (``max_grad_norm``), add warm-up steps, or use ``init = "orthogonal"``.
    """

    code = "RECURRA-401"
    exit_code = 1


class UnsupportedCellError(RecurraError, TypeError):
    """An engine cannot run this cell; the message says why.

    Of compiled code it names the operation and the line of the cell.
    ``engine="auto"`` gives the same words once as an ``EngineFallbackWarning``, and runs the plain loop.
    """

    code = "RECURRA-501"


class EngineFallbackWarning(UserWarning):
    """A cell cannot be compiled and runs in the plain loop, which is slower; the message says why.

    It is given once for each cause. ``engine="eager"`` says that the plain loop is wanted, and gives none;
    ``engine="native"`` makes an error of it.
    """


__all__ = [
    "ArgumentError",
    "CheckpointError",
    "CheckpointFormatError",
    "CheckpointWriteError",
    "ChoiceError",
    "ConfigError",
    "DataError",
    "DataNotFoundError",
    "DataTooShortError",
    "DownloadError",
    "EncodingError",
    "EngineFallbackWarning",
    "RecurraError",
    "RunError",
    "RunExistsError",
    "RunLockedError",
    "RunWriteError",
    "ShapeError",
    "TrainingDivergedError",
    "UnsupportedCellError",
    "VocabularyError",
]
