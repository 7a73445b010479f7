"""A cell's ``forward`` with a hand on some values in its middle, made from its source; the cell itself stays as it is.

Two kinds of places are known: the variable ``name``, of which each ``name = expression`` becomes
``name = change("name", expression)``; and ``"from_state"``, of which each ``self.from_state(expression, ...)`` becomes
``self.from_state(change("from_state", expression), ...)``.
"""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils import parametrize

from recurra.errors import ArgumentError

FROM_STATE = "from_state"
"""The place of what enters the recurrent product."""
_CHANGE = "__recurra_change__"


def rewritten_forward(who: str, cell: torch.nn.Module, places: frozenset[str]) -> Callable[..., Any]:
    """Return the function ``(cell, x, state, change)`` that a cell's ``forward`` becomes.

    It is compiled once for each class and set of places, under the file and the lines of the original.

    Args:
        who: Who asks, for messages.
        cell: The cell.
        places: Names of variables, and "from_state".

    Raises:
        ArgumentError: When the source of ``forward`` cannot be had, or a place is not in it.
    """
    cls: Any = parametrize.type_before_parametrizations(cell)
    forward = vars(cell).get("forward", cls.forward)
    is_plain = isinstance(forward, types.FunctionType) and "forward" not in vars(cell)
    made = _rewrite(forward, places) if is_plain else f"a method of its class, got {type(forward).__name__}"
    if isinstance(made, str):
        raise ArgumentError(f"{who} expected forward of {cls.__name__} to be {made}")
    return made


@functools.lru_cache(maxsize=256)
def _rewrite(forward: types.FunctionType, places: frozenset[str]) -> Callable[..., Any] | str:
    """Return the changed function, or what was expected of ``forward`` and what it is."""
    try:
        definition = _definition(forward)
    except (OSError, SyntaxError) as error:
        return f"a method whose source is at hand, got {type(error).__name__}: {error}"
    if not isinstance(definition, ast.FunctionDef) or definition.decorator_list:
        return f"a plain method without decorators, got {ast.unparse(definition).splitlines()[0]!r}"
    changer = _Changer(places, next((a.arg for a in (*definition.args.posonlyargs, *definition.args.args)), ""))
    definition.body = [changer.visit(statement) for statement in definition.body]
    missing = sorted(places - changer.found)
    if FROM_STATE in missing:
        return "a method that calls self.from_state(h, ...), through which the recurrent product goes, got no such call"
    if missing:
        return f"a method that assigns {', '.join(missing)} as in '{missing[0]} = ...', got no such line"
    definition.args.kwonlyargs.append(ast.arg(_CHANGE))
    definition.args.kw_defaults.append(None)
    function = _compile(definition, forward)

    def run(cell: torch.nn.Module, x: Any, state: Any, change: Callable[[str, Any], Any]) -> Any:
        return function(cell, x, state, **{_CHANGE: change})

    return run


def _definition(forward: types.FunctionType) -> ast.stmt:
    """Return a function's source with its lines numbered as in its file."""
    lines, first = inspect.getsourcelines(forward.__code__)
    if not lines[0][0].isspace():
        tree = ast.parse("".join(lines))
        return ast.increment_lineno(tree, first - 1).body[0]
    # in a block, so that a method may stay indented
    tree = ast.parse("if True:\n" + "".join(lines))
    block = ast.increment_lineno(tree, first - 2).body[0]
    assert isinstance(block, ast.If)
    return block.body[0]


def _compile(definition: ast.FunctionDef, forward: types.FunctionType) -> types.FunctionType:
    """Compile a changed definition as it stood: in its class, whose name private names have, and in a function."""
    code = forward.__code__
    path = code.co_qualname.split(".")
    owner = path[-2] if len(path) > 1 and path[-2].isidentifier() else "Cell"
    enclosed = ", ".join(name for name in code.co_freevars if name != "__class__")
    module = ast.parse(f"def around({enclosed}):\n class {owner}:\n  pass")
    around = module.body[0]
    assert isinstance(around, ast.FunctionDef)
    assert isinstance(around.body[0], ast.ClassDef)
    around.body[0].body = [definition]
    made = compile(ast.fix_missing_locations(module), code.co_filename, "exec", dont_inherit=True)
    for name in ("around", owner, definition.name):
        made = next(item for item in made.co_consts if isinstance(item, types.CodeType) and item.co_name == name)
    variables = dict(zip(code.co_freevars, forward.__closure__ or (), strict=True))
    closure = tuple(variables[name] for name in made.co_freevars)
    function = types.FunctionType(made, forward.__globals__, forward.__name__, forward.__defaults__, closure)
    function.__kwdefaults__ = forward.__kwdefaults__
    return function


class _Changer(ast.NodeTransformer):
    def __init__(self, places: frozenset[str], self_name: str) -> None:
        self.places = places
        self.self_name = self_name
        self.found: set[str] = set()

    def visit_Assign(self, node: ast.Assign) -> ast.AST:  # the name is ast's
        self.generic_visit(node)
        target = node.targets[0]
        if len(node.targets) == 1 and isinstance(target, ast.Name):
            node.value = self._changed(target.id, node.value)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:  # the name is ast's
        self.generic_visit(node)
        if isinstance(node.target, ast.Name) and node.value is not None:
            node.value = self._changed(node.target.id, node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:  # the name is ast's
        self.generic_visit(node)
        function = node.func
        if (
            isinstance(function, ast.Attribute)
            and function.attr == FROM_STATE
            and isinstance(function.value, ast.Name)
            and function.value.id == self.self_name
            and node.args
        ):
            node.args[0] = self._changed(FROM_STATE, node.args[0])
        return node

    def _changed(self, place: str, value: ast.expr) -> ast.expr:
        if place not in self.places:
            return value
        self.found.add(place)
        call = ast.Call(ast.Name(_CHANGE, ast.Load()), [ast.Constant(place), value], [])
        ast.copy_location(call, value)
        ast.copy_location(call.func, value)
        ast.copy_location(call.args[0], value)
        return call
