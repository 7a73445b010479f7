"""Where a function assigns a variable: as ``name = expression``, and once on every path through it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from recurra.errors import ArgumentError


def assigned_name(node: ast.AST) -> str | None:
    """Return the variable that a statement assigns as ``name = expression``; ``None`` if it does not."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr | None = node.targets[0]
    else:
        target = node.target if isinstance(node, ast.AnnAssign) and node.value is not None else None
    return target.id if isinstance(target, ast.Name) else None


def check_assignments(expected: str, definition: ast.FunctionDef, names: frozenset[str]) -> None:
    """Check that what a function assigns to some variables can be changed, and is changed only once.

    Each must be assigned at least in one place, as ``name = expression``; in no place in another manner, as in
    ``name, other = ...``; and on every path at most once, where a loop counts as run once. Variables of functions
    inside the function are others.

    Args:
        expected: How messages begin: "X expected forward of Y".
        definition: The function.
        names: Its variables.

    Raises:
        ArgumentError: When one is assigned otherwise.
    """
    others = _OtherAssignments(expected, names)
    paths = _Paths(expected, names)
    for statement in definition.body:
        others.visit(statement)
    paths.after(definition.body, frozenset())
    missing = sorted(names - paths.found)
    if missing:
        raise ArgumentError(
            f"{expected} to be a method that assigns {', '.join(missing)} as in '{missing[0]} = ...', got no such line"
        )


def quote(node: ast.AST, line: int) -> str:
    """Return the first line of some code, and where it is, for a message."""
    return f"{ast.unparse(node).strip().splitlines()[0]!r} in line {line}"


class _OtherAssignments(ast.NodeVisitor):
    """Refuses what gives a variable a value in another manner than ``name = expression``."""

    def __init__(self, expected: str, names: frozenset[str]) -> None:
        self.expected = expected
        self.names = names
        self.line = 0
        self.part: ast.AST = ast.Pass()

    def visit(self, node: ast.AST) -> None:
        self.line = getattr(node, "lineno", self.line)
        if isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)):
            self.part = node
        for name in sorted(self.names.intersection(_bound(node))):
            raise ArgumentError(
                f"{self.expected} to assign {name} as in '{name} = ...' only, got {quote(self.part, self.line)}",
                hint=f"give what is assigned there another name, and then say '{name} = ...'",
            )
        super().visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:  # the name is ast's
        if assigned_name(node) is None:
            self.generic_visit(node)
        else:
            self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # the name is ast's
        # without a value it only tells the type
        if node.value is not None:
            self.visit(node.value)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        # its targets are its own
        for part in (node.iter, *node.ifs):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.AST) -> None:  # the name is ast's
        for inner in ast.walk(node):
            if isinstance(inner, ast.Nonlocal):
                self.visit(inner)

    visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_FunctionDef


def _bound(node: ast.AST) -> Iterable[str]:
    """Return the names to which a node alone, without what is in it, gives or takes a value."""
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    if isinstance(node, ast.alias):
        return ((node.asname or node.name).split(".")[0],)
    # of functions, classes, handlers and patterns
    names = (getattr(node, field, None) for field in ("name", "rest"))
    return tuple(name for name in names if isinstance(name, str))


class _Paths:
    """Refuses a second assignment of a variable on one path."""

    def __init__(self, expected: str, names: frozenset[str]) -> None:
        self.expected = expected
        self.names = names
        self.found: set[str] = set()

    def after(self, statements: Sequence[ast.stmt], before: frozenset[str]) -> frozenset[str] | None:
        """Return what may have been assigned at the end of some statements; ``None`` where the end is not reached."""
        for statement in statements:
            if isinstance(statement, (ast.Return, ast.Raise)):
                return None
            name = assigned_name(statement)
            if name in before:
                raise ArgumentError(
                    f"{self.expected} to assign {name} once on every path, got it again in "
                    f"{quote(statement, statement.lineno)}",
                    hint=f"give the first value another name; what is called {name} last is changed",
                )
            if name in self.names:
                self.found.add(name)
                before |= {name}
            ends = [end for end in self._ends(statement, before) if end is not None]
            if not ends:
                return None
            before = frozenset().union(*ends)
        return before

    def _ends(self, statement: ast.stmt, before: frozenset[str]) -> list[frozenset[str] | None]:
        """Return what may have been assigned after a statement, for each way through it."""
        if isinstance(statement, ast.If):
            return [self.after(statement.body, before), self.after(statement.orelse, before)]
        if isinstance(statement, ast.Match):
            return [before, *(self.after(case.body, before) for case in statement.cases)]
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return [before]
        # loops, with and try: each block may be run after the ones above it, or be passed over
        handlers = [handler.body for handler in getattr(statement, "handlers", ())]
        blocks = [getattr(statement, field, []) for field in ("body", "orelse", "finalbody")]
        for block in (blocks[0], *handlers, *blocks[1:]):
            before |= self.after(block, before) or frozenset()
        return [before]
