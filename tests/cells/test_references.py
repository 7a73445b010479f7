"""The bibliography and its reader."""

import importlib.resources
import re

import pytest

from recurra.cells import cell_names, find_cell, find_reference
from recurra.cells.references import MODIFIERS, parse_bibtex, plain_text
from recurra.errors import ArgumentError, ChoiceError

TEXT = r"""
% a comment with {braces}, and what looks like an entry is none: @ article
@article{one1990word,
  author = {One, Ann},
  title  = {A {Title, with} = signs and
            two lines},
  year   = {1990},
}

@InProceedings{two1991words,
  author = {One, Ann and Tw{\"o}, B{\'e}la}, year = {1991}
}
"""

ENTRIES = parse_bibtex(importlib.resources.files("recurra").joinpath("references.bib").read_text("utf-8"))


def test_entries_keep_their_keys_kinds_and_text():
    entries = parse_bibtex(TEXT)

    assert list(entries) == ["one1990word", "two1991words"]
    assert [entry.kind for entry in entries.values()] == ["article", "inproceedings"]
    assert entries["one1990word"].bibtex.startswith("@article{one1990word,\n  author")
    assert entries["one1990word"].bibtex.endswith("  year   = {1990},\n}")
    assert entries["one1990word"].bibtex in TEXT


def test_values_with_braces_commas_and_lines_are_whole():
    fields = parse_bibtex(TEXT)["one1990word"].fields

    assert fields == {"author": "One, Ann", "title": "A {Title, with} = signs and two lines", "year": "1990"}


def test_authors_and_year_are_short():
    entries = parse_bibtex(TEXT + "@misc{x, author = {A, B and C, D and E, F}, year = {2001}}")

    assert [entry.short() for entry in entries.values()] == ["One 1990", "One and Twö 1991", "A et al. 2001"]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (r"J{\"u}rgen", "Jürgen"),
        (r"Koutn{\'i}k", "Koutník"),
        (r"Luko{\v{s}}evi{\v{c}}ius", "Lukoševičius"),
        (r"Ha{\c{s}}im {LSTM}", "Haşim LSTM"),
        ("12--34", "12–34"),
    ],
)
def test_marks_of_latex_become_letters(value, wanted):
    assert plain_text(value) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@misc{a, year = {2001}", "expected balanced braces in a, got one that is not closed"),
        ("@misc{a, year = {2001}}\n@misc{a, year = {2002}}", "expected each key once, got a twice"),
        ("@misc{a, year = 2001}", "expected fields of a as name = {value}, and commas, got 'year = 2001'"),
        ("@misc{a, x = {1} y = {2}}", "expected fields of a as name = {value}, and commas, got 'x = {1} y = {2}'"),
    ],
)
def test_what_is_no_bibtex_of_ours_is_an_error(text, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        parse_bibtex(text)


def test_an_unknown_key_is_an_error_with_the_nearest():
    with pytest.raises(ChoiceError, match="expected source to be one of ") as caught:
        find_reference("hochreiter1997lang")

    assert caught.value.hint == "did you mean 'hochreiter1997long'?"


def test_no_entry_of_the_bibliography_is_lost():
    text = importlib.resources.files("recurra").joinpath("references.bib").read_text("utf-8")

    assert len(ENTRIES) == len(re.findall(r"^@", text, re.MULTILINE))
    outside = text
    for entry in ENTRIES.values():
        outside = outside.replace(entry.bibtex, "")
    assert re.sub(r"^%.*$", "", outside, flags=re.MULTILINE).strip() == ""


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_is_complete(key):
    entry = ENTRIES[key]
    needed = {
        "article": {"author", "title", "journal", "year"},
        "inproceedings": {"author", "title", "booktitle", "year"},
        "misc": {"author", "title", "year", "eprint"},
    }

    assert needed[entry.kind] <= entry.fields.keys()
    assert ("eprint" in entry.fields) == ("archiveprefix" in entry.fields)
    assert all("," in author for author in entry.fields["author"].split(" and "))
    family, year = re.match(r"([a-z]+)(\d{4})[a-z]+$", key).groups()
    plain = re.sub(r"\\[vc]|[^A-Za-z]", "", entry.fields["author"].partition(",")[0]).lower()
    assert (plain, entry.fields["year"]) == (family, year)


@pytest.mark.parametrize("key", ENTRIES)
def test_identifiers_have_their_form(key):
    fields = ENTRIES[key].fields

    assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "0000.0000"))
    assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.0000/x"))
    first, _, last = fields.get("pages", "1--2").partition("--")
    assert int(first) < int(last)


@pytest.mark.parametrize("name", cell_names())
def test_the_source_of_a_cell_has_an_entry(name):
    assert find_reference(find_cell(name).source).key == find_cell(name).source


@pytest.mark.parametrize("name", MODIFIERS)
def test_the_source_of_a_modifier_has_an_entry(name):
    assert find_reference(MODIFIERS[name]).fields["title"]
