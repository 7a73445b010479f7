"""A cell's ``forward`` with a hand on some values in its middle, made from its source; the cell itself stays as it is.

Two kinds of places are known: the variable ``name``, of which each ``name = expression`` becomes
``name = change("name", expression)``; and a method of ``state_products`` such as ``"from_state"``, of which each
``self.from_state(expression, ...)`` becomes ``self.from_state(change("from_state", expression), ...)``.
"""

from __future__ import annotations

import ast
import dataclasses
import types
import weakref
from collections.abc import Callable
from typing import Any

import torch

from recurra.errors import ArgumentError
from recurra.layers.assignments import assigned_name, check_assignments, quote
from recurra.layers.loaded_source import LoadedSource, read_source
from recurra.loop.parametrized import plain_type

FROM_STATE = "from_state"
"""The place of what enters the recurrent product."""
_CHANGE = "__recurra_change__"


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """What was read of a class's ``forward``: code and text alone, which hold neither the class nor a variable."""

    source: LoadedSource
    bases: tuple[LoadedSource, ...]
    """Of the ``forward`` of the base classes, where ``source`` calls one."""
    made: dict[tuple[frozenset[str], frozenset[str]], types.CodeType] = dataclasses.field(default_factory=dict)
    """Changed code, by all places and those of them that are methods."""


_loaded: weakref.WeakKeyDictionary[type, _Loaded] = weakref.WeakKeyDictionary()


def rewritten_forward(who: str, cell: torch.nn.Module, places: frozenset[str]) -> Callable[..., Any]:
    """Return the function ``(cell, x, state, change)`` that a cell's ``forward`` becomes.

    The source is read the first time that a class is seen, and code is compiled once for each set of places, under the
    file and the lines of the original.

    Args:
        who: Who asks, for messages.
        cell: The cell.
        places: Names of variables, and of methods that are given the state before: "from_state", and what the cell's
            ``state_products`` says.

    Raises:
        ArgumentError: When the source of ``forward`` cannot be had or is not what was loaded, or a place is not in it
            or there in a manner that cannot be changed.
    """
    cls: Any = plain_type(cell)
    forward = vars(cell).get("forward", cls.forward)
    expected = f"{who} expected forward of {cls.__name__}"
    if not isinstance(forward, types.FunctionType) or "forward" in vars(cell):
        raise ArgumentError(f"{expected} to be a method of its class, got {type(forward).__name__}")
    loaded = _loaded.get(cls)
    # a reloading tool may have put other code into the class
    if loaded is None or loaded.source.code is not forward.__code__:
        loaded = _loaded[cls] = _load(expected, cls, forward)
    methods = places.intersection((FROM_STATE, *getattr(cell, "state_products", ())))
    code = loaded.made.get((places, methods))
    if code is None:
        code = loaded.made[places, methods] = _rewrite(expected, loaded, places - methods, methods)
    function = _with_variables(code, forward)

    def run(cell: torch.nn.Module, x: Any, state: Any, change: Callable[[str, Any], Any]) -> Any:
        return function(cell, x, state, **{_CHANGE: change})

    return run


def _with_variables(code: types.CodeType, forward: types.FunctionType) -> types.FunctionType:
    """Return code as a function with what ``forward`` encloses; made anew each time, as it would keep that alive."""
    variables = dict(zip(forward.__code__.co_freevars, forward.__closure__ or (), strict=True))
    closure = tuple(variables[name] for name in code.co_freevars)
    function = types.FunctionType(code, forward.__globals__, forward.__name__, forward.__defaults__, closure)
    function.__kwdefaults__ = forward.__kwdefaults__
    return function


def _load(expected: str, cls: type, forward: types.FunctionType) -> _Loaded:
    source = read_source(expected, forward)
    calls = _calls_of_bases(source.parse()[1])
    _, *others = (base for base in cls.__mro__ if "forward" in vars(base) and base is not torch.nn.Module)
    expected = f"{expected}, which calls that of a base class,"
    bases: list[LoadedSource] = []
    for base in others if calls else ():
        inherited = vars(base)["forward"]
        if not isinstance(inherited, types.FunctionType):
            raise ArgumentError(f"{expected} to find a method in {base.__name__}, got {type(inherited).__name__}")
        bases.append(read_source(expected, inherited))
        further = _calls_of_bases(bases[-1].parse()[1])
        calls += further
        # a call by name may pass over classes
        if not further and all(_is_super(call) for call in calls):
            break
    return _Loaded(source, tuple(bases))


