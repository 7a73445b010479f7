from __future__ import annotations

import inspect
import pickle
import re

import pytest
from docs.generate_errors import PAGE, built_ins, error_classes, main, render, to_markdown

from recurra import errors
from recurra.errors import ChoiceError, ConfigError, DataNotFoundError, RecurraError

CLASSES = error_classes()

# a released code never moves to another class, and no class loses its code
CODES = {
    "RECURRA-100": "RecurraError",
    "RECURRA-101": "ConfigError",
    "RECURRA-102": "ShapeError",
    "RECURRA-103": "ChoiceError",
    "RECURRA-104": "ArgumentError",
    "RECURRA-201": "DataError",
    "RECURRA-202": "DataNotFoundError",
    "RECURRA-203": "EncodingError",
    "RECURRA-204": "DataTooShortError",
    "RECURRA-205": "VocabularyError",
    "RECURRA-206": "DownloadError",
    "RECURRA-301": "RunError",
    "RECURRA-302": "RunExistsError",
    "RECURRA-303": "RunLockedError",
    "RECURRA-311": "CheckpointError",
    "RECURRA-312": "CheckpointFormatError",
    "RECURRA-313": "CheckpointWriteError",
    "RECURRA-401": "TrainingDivergedError",
    "RECURRA-501": "UnsupportedCellError",
}


def build(cls: type[RecurraError]) -> RecurraError:
    """One error of the class, with a hint."""
    if cls is ChoiceError:
        return ChoiceError("cell", "gruu", ["elman", "gru", "lstm"])
    return cls("GRUCell expected x of shape (batch, 16), got (4, 15)", hint="build the cell with input_size=15")


every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def test_codes_are_unique_and_stay_with_their_classes():
    codes = [cls.code for cls in CLASSES]

    assert len(set(codes)) == len(codes)
    assert {cls.code: cls.__name__ for cls in CLASSES}.items() >= CODES.items()


def test_every_class_of_the_module_is_public():
    defined = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}

    assert defined == set(errors.__all__)


def test_the_tree_at_the_top_of_the_module_draws_every_class():
    drawn = [*re.findall(r"(\w+Error)\b {2}", errors.__doc__), "RecurraError"]

    assert sorted(drawn) == sorted(cls.__name__ for cls in CLASSES)


@every_class
def test_a_class_has_its_own_code_and_docstring(cls):
    assert "code" in vars(cls)
    assert re.fullmatch(r"RECURRA-\d{3}", cls.code)
    assert vars(cls)["__doc__"].strip()


@every_class
def test_a_class_refines_a_built_in_one(cls):
    assert issubclass(cls, RecurraError)
    assert cls is RecurraError or built_ins(cls) != ["Exception"]


@every_class
def test_an_exit_code_tells_wrong_use_from_failure(cls):
    assert cls.exit_code in (1, 2)


@every_class
def test_the_text_of_an_error_is_its_message_and_its_hint(cls):
    error = build(cls)

    assert str(error) == f"{error.message}\nhint: {error.hint}"
    assert error.hint
    error.hint = ""
    assert str(error) == error.message


@every_class
def test_an_error_survives_pickling_with_all_its_values(cls):
    error = build(cls)
    error.add_note("while reading a.txt")

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is cls
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert vars(copy) == vars(error)


def test_a_configuration_error_reports_all_faults_at_once():
    error = ConfigError(["lr expected a number above 0, got -1", "bptt expected an integer, got 'x'"], hint="see there")

    assert error.faults == ("lr expected a number above 0, got -1", "bptt expected an integer, got 'x'")
    assert str(error) == "lr expected a number above 0, got -1; bptt expected an integer, got 'x'\nhint: see there"
    assert ConfigError("one").faults == ("one",)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    error = ChoiceError("cell", "gruu", ["elman", "gru", "lstm"])

    assert str(error) == "expected cell to be one of elman, gru, lstm; got 'gruu'\nhint: did you mean 'gru'?"
    assert (error.what, error.got, error.choices) == ("cell", "gruu", ("elman", "gru", "lstm"))


def test_an_unknown_name_far_from_all_gets_no_hint():
    assert str(ChoiceError("cell", 7, ["elman"])) == "expected cell to be one of elman; got 7"


def test_a_missing_file_is_caught_as_python_says_it():
    with pytest.raises(FileNotFoundError) as caught:
        raise DataNotFoundError("no file a.txt", hint="see `recurra data list`")

    assert str(caught.value) == "no file a.txt\nhint: see `recurra data list`"


@every_class
def test_a_class_owns_a_section_of_the_page(cls):
    page = PAGE.read_text(encoding="utf-8")

    anchor = f'<a id="{cls.code.lower()}"></a>\n\n## {cls.code}: {cls.__name__}\n'
    assert page.count(anchor) == 1
    section = page.split(anchor)[1].split("<a id=")[0]
    assert cls.__doc__.splitlines()[0].replace("``", "`") in section
    assert f"Exit code {cls.exit_code}," in section
    assert all(f"`{name}`" in section for name in built_ins(cls))
    assert f"(#{cls.code.lower()})" in page


def test_the_links_of_the_page_have_anchors():
    page = render()

    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(re.findall(r'<a id="([^"]+)">', page))


def test_the_page_is_up_to_date(capsys):
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_stale_or_missing_page_is_reported_and_left_alone(tmp_path, capsys):
    page = tmp_path / "errors.md"

    assert main(["--check"], page) == 1
    assert not page.exists()
    page.write_text("old", encoding="utf-8")
    assert main(["--check"], page) == 1
    assert page.read_text(encoding="utf-8") == "old"
    assert capsys.readouterr().err == "errors.md is stale; run python docs/generate_errors.py\n" * 2

    assert main([], page) == 0
    assert main(["--check"], page) == 0


def test_attributes_of_a_docstring_become_a_list():
    text = to_markdown(
        "One ``x``.\n\n    More.\n\n    Attributes:\n        a: First,\n            long.\n        b: Second.\n"
    )

    assert text == "One `x`.\n\nMore.\n\n- `a`: First, long.\n- `b`: Second."
