import ast
import io
import keyword
import tokenize
from pathlib import Path

import pytest

from recurra.data.source_roles import ROLES, iter_tagged_lines


def roles(source, word):
    """Return the roles of all places where a word stands in a source, in their order."""
    return [role for line in iter_tagged_lines(source) for found, role in line if found == word]


def test_a_line_is_one_sentence_however_many_lines_of_text_it_takes():
    source = "x = [\n    1,  # one\n\n    2,\n]\ny = 3; z = 4\n"

    lines = [[word for word, _ in line] for line in iter_tagged_lines(source)]

    assert lines == [["x", "=", "[", "1", ",", "2", ",", "]"], ["y", "=", "3", ";", "z", "=", "4"]]


def test_comments_and_lines_of_strings_are_left_out():
    source = '"""Docstring."""\n# comment\ndef f():\n    """More."""\n    "and" "more"\n    return 1\n'

    lines = [[word for word, _ in line] for line in iter_tagged_lines(source)]

    assert lines == [["def", "f", "(", ")", ":"], ["return", "1"]]


def test_every_role_is_given_once_in_a_small_class():
    source = (
        "import os\n"
        "from enum import Enum\n"
        "class Box(Enum):\n"
        "    def fill(self, items):\n"
        "        total = len(items) + 1\n"
        "        self.note = os.path.join('a', key=total)\n"
        "def free(): pass\n"
    )

    found = {word: role for line in iter_tagged_lines(source) for word, role in line}

    assert found["os"] == "module"
    assert found["Enum"] == "imported"
    assert found["Box"] == "class"
    assert found["fill"] == "method"
    assert found["free"] == "function"
    assert found["self"] == found["items"] == "parameter"
    assert found["total"] == "variable"
    assert found["len"] == "builtin"
    assert found["note"] == found["path"] == "attribute"
    assert found["join"] == "method"
    assert found["key"] == "argument"
    assert found['""'] == "string"
    assert found["1"] == "number"
    assert found["pass"] == "keyword"
    assert found["="] == "operator"
    assert set(found.values()) == set(ROLES)


def test_a_name_has_the_role_of_the_nearest_binding():
    source = "x = 1\ndef f(x):\n    return x\ndef g():\n    return x\ndef h():\n    x = 2\n    return lambda y: x + y\n"

    assert roles(source, "x") == ["variable", "parameter", "parameter", "variable", "variable", "variable"]
    assert roles(source, "y") == ["parameter", "parameter"]


def test_names_of_a_class_are_not_seen_from_its_methods():
    source = "import size\nclass A:\n    size = 1\n    also = size\n    def f(self):\n        return size\n"

    assert roles(source, "size") == ["module", "variable", "variable", "module"]


def test_a_global_name_has_its_role_in_the_module():
    source = "def count(): pass\ndef f():\n    global count\n    count = 2\n"

    assert roles(source, "count")[-1] == "function"


def test_defaults_and_decorators_are_read_outside_of_the_function():
    source = "size = 1\n@size\ndef f(size=size): pass\n"

    assert roles(source, "size") == ["variable", "variable", "parameter", "variable"]


def test_imported_names_are_told_from_modules():
    source = "import a.b as c, d\nfrom e.f import (g as h,\n    i)\nh(c)\ndef f():\n    yield from i\n"

    assert [roles(source, name) for name in "abcdef"] == [
        ["module"],
        ["module"],
        ["module", "module"],
        ["module"],
        ["module"],
        ["module", "function"],
    ]
    assert [roles(source, name) for name in "ghi"] == [["imported"], ["imported"] * 2, ["imported"] * 2]


def test_async_functions_and_classes_have_roles_too():
    source = "async  def run(a, *b, c, **d):\n    await a(b, c, d)\nclass  Deep(run): pass\n"

    assert roles(source, "run") == ["function", "function"]
    assert roles(source, "Deep") == ["class"]
    assert all(roles(source, name) == ["parameter", "parameter"] for name in "abcd")


def test_formatted_strings_are_one_token():
    source = 'x = f"{a} and {b!r:>{width}}" + g("b")\n'

    assert [word for word, _ in next(iter_tagged_lines(source))] == ["x", "=", '""', "+", "g", "(", '""', ")"]


def test_characters_outside_ascii_move_no_role():
    source = "def f(größe, b): return größe.länge + b.höhe(größe)\n"

    assert roles(source, "größe") == ["parameter"] * 3
    assert roles(source, "b") == ["parameter"] * 2
    assert roles(source, "länge") == ["attribute"]
    assert roles(source, "höhe") == ["method"]


def test_soft_keywords_are_keywords_only_as_such():
    source = "match x:\n    case 1: pass\n    case _: pass\nmatch = re.match(x)\n"

    assert roles(source, "match") == ["keyword", "variable", "method"]
    assert roles(source, "case") == ["keyword", "keyword"]


def test_every_token_of_a_real_module_has_a_role_of_its_kind():
    source = Path(ast.__file__).read_text(encoding="utf-8")
    kinds = {tokenize.NUMBER: "number", tokenize.OP: "operator"}
    expected = [
        (token.string, "keyword" if keyword.iskeyword(token.string) else kinds.get(token.type))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.OP)
    ]

    given = [(word, role) for line in iter_tagged_lines(source) for word, role in line if role != "string"]

    assert [word for word, _ in given] == [word for word, _ in expected]
    wrong = [(one, other) for one, other in zip(given, expected, strict=True) if other[1] not in (None, one[1])]
    assert not wrong
    assert {role for _, role in given} <= set(ROLES)


def test_what_is_no_source_is_refused():
    with pytest.raises(SyntaxError):
        next(iter_tagged_lines("def f(:\n"))