def _rewrite(expected: str, loaded: _Loaded, variables: frozenset[str], methods: frozenset[str]) -> types.CodeType:
    """Return the changed code."""
    module, definition = loaded.source.parse()
    _check_bases(expected, loaded, variables, methods)
    check_assignments(expected, definition, variables)
    changer = _Changer(expected, definition, variables, methods)
    definition.body = [changer.visit(statement) for statement in definition.body]
    for missing in sorted(methods - changer.called):
        raise ArgumentError(
            f"{expected} to be a method that calls self.{missing}(h, ...), through which the recurrent product goes, "
            "got no such call"
        )
    definition.args.kwonlyargs.append(ast.arg(_CHANGE))
    definition.args.kw_defaults.append(None)
    return loaded.source.compile(module)


def _calls_of_bases(definition: ast.FunctionDef) -> list[ast.Call]:
    """Return calls of another ``forward`` of the same object: ``super().forward(x)``, ``Base.forward(self, x)``."""
    own = _own_name(definition)
    return [
        node
        for node in ast.walk(definition)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "forward"
        and (_is_super(node) or (node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == own))
    ]


def _is_super(call: ast.Call) -> bool:
    """Tell whether a call is one of a method of ``super()``."""
    whose = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(whose, ast.Call) and isinstance(whose.func, ast.Name) and whose.func.id == "super"


def _check_bases(expected: str, loaded: _Loaded, variables: frozenset[str], methods: frozenset[str]) -> None:
    """Refuse a ``forward`` that leaves some of the work to one which has the same places."""
    for node in (node for base in loaded.bases for node in ast.walk(base.parse()[1])):
        names = {node.attr} & methods if isinstance(node, ast.Attribute) else {assigned_name(node)} & variables
        for name in names:
            call = _calls_of_bases(loaded.source.parse()[1])[0]
            raise ArgumentError(
                f"{expected} to hold all places of {name} itself, got {quote(call, call.lineno)}, which has some too",
                hint="write out what the base class does",
            )


def _own_name(definition: ast.FunctionDef) -> str:
    """Return what a method calls its object."""
    return next((item.arg for item in (*definition.args.posonlyargs, *definition.args.args)), "")


class _Changer(ast.NodeTransformer):
    def __init__(
        self, expected: str, definition: ast.FunctionDef, variables: frozenset[str], methods: frozenset[str]
    ) -> None:
        self.expected = expected
        self.variables = variables
        self.methods = methods
        self.called: set[str] = set()
        self._own_name = _own_name(definition)
        self._depth = 0

    def visit_FunctionDef(self, node: ast.AST) -> ast.AST:  # the name is ast's
        # variables of an inner function are others, and the object is the same
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign) -> ast.AST:  # the name is ast's
        self.generic_visit(node)
        name = assigned_name(node)
        if name in self.variables and not self._depth:
            assert name is not None
            assert node.value is not None
            node.value = _changed(name, node.value)
        return node

    visit_AnnAssign = visit_Assign

    def visit_Call(self, node: ast.Call) -> ast.AST:  # the name is ast's
        function = node.func
        is_own = (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id == self._own_name
        )
        if not (is_own and isinstance(function, ast.Attribute) and function.attr in self.methods):
            return self.generic_visit(node)
        if not node.args or isinstance(node.args[0], ast.Starred):
            raise self._uncallable(function, node)
        # the function itself is not visited, as alone it is refused
        node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        self.called.add(function.attr)
        node.args[0] = _changed(function.attr, node.args[0])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # the name is ast's
        if node.attr in self.methods:
            raise self._uncallable(node, node)
        return self.generic_visit(node)

    def _uncallable(self, method: ast.Attribute, node: ast.expr) -> ArgumentError:
        return ArgumentError(
            f"{self.expected} to call {method.attr} as in 'self.{method.attr}(h, ...)' only, got "
            f"{quote(node, node.lineno)}"
        )


def _changed(place: str, value: ast.expr) -> ast.expr:
    """Return the expression ``change("place", value)``, where the value was."""
    call = ast.Call(ast.Name(_CHANGE, ast.Load()), [ast.Constant(place), value], [])
    for node in (call, call.func, call.args[0]):
        ast.copy_location(node, value)
    return call
