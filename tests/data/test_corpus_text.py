import pytest

from recurra.data import Columns, find_lines, iter_characters, iter_line_characters, open_corpus

TEXT = "caf\u00e9\n\n\U0001f600 b\nc\n" * 5


@pytest.fixture
def corpus(cache, write):
    return open_corpus([write(TEXT)], columns=Columns())


@pytest.mark.parametrize("block_chars", [1, 7, 1 << 20])
def test_the_text_of_a_range_comes_back(corpus, monkeypatch, block_chars):
    monkeypatch.setattr("recurra.data.corpus_text._BLOCK_CHARS", block_chars)

    assert "".join(iter_characters(corpus, 2, 20)) == TEXT[2:20]
    assert list(iter_characters(corpus, 3, 3)) == []


@pytest.mark.parametrize("tokens_at_a_time", [1, 3, 7, 1 << 20])
def test_the_text_of_lines_comes_back_with_their_ends(corpus, monkeypatch, tokens_at_a_time):
    monkeypatch.setattr("recurra.data.lines._TOKENS_AT_A_TIME", tokens_at_a_time)
    lines, _ = find_lines(corpus.raw, corpus.newline_id)

    parts = list(iter_line_characters(corpus, lines.take([7, 2, 3, 2])))

    assert "".join(parts) == "\U0001f600 b\nc\ncaf\u00e9\nc\n"
    assert len(parts) == -(-9 // tokens_at_a_time)


def test_no_lines_have_no_text(corpus):
    lines, _ = find_lines(corpus.raw, corpus.newline_id)

    assert list(iter_line_characters(corpus, lines.take([]))) == []
