"""The source of a method, read from its file and found to be the code that runs."""

from __future__ import annotations
import __future__

import ast
import dataclasses
import inspect
import types

from recurra.errors import ArgumentError


@dataclasses.dataclass(frozen=True)
class LoadedSource:
    """A method's code and the text of its file, which has it; neither holds the method or a variable of it."""

    code: types.CodeType
    text: str

    def parse(self) -> tuple[ast.Module, ast.FunctionDef]:
        """Return the file and in it the definition of the method, which may be changed and compiled.

        Raises:
            SyntaxError: When there is none.
        """
        module = ast.parse(self.text)
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef) and node.name == self.code.co_name:
                first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
                if first == self.code.co_firstlineno:
                    return module, node
        raise SyntaxError(f"no definition of {self.code.co_name}")

    def compile(self, module: ast.Module) -> types.CodeType:
        """Compile the file, of which all plays a part in a method's code, and return the method's.

        Raises:
            SyntaxError: When the file has a fault, or no such method.
        """
        # a notebook hands on the flags of the cells above, and may await outside functions
        flags = self.code.co_flags & __future__.annotations.compiler_flag | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        name = self.code.co_filename
        made: types.CodeType = compile(ast.fix_missing_locations(module), name, "exec", flags, dont_inherit=True)
        waiting = [made]
        while waiting:
            code = waiting.pop()
            if (code.co_qualname, code.co_firstlineno) == (self.code.co_qualname, self.code.co_firstlineno):
                return code
            waiting.extend(item for item in code.co_consts if isinstance(item, types.CodeType))
        raise SyntaxError(f"no {self.code.co_qualname}")


def read_source(expected: str, function: types.FunctionType) -> LoadedSource:
    """Read a method's source.

    A file holds what it holds now, and a class what was in it when it was loaded: what is read is compiled and compared
    with the method's code.

    Args:
        expected: How messages begin: "X expected forward of Y".
        function: The method.

    Raises:
        ArgumentError: When the source cannot be had or is not what was loaded, or the method has decorators.
    """
    code = function.__code__
    if code.co_name == "<lambda>" or inspect.iscoroutinefunction(function):
        kind = "lambda" if code.co_name == "<lambda>" else "coroutine"
        raise ArgumentError(f"{expected} to be a plain method without decorators, got a {kind}")
    try:
        source = LoadedSource(code, "".join(inspect.findsource(code)[0]))
        module, definition = source.parse()
        if _content(source.compile(module)) != _content(code):
            raise SyntaxError("other code")
    except OSError as error:
        raise ArgumentError(
            f"{expected} to be a method whose source is at hand, got OSError: {error}",
            hint="define the class in a file, and restart Python if the file was edited since it was loaded",
        ) from error
    except SyntaxError as error:
        raise ArgumentError(
            f"{expected} to have its source as it was loaded, got {error.msg} in {code.co_filename}, line "
            f"{error.lineno or code.co_firstlineno}",
            hint="restart Python if the file was edited since it was loaded; of code that an import hook changes, as "
            "pytest does with assert, no source is at hand",
        ) from error
    for decorator in definition.decorator_list:
        raise ArgumentError(f"{expected} to be a plain method without decorators, got '@{ast.unparse(decorator)}'")
    return source


def _content(value: object) -> object:
    """Return what tells code from other code, and constants from others: 1, 1.0 and True are three."""
    if isinstance(value, types.CodeType):
        names = value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars
        stars = value.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
        counts = value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, stars
        return value.co_code, names, counts, _content(value.co_consts)
    if isinstance(value, tuple):
        return tuple(_content(item) for item in value)
    if isinstance(value, frozenset):
        return frozenset(_content(item) for item in value)
    return type(value), repr(value)
