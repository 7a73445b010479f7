import gzip
import lzma
from collections import Counter

import conllu
import pytest

from recurra.data.tagged_sentences import is_tagged_file, iter_tagged, read_tagged
from recurra.errors import ChoiceError, DataError, DataNotFoundError, EncodingError

CONLLU = """\
# sent_id = 1
1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tdo\tdo\tAUX\tVBP\tMood=Ind|Number=Sing\t0\troot\t_\t_
2\tn't\tnot\tPART\tRB\t_\t1\tadvmod\t_\t_
2.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t0:root\t_

# a comment
1\tNew York\tYork\tPROPN\tNNP\tNumber=Sing\t0\troot\t_\t_
"""


def test_a_file_of_two_columns_gives_words_and_tags(write):
    path = write("Paris\tB-place\nis\tO\n\nHi\tO\n", "a.conll")

    read = read_tagged([path])

    assert read.words == [["Paris", "is"], ["Hi"]]
    assert read.tags == [["B-place", "O"], ["O"]]
    assert (len(read), read.num_words, read.notes) == (2, 3, ())


def test_lines_of_white_space_end_a_sentence_and_several_are_one(write):
    path = write("a\tX\n\t\nb\tY\n  \n\n\t\t\nc\tX\n\n", "a.bio")

    assert read_tagged([path]).words == [["a"], ["b"], ["c"]]


def test_spaces_part_columns_where_there_is_no_tab_and_the_last_column_is_the_tag(write):
    path = write("EU NNP  I-NP B-ORG\nrejects VBZ I-VP O\n", "a.txt")

    assert read_tagged([path]).tags == [["B-ORG", "O"]]
    assert read_tagged([path], "2").tags == [["NNP", "VBZ"]]


def test_words_keep_spaces_and_odd_white_space_where_tabs_part_columns(write):
    path = write("New York\tB\n\u200b\tO\nto\u00a0be\tO\n", "a.tsv")

    assert read_tagged([path]).words == [["New York", "\u200b", "to\u00a0be"]]


def test_beginnings_of_documents_are_left_out_and_counted(write):
    path = write("-DOCSTART- -X- O\n\na X O\n\n-DOCSTART- -X- O\n\nb X O\n", "a.conll")

    read = read_tagged([path])

    assert read.words == [["a"], ["b"]]
    assert read.notes == ("2 lines -DOCSTART- are left out",)


def test_conllu_leaves_out_ranges_and_empty_nodes(write):
    read = read_tagged([write(CONLLU, "a.conllu")])

    assert read.words == [["do", "n't"], ["New York"]]
    assert read.tags == [["AUX", "PART"], ["PROPN"]]
    assert read.notes == ("1 ranges of several words are left out", "1 empty nodes are left out")


@pytest.mark.parametrize(
    ("column", "tags"),
    [
        ("UPOS", [["AUX", "PART"], ["PROPN"]]),
        ("xpos", [["VBP", "RB"], ["NNP"]]),
        ("deprel", [["root", "advmod"], ["root"]]),
        ("Number", [["Sing", "_"], ["Sing"]]),
    ],
)
def test_any_column_or_feature_of_conllu_can_be_the_tag(write, column, tags):
    assert read_tagged([write(CONLLU, "a.conllu")], column).tags == tags


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_packed_files_are_told_apart_by_the_name_in_front(write, suffix, pack):
    path = write(pack(CONLLU.encode()), f"a.conllu.{suffix}")

    assert read_tagged([path]).words == [["do", "n't"], ["New York"]]


def test_files_are_read_one_after_the_other_and_their_notes_added_up(write):
    paths = [write(CONLLU, "a.conllu"), write("x\tNOUN\n", "b.conll"), write(CONLLU, "c.conllu")]

    read = read_tagged(paths)

    assert len(read) == 5
    assert read.notes[0] == "2 ranges of several words are left out"


