"""The role of each token of a Python source."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

ROLES = (
    "argument",
    "attribute",
    "builtin",
    "class",
    "function",
    "imported",
    "keyword",
    "method",
    "module",
    "number",
    "operator",
    "parameter",
    "string",
    "variable",
)
"""What a token can be. ``argument`` is the name of one in a call, ``imported`` what comes from a module by name,
``method`` a function of a class or an attribute that is called."""

STRING = '""'
"""What every string literal is written as: what stands in it is no code."""

_Place = tuple[int, int]  # line from 1 on, characters before the token from 0 on
_BUILTINS = frozenset(dir(builtins))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Python 3.12 and later cut formatted strings into parts
_STRING_BEGINS = tuple(getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START"))
_STRING_ENDS = tuple(getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END"))
_PASSED_OVER = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
_PLAIN = {tokenize.STRING: "string", tokenize.NUMBER: "number", tokenize.OP: "operator"}


def iter_tagged_lines(source: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the logical lines of a Python source: the tokens of each, with their roles.

    Comments are left out, and so are lines that are nothing but a string.

    Raises:
        SyntaxError: When the source is none.

    Example:
        >>> next(iter_tagged_lines("def size(box): return len(box)"))[:4]
        [('def', 'keyword'), ('size', 'function'), ('(', 'operator'), ('box', 'parameter')]
    """
    roles = _Places(source).roles
    line = _Line(roles)
    depth = 0  # of formatted strings inside each other
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        depth += token.type in _STRING_BEGINS
        if token.type in _STRING_ENDS:
            depth -= 1
            if not depth:
                line.add_string()
        elif token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if any(role != "string" for _, role in line.tokens):
                yield line.tokens
            line = _Line(roles)
        elif not depth and token.type not in _PASSED_OVER:
            line.add(token)


@dataclass
class _Line:
    """A logical line as far as it was read."""

    roles: dict[_Place, str]
    tokens: list[tuple[str, str]] = field(default_factory=list)
    imports: str | None = None  # the role of names where a statement imports them

    def add_string(self) -> None:
        self.tokens.append((STRING, "string"))

    def add(self, token: tokenize.TokenInfo) -> None:
        if token.type == tokenize.STRING:
            self.add_string()
        else:
            self.tokens.append((token.string, self._role(token)))

    def _role(self, token: tokenize.TokenInfo) -> str:
        before = self.tokens[-1][0] if self.tokens else ";"
        if before in (";", ":"):
            self.imports = None
        if token.type != tokenize.NAME:
            return _PLAIN[token.type]
        if keyword.iskeyword(token.string):
            if token.string == "import":
                self.imports = "imported" if self.imports else "module"
            elif token.string == "from" and before in (";", ":"):
                self.imports = "module"
            return "keyword"
        if self.imports is not None:
            return self.imports
        known = self.roles.get(token.start)
        if known is None:
            return "keyword" if token.string in keyword.softkwlist else "variable"
        return known


@dataclass
class _Scope:
    """The names that a function, a class or the module binds, with their roles."""

    is_class: bool
    outer: _Scope | None
    names: dict[str, str] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)  # declared global or nonlocal

    def bind(self, name: str, role: str) -> None:
        self.names.setdefault(name, role)

    def find(self, name: str) -> str:
        scope: _Scope | None = self
        while scope is not None:
            # names of a class are seen from the class's own lines only
            if name in scope.names and name not in scope.outside and (scope is self or not scope.is_class):
                return scope.names[name]
            scope = scope.outer
        return "builtin" if name in _BUILTINS else "variable"


class _Places(ast.NodeVisitor):
    """Finds the roles of names by where they stand: ``roles``."""

    def __init__(self, source: str) -> None:
        self.roles: dict[_Place, str] = {}
        self._lines = source.split("\n")
        self._called: set[int] = set()
        tree = ast.parse(source)
        self._scope = _Scope(is_class=False, outer=None)
        _bind_all(tree.body, self._scope)
        self.generic_visit(tree)

    def _put(self, line: int, num_bytes: int, role: str) -> None:
        text = self._lines[line - 1]
        column = num_bytes if text.isascii() else len(text.encode()[:num_bytes].decode())
        self.roles[line, column] = role

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._put_name(node, "method" if self._scope.is_class else "function", 2 if _is_async(node) else 1)
        arguments = node.args
        # decorators, defaults and annotations are evaluated outside
        for part in (*node.decorator_list, *arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(part)
        for argument in _all_arguments(arguments):
            self._put(argument.lineno, argument.col_offset, "parameter")
            if argument.annotation is not None:
                self.visit(argument.annotation)
        if node.returns is not None:
            self.visit(node.returns)
        self._visit_inside(node.body, arguments, is_class=False)

    visit_FunctionDef = _visit_function
    visit_AsyncFunctionDef = _visit_function

    def _put_name(self, node: ast.stmt, role: str, num_words: int) -> None:
        """Put the role of the name that a definition begins with, behind ``def``, ``async def`` or ``class``."""
        text = self._lines[node.lineno - 1].encode()
        column = node.col_offset
        for _ in range(num_words):
            column += len(text[column:].split(None, 1)[0])
            column += len(text[column:]) - len(text[column:].lstrip())
        self._put(node.lineno, column, role)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        for argument in _all_arguments(node.args):
            self._put(argument.lineno, argument.col_offset, "parameter")
        self._visit_inside([node.body], node.args, is_class=False)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._put_name(node, "class", 1)
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self._visit_inside(node.body, None, is_class=True)

    def _visit_inside(
        self, body: list[ast.stmt] | list[ast.expr], arguments: ast.arguments | None, *, is_class: bool
    ) -> None:
        outer = self._scope
        self._scope = _Scope(is_class, outer)
        if arguments is not None:
            for argument in _all_arguments(arguments):
                self._scope.bind(argument.arg, "parameter")
        _bind_all(body, self._scope)
        for part in body:
            self.visit(part)
        self._scope = outer

    def visit_Name(self, node: ast.Name) -> None:
        self._put(node.lineno, node.col_offset, self._scope.find(node.id))

    def visit_Call(self, node: ast.Call) -> None:
        self._called.add(id(node.func))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        role = "method" if id(node) in self._called else "attribute"
        self._put(node.end_lineno, node.end_col_offset - len(node.attr.encode()), role)
        self.visit(node.value)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self._put(node.lineno, node.col_offset, "argument")
        self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Pass over a formatted string, which is written as any other."""


def _is_async(node: ast.stmt) -> bool:
    return isinstance(node, ast.AsyncFunctionDef)


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def _bind_all(body: list[ast.stmt] | list[ast.expr], scope: _Scope) -> None:
    """Bind what the statements of a scope bind, those of functions and classes inside left out."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        _bind(node, scope)
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _bind(node: ast.AST, scope: _Scope) -> None:
    if isinstance(node, _FUNCTIONS):
        scope.bind(node.name, "method" if scope.is_class else "function")
    elif isinstance(node, ast.ClassDef):
        scope.bind(node.name, "class")
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.bind(name, "module" if isinstance(node, ast.Import) else "imported")
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        scope.bind(node.id, "variable")
    elif isinstance(node, ast.ExceptHandler) and node.name is not None:
        scope.bind(node.name, "variable")
    elif isinstance(node, ast.Global | ast.Nonlocal):
        scope.outside.update(node.names)


__all__ = ["ROLES", "STRING", "iter_tagged_lines"]
