import pytest

from recurra.data.word_joining import WordJoiner


def join(units, rule="word"):
    return "".join(map(WordJoiner(rule), units))


@pytest.mark.parametrize(
    "text",
    [
        "Well, yes; no: why? Ha! 5% of it\u2026 (this) [that] {those}.",
        '"Come," he said. "Go."',
        "\u201cCome,\u201d he said. \u201cGo.\u201d",
        "\u201eKomm\u201c, sagte er.",
        "\u00ab oui \u00bb".replace(" ", ""),
        "\u00bbKomm\u00ab, sagte er.",
        "'Tis 'a' word",
        '("a")',
        "well -- yes",
        "Wait...",
        "one\ntwo\n\nthree\n",
        "\u2018It is \u201cnew\u201d\u2019, he said",
    ],
)
def test_text_written_by_the_rules_comes_back(text):
    # cut by hand: every sign by itself, words whole
    units, word = [], ""
    for character in text:
        if character.isalnum():
            word += character
            continue
        units += [word] if word else []
        word = ""
        units += [character] if character != " " else []
    units += [word] if word else []

    expected = text if not text.startswith("'Tis") else "'Tis' a 'word"
    assert join(units) == expected


def test_straight_quotes_begin_anew_in_each_line():
    assert join(['"', "a", "\n", '"', "b", '"', "c"]) == '"a\n"b" c'


def test_a_closing_mark_closes_the_marks_inside_it():
    assert join(["\u201c", "a", "'", "b", "\u201d", "c", "'", "d", "'"]) == "\u201ca 'b\u201d c 'd'"


def test_the_same_letter_twice_stays_apart():
    assert join(["a", "a", "-", "-", "1", "1"]) == "a a -- 1 1"


def test_no_space_stands_at_the_beginning():
    assert join(["a"]) == "a"
    assert join([]) == ""


def test_tokens_are_parted_by_single_spaces_except_at_line_ends():
    assert join(["a", ",", '"', "b", "\n", "(", "c", "\n", "\n", "d"], "whitespace") == 'a , " b\n( c\n\nd'