def test_words_alone_can_be_read_where_no_tags_are_needed(write):
    path = write("a\nb\n\nc\n", "a.conll")

    assert [sentence.words for sentence in iter_tagged(path, need_tags=False)] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.conll", "a\tX\nb\n", r"expected 2 columns, as in the lines before, in line 2 of .*a\.conll, got 1$"),
        ("a.conll", "\na\tX\nb\tc\tX\n", r"in line 3 of .*a\.conll, got 3$"),
        ("a.conll", "a\nb\n", r"expected a word and a tag in each line of .*, got one column"),
        ("a.conll", "a\tX\n\tX\n", r"expected a word and a tag in line 2 of .*a\.conll, got '\\tX'$"),
        ("a.conll", "a\tX\nb\t\n", r"expected a word and a tag in line 2 of .*a\.conll, got 'b\\t'$"),
        ("a.conll", "\n\n", r"expected tagged sentences in .*a\.conll, got none$"),
        ("a.conllu", "1\ta\tb\n", r"expected the 10 columns of CoNLL-U, parted by tabs, in line 1 of .*, got 3$"),
        ("a.conllu", "x" + "\t_" * 9, r"expected CoNLL-U in line 1 of .*, got: 'x' is not a valid ID"),
        ("a.conllu", "1\t\t_\tNOUN" + "\t_" * 6, r"expected a word and a tag in line 1 of .*a\.conllu, got"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(write, name, text, message):
    path = write(text, name)

    with pytest.raises(DataError, match=message):
        read_tagged([path])


def test_unknown_columns_and_names_are_refused(write):
    two = write("a\tX\n", "a.conll")

    with pytest.raises(ChoiceError, match=r"the column of tags in .* to be one of 2; got '3'"):
        read_tagged([two], "3")
    with pytest.raises(ChoiceError, match=r"the column of CoNLL-U to be one of upos, xpos, .*; got 'upso'"):
        read_tagged([write(CONLLU, "a.conllu")], "upso")
    with pytest.raises(ChoiceError, match=r"the end of the name .*a\.csv to be one of \.conllu, .*; got '\.csv'"):
        read_tagged([write("a,X\n", "a.csv")])


def test_missing_and_broken_files_are_told(write, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nothing\.conll, got nothing"):
        read_tagged([tmp_path / "nothing.conll"])
    with pytest.raises(EncodingError, match=r"byte 0xe9 in line 2"):
        read_tagged([write(b"a\tX\ncaf\xe9\tX\n", "a.conll")])
    with pytest.raises(EncodingError, match="NUL"):
        read_tagged([write(b"a\tX\nb\0\tX\n", "a.conll")])


def test_plain_text_is_told_apart_by_its_name():
    assert is_tagged_file("a.conllu.gz")
    assert is_tagged_file("a.CONLL")
    assert not is_tagged_file("a.txt")
    assert not is_tagged_file("a.txt.gz")


@pytest.mark.realdata
@pytest.mark.parametrize(("part", "sentences", "words"), [("dev", 2001, 25_147), ("test", 2077, 25_094)])
def test_the_web_treebank_is_read_as_the_library_reads_it(real_data, part, sentences, words):
    path = real_data / "ud_english_ewt" / f"en_ewt-ud-{part}.conllu.gz"
    expected = conllu.parse(gzip.decompress(path.read_bytes()).decode())

    read = read_tagged([path])
    numbers = read_tagged([path], "Number")

    kept = [[token for token in sentence if isinstance(token["id"], int)] for sentence in expected]
    assert (len(read), read.num_words) == (sentences, words)
    assert read.words == [[token["form"] for token in sentence] for sentence in kept]
    assert read.tags == [[token["upos"] for token in sentence] for sentence in kept]
    assert numbers.tags == [[(token["feats"] or {}).get("Number", "_") for token in sentence] for sentence in kept]


@pytest.mark.realdata
def test_emerging_entities_are_read_with_their_odd_lines(real_data):
    train, dev = (read_tagged([real_data / "wnut17" / name]) for name in ("wnut17train.conll", "emerging.dev.conll"))

    assert (len(train), train.num_words) == (3394, 62_730)
    assert (len(dev), dev.num_words) == (1009, 15_733)
    assert len(Counter(tag for tags in train.tags for tag in tags)) == 13
