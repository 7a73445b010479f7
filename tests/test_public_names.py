"""The public face of every room: what ``__all__`` says, and how the parameters are called."""

from __future__ import annotations

import ast
import dataclasses
import fnmatch
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import recurra

GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"
ROOMS = [
    "recurra",
    *(f"recurra.{module.name}" for module in pkgutil.iter_modules(recurra.__path__) if module.name != "__main__"),
]
every_room = pytest.mark.parametrize("room", ROOMS)


def bound_names(source: str, room: str, *, type_checking: bool = False) -> set[str]:
    """The names that a module offers by its text: what it defines, and what it takes from its own room.

    What it takes from other rooms is for its own use. With ``type_checking``, imports that only type checkers see are
    counted as well.
    """
    names: set[str] = set()
    statements = list(ast.parse(source).body)
    for node in statements:
        if isinstance(node, ast.If) and type_checking:
            statements.extend(node.body)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom) and (node.level or f"{node.module}.".startswith(f"{room}.")):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def public_objects(room: str) -> dict[str, object]:
    module = importlib.import_module(room)
    return {name: getattr(module, name) for name in getattr(module, "__all__", ())}


def forbidden_words() -> tuple[set[str], set[str]]:
    """The words, and the beginnings of names, that the glossary's last columns forbid."""
    words: set[str] = set()
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            words.update(re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1]))
    patterns = {word for word in words if "*" in word}
    return words - patterns, patterns


def parameters(function: object) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # written in C
        return set()


def own_parameters(cls: type) -> Iterator[tuple[str, set[str]]]:
    """The parameters of a class's own public methods, without those that a foreign base gives the same method."""
    if dataclasses.is_dataclass(cls):
        yield "a field", {field.name for field in dataclasses.fields(cls)}
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            bases = [base for base in cls.__mro__ if base.__module__.split(".")[0] != "recurra"]
            foreign = set().union(*(parameters(vars(base)[name]) for base in bases if name in vars(base)))
            yield name, parameters(function) - foreign


def signatures(room: str) -> Iterator[tuple[str, set[str]]]:
    for name, value in public_objects(room).items():
        if inspect.isclass(value):
            yield from ((f"{room}.{name}.{method}", names) for method, names in own_parameters(value))
        elif inspect.isroutine(value):
            yield f"{room}.{name}", parameters(value)


@every_room
def test_every_name_in_all_can_be_imported(room):
    names = getattr(importlib.import_module(room), "__all__", [])

    for name in names:
        assert getattr(importlib.import_module(room), name) is not None, name
    assert len(set(names)) == len(names)


@every_room
def test_all_lists_what_the_module_offers_and_nothing_else(room):
    module = importlib.import_module(room)
    source = Path(module.__file__).read_text(encoding="utf-8")

    public = set(getattr(module, "__all__", ())) - {"__version__"}
    offered = bound_names(source, room)
    # a submodule may be public, but need not be
    submodules = {name for name in offered if isinstance(getattr(module, name), ModuleType)}
    assert offered - submodules - public == set(), "not listed"
    assert public - bound_names(source, room, type_checking=True) == set(), "listed, but not found"


def test_names_that_load_on_first_use_are_listed_by_dir():
    code = "import recurra; assert set(recurra.__all__) <= set(dir(recurra)), dir(recurra)"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'recurra' has no attribute 'LSTN'"):
        recurra.LSTN  # noqa: B018


def test_importing_recurra_alone_loads_no_heavy_package():
    code = "import sys, recurra; recurra.__version__; print(*sorted(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"torch", "numpy", "matplotlib", "tyro", "rich", "lightning_fabric", "tensorboard"}
    assert "recurra" in loaded
    assert heavy.isdisjoint(loaded)


@every_room
def test_public_signatures_use_the_words_of_the_glossary(room):
    words, _ = forbidden_words()

    misused = {where: sorted(names & words) for where, names in signatures(room) if names & words}

    assert misused == {}


@every_room
def test_public_functions_have_no_forbidden_verbs(room):
    _, patterns = forbidden_words()

    names = [where.rsplit(".", 1)[1] for where, _ in signatures(room)]

    assert [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []


def test_the_glossary_forbids_what_the_checks_above_look_for():
    words, patterns = forbidden_words()

    assert {"nhid", "n_layers", "learning_rate", "y_true", "hx", "seq_lengths"} <= words
    assert {"get_*", "do_*", "handle_*"} == patterns
    assert words.isdisjoint({"h", "hidden_size", "lr", "lengths"})


def test_no_word_of_the_glossary_is_both_used_and_forbidden():
    words, _ = forbidden_words()
    used: set[str] = set()
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            used.update(re.findall(r"`([^`]+)`", line.split("|")[1]))

    assert {"lr", "bptt", "num_layers"} <= used
    assert used.isdisjoint(words)


def test_the_checks_see_methods_fields_and_foreign_bases():
    import torch

    class Layer(torch.nn.GRU):
        def __init__(self, nhid):
            super().__init__(1, nhid)

        def forward(self, input, hx=None, *, y_true=None):
            return super().forward(input, hx)

    @dataclasses.dataclass
    class Config:
        learning_rate: float

    Layer.__module__ = "recurra.layers"

    assert dict(own_parameters(Layer)) == {"__init__": {"nhid"}, "forward": {"y_true"}}
    assert ("a field", {"learning_rate"}) in list(own_parameters(Config))


def test_the_check_of_all_reads_definitions_imports_and_type_checking_blocks():
    source = """
from __future__ import annotations
import torch
from typing import Any
from recurra.cells.cell import Cell as Base
from recurra.cellsize import Other
from recurra.errors import ShapeError
if TYPE_CHECKING:
    from .loop import unroll
LIMIT = 3
_HIDDEN = 4
count: int = 0
def build(): ...
class Layer: ...
"""

    offered = {"Base", "LIMIT", "count", "build", "Layer"}
    assert bound_names(source, "recurra.cells") == offered
    assert bound_names(source, "recurra.cells", type_checking=True) == offered | {"unroll"}
    assert bound_names(source, "recurra") == offered | {"Other", "ShapeError"}
