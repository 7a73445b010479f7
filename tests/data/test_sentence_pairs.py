import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.data import SentencePairs, read_pairs
from recurra.errors import DataError, DataNotFoundError, EncodingError

ENGLISH_FRENCH = "Go.\tVa !\nRun!\tCours !\nRun!\tCourez !\n"


def test_a_line_is_a_source_a_tab_and_a_target(write):
    pairs = read_pairs([write(ENGLISH_FRENCH)])

    assert pairs == SentencePairs(["Go.", "Run!", "Run!"], ["Va !", "Cours !", "Courez !"])
    assert len(pairs) == 3


def test_sides_can_be_swapped(write):
    pairs = read_pairs([write(ENGLISH_FRENCH)], swap=True)

    assert pairs.sources == ["Va !", "Cours !", "Courez !"]
    assert pairs.targets == ["Go.", "Run!", "Run!"]


def test_files_of_pairs_follow_each_other(write):
    paths = [write(f"{name}\t{name.upper()}\n", f"{name}.tsv") for name in "abc"]

    assert read_pairs(paths).sources == ["a", "b", "c"]
    assert read_pairs(paths[:2]).targets == ["A", "B"]


def test_what_stands_behind_a_second_tab_is_left_out_and_counted(write):
    pairs = read_pairs([write("Go.\tVa !\tCC-BY 2.0 (France)\tmore\nRun!\tCours !\n")])

    assert pairs.targets == ["Va !", "Cours !"]
    assert pairs.notes == ("1 of 2 lines have further columns, which are left out",)


def test_pairs_with_an_empty_side_are_left_out_and_counted(write):
    pairs = read_pairs([write("\na\tb\n\tc\nd\t  \n   \ne\tf\n")])

    assert pairs == SentencePairs(["a", "e"], ["b", "f"], ("4 of 6 pairs left out: a side is empty",))


def test_a_line_without_a_tab_is_an_error_with_its_number(write):
    path = write("a\tb\n\nDon't go there.\nc\td\n")

    with pytest.raises(DataError) as caught:
        read_pairs([path])

    assert caught.value.message == (
        f'expected a source, a tab and a target in each line of {path}, got line 3 without a tab: "Don\'t go there."'
    )
    assert "two files without tabs" in caught.value.hint


def test_a_long_line_is_shown_in_part(write):
    with pytest.raises(DataError, match=r"line 1 without a tab: '" + "x" * 60 + "…'"):
        read_pairs([write("x" * 1000 + "\n")])


def test_two_files_without_tabs_go_line_by_line(write):
    paths = write("\nein Hund\nzwei\tHunde \n", "a.de"), write("\na dog\n two dogs\n", "a.en")

    pairs = read_pairs(paths)

    assert pairs.sources == ["ein Hund", "zwei Hunde"]
    assert pairs.targets == ["a dog", "two dogs"]
    assert pairs.notes == ("1 of 3 pairs left out: a side is empty",)


def test_parallel_files_must_have_as_many_lines(write):
    first, second = write("a\nb\nc\n", "a.de"), write("x\ny\n", "a.en")

    for paths, counts in (((first, second), (3, 2)), ((second, first), (2, 3))):
        with pytest.raises(DataError) as caught:
            read_pairs(paths)
        assert caught.value.message == (
            f"expected parallel files of as many lines, got {counts[0]} in {paths[0]} and {counts[1]} in {paths[1]}"
        )


def test_of_two_files_with_tabs_in_one_all_lines_need_one(write):
    first, second = write("a\tb\n", "a.tsv"), write("c d\n", "b.tsv")

    with pytest.raises(DataError, match=r"each line of .*b\.tsv, got line 1 without a tab: 'c d'"):
        read_pairs([first, second])


def test_packed_files_are_unpacked(tmp_path):
    for name, text in (("a.de.gz", "ein Hund\n"), ("a.en.gz", "a dog\n")):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))

    assert read_pairs([tmp_path / "a.de.gz", tmp_path / "a.en.gz"]).targets == ["a dog"]


def test_control_characters_end_no_line(write):
    text = "one\x85two\u2028three\x0bfour\tend\x1c\n"

    assert read_pairs([write(text)]).sources == ["one\x85two\u2028three\x0bfour"]


def test_line_ends_of_other_systems_are_line_ends(write):
    assert read_pairs([write("a\tb\r\nc\td\r\n")]).targets == ["b", "d"]


def test_files_without_pairs_are_an_error(write):
    with pytest.raises(DataError, match=r"expected pairs of sentences in .*text\.txt, got 2 empty ones"):
        read_pairs([write("\t\n a \t\n")])
    with pytest.raises(DataError, match="got an empty file"):
        read_pairs([write("")])
    with pytest.raises(DataError, match="read_pairs expected at least one file, got none"):
        read_pairs([])


def test_what_is_no_text_is_an_error(write, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nothing: no such file"):
        read_pairs([tmp_path / "none.tsv"])
    with pytest.raises(EncodingError, match="got byte 0xff in line 2"):
        read_pairs([write(b"a\tb\n\xff\tc\n")])


def test_a_line_too_long_to_hold_is_an_error(write):
    path = write("a\tb\n" + "x" * 10_000_001 + "\ty\n")

    with pytest.raises(DataError, match=r"at most 10,000,000 characters in .*, got a longer one: line 2"):
        read_pairs([path])


_SIDE = st.text(st.characters(exclude_characters="\t\n\r\0\ufeff", exclude_categories=("Cs",)), min_size=1).filter(
    lambda text: text == text.strip() != ""
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(_SIDE, _SIDE), min_size=1, max_size=10))
def test_what_was_written_is_read_back_both_ways(write, rows):
    separated = write("".join(f"{a}\t{b}\n" for a, b in rows), "pairs.tsv")
    parallel = [write("".join(f"{row[side]}\n" for row in rows), f"side.{side}") for side in (0, 1)]

    assert read_pairs([separated]) == read_pairs(parallel) == SentencePairs(*map(list, zip(*rows, strict=True)))


@pytest.mark.realdata
def test_the_real_files_are_read_whole(real_data):
    english_french = read_pairs([real_data / "eng-fra" / "eng-fra.txt"])
    multi30k = read_pairs([real_data / "multi30k" / name for name in ("train.de.gz", "train.en.gz")])

    assert (len(english_french), english_french.notes) == (122_258, ())
    assert (len(multi30k), multi30k.notes) == (29_000, ())
    assert multi30k.targets[0] == "Two young, White males are outside near many bushes."
