"""How a text becomes parts of tokens: what is counted, what is said, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from recurra.data import LineSet, TokenIds
from recurra.errors import ConfigError, DataError, DataTooShortError
from recurra.tasks.text import DataConfig, TextTask
from recurra.tasks.text import parts as module
from recurra.tasks.text.data import open_files, open_text
from tests.support.text_runs import LOW, tiny_config

WORDS = "the  cat sat ,  on the\tmat . \n\n  a caf\u00e9 \U0001f600  is  open !  \nwell then\n"


@pytest.fixture
def file_of(tmp_path):
    def write(text, name="text.txt"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def opened(*data, **options):
    return open_text(DataConfig(data=data, batch_size=2, bptt=4, **{"validation_fraction": 0.3, **options}))[1]


# ---------------------------------------------------------------------- characters


@pytest.mark.parametrize("tokenizer", ["char", "word", "whitespace", "bpe"])
def test_the_characters_of_a_part_are_those_of_its_lines_with_their_ends(file_of, tokenizer):
    lines = [line for line in (WORDS * 5).split("\n") if line]
    data = opened(file_of(WORDS * 5), sequences="lines", tokenizer=tokenizer, split_seed=3)
    numbers = {start: number for number, start in enumerate(np.sort(np.concatenate(starts_of(data))).tolist())}

    for part in ("train", "validation"):
        own = [lines[numbers[start]] for start in data.parts[part].starts.tolist()]
        expected = sum(len(line) + 1 for line in own)
        assert data.chars_per_token(part) * data.size(part) == pytest.approx(expected)


def starts_of(data):
    return [data.parts[part].starts for part in ("train", "validation", "test")]


@pytest.mark.parametrize("tokenizer", ["word", "whitespace", "bpe"])
def test_lines_and_a_stream_of_the_same_text_have_as_many_characters(file_of, tokenizer):
    text = WORDS.replace("\n\n", "\n") * 20
    config = DataConfig(data=(file_of(text),), batch_size=2, bptt=4, tokenizer=tokenizer)
    tokenizer = open_text(config)[1].tokenizer

    stream = open_files(config.data, replace(config, sequences="stream"), tokenizer, ())
    lines = open_files(config.data, replace(config, sequences="lines"), tokenizer, ())

    assert lines.chars_per_token("all") * lines.size("all") == pytest.approx(len(text))
    # the first token of a stream is no target
    first = stream.count_chars(0, 1)
    assert stream.chars_per_token("all") * (stream.size("all") - 1) == pytest.approx(len(text) - first)


def test_of_a_line_that_is_cut_only_the_characters_read_count(file_of):
    path = file_of("one two  three four five\na b\n")
    config = DataConfig(data=(path,), sequences="lines", tokenizer="word", min_count=1, max_length=3)
    tokenizer = opened(file_of(WORDS * 20, "other.txt"), tokenizer="word", min_count=1).tokenizer

    lines = open_files((path,), config, tokenizer, ())

    assert lines.size("all") == 3 + 3
    assert lines.chars_per_token("all") * 6 == pytest.approx(len("one two  three") + len("a b\n"))


def test_a_last_line_without_an_end_counts_as_one_with(file_of):
    data = opened(file_of("\n".join(LOW)), sequences="lines", tokenizer="word", min_count=1)
    lines = data.parts["train"]
    last = lines.take(np.array([len(lines) - 1]))
    stop = int(last.starts[0] + last.lengths[0])
    open_ended = replace(last, ids=TokenIds(last.ids.raw[:stop], last.ids.table))

    found = replace(data, parts={**data.parts, "train": open_ended}).chars_per_token("train")

    assert found == replace(data, parts={**data.parts, "train": last}).chars_per_token("train")


@pytest.mark.parametrize("tokens_at_a_time", [1, 7, 1 << 20])
def test_characters_of_subwords_are_counted_in_blocks(file_of, monkeypatch, tokens_at_a_time):
    data = opened(file_of(WORDS * 20), tokenizer="bpe", max_vocab_size=270)
    largest = []
    read = TokenIds.map
    monkeypatch.setattr(TokenIds, "map", lambda self, raw: largest.append(raw.size) or read(self, raw))
    monkeypatch.setattr("recurra.data.lines._TOKENS_AT_A_TIME", tokens_at_a_time)

    assert data.count_chars(0, data.size("train")) + data.count_chars(data.size("train"), len(data.ids)) == (
        len(WORDS) * 20
    )
    assert max(largest) <= tokens_at_a_time


# ---------------------------------------------------------------------- what a person is told


def test_records_that_held_line_breaks_are_counted(file_of):
    rows = "".join(f'"{line}\n{line}"\n' for line in LOW)

    data = opened(file_of("text\n" + rows + "single\n", "table.csv"), text_column="text")

    assert data.facts.notes == (f"{len(LOW)} records held line breaks, which became spaces",)


def test_training_lines_are_hashed_once_and_only_for_files_of_their_own(file_of, monkeypatch):
    made = []
    monkeypatch.setattr(module, "LineSet", lambda lines: made.append(len(lines)) or LineSet(lines))
    path, other = file_of("\n".join(LOW)), file_of("\n".join(LOW[:3]), "other.txt")

    opened(path, sequences="lines")
    assert made == []
    data = opened(path, sequences="lines", test_data=(other,), validation_data=(other,))

    assert made == [len(LOW)]
    assert data.facts.notes == tuple(
        f"3 of 3 {part} lines also stand in the training part" for part in ("validation", "test")
    )


def test_of_a_test_file_alone_only_its_lines_are_looked_for(file_of):
    data = opened(file_of("\n".join(LOW)), sequences="lines", test_data=(file_of("zz\nqq\n", "other.txt"),))

    assert data.facts.notes == ()


def test_files_of_a_named_data_set_are_all_counted(tmp_path, monkeypatch, file_of):
    (tmp_path / "names").mkdir()
    for name in ("a", "b", "c"):
        file_of("\n".join(LOW), f"names/{name}.txt")
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    config = DataConfig(data=("names",))
    settled, data = open_text(config)

    again = open_files(("names",), settled, data.tokenizer, ())

    assert again.facts.num_files == (3, 0, 0)
    assert len(again.facts.sources) == 3


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("tokenizer", ["char", "word", "bpe"])
def test_blank_training_lines_are_said_to_be_none(file_of, tokenizer):
    blank, other = file_of("\n\n\n"), file_of("ab\ncd\n", "other.txt")

    with pytest.raises(DataError, match=r"at least two distinct (character|word)s, got none"):
        opened(blank, sequences="lines", tokenizer=tokenizer, validation_data=(other,))


def test_subwords_of_one_character_are_refused(file_of):
    with pytest.raises(DataError, match="at least two distinct characters, got 'a' over and over"):
        opened(file_of("a" * 5000), tokenizer="bpe", max_vocab_size=300)


def test_a_list_of_lines_is_no_stream():
    message = "expected sequences = lines for builtin:place-names, a list of lines, got stream"

    with pytest.raises(ConfigError, match=message):
        opened("builtin:place-names", sequences="stream")


def test_the_length_of_the_text_is_told_only_where_the_parts_are_shares_of_it(file_of):
    path, other = file_of("abc" * 10), file_of("abc" * 40, "other.txt")

    def refusal(**options):
        config = tiny_config(path, **options)
        data = open_text(config.data)[1]
        with pytest.raises(DataTooShortError) as caught:
            data.training_batches(replace(config.data, batch_size=9), 0)
        return caught.value.message

    own_files = refusal(validation_data=(other,))
    assert own_files.endswith("batch_size=9 and bptt=8, got 30")
    assert "with the same shares the whole text needs" in refusal(batch_size=1, validation_fraction=0.2)


def test_characters_may_be_made_lower_case(file_of):
    task = TextTask.from_config(tiny_config(file_of("The Cat \u0130s IN.\n" * 20), lowercase=True))

    tokenizer = task.data.tokenizer
    assert tokenizer.vocabulary.known == tuple(sorted(set("the cat is in."), key=tokenizer.vocabulary.index))
    assert tokenizer.decode(task.data.ids.read(0, 12)) == "the cat is i"
    assert tokenizer.unknown_in("THE CAT") == []
    with pytest.raises(ConfigError, match="expected the tokenizer char, word or whitespace with lowercase, got bpe"):
        DataConfig(lowercase=True, tokenizer="bpe")
