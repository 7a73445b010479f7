"""``recurra score``: what it prints, in which order, and from where it reads."""

import gzip
import io
import json
import math
import sys

import pytest

import recurra
from recurra.cli.main import main

LINES = ["The dog sat on the log.", "log the on sat dog The", "", "T", "The cat sat on the mat. The cat"]


@pytest.fixture(scope="session")
def scores(trained):
    """What the library says of the same lines."""
    return recurra.load(trained).score(LINES)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def score(trained, capsys):
    def run(*arguments):
        assert main(["score", str(trained), *map(str, arguments)]) == 0
        said = capsys.readouterr()
        return said.out.splitlines(), said.err

    return run


def rows_of(lines):
    return [line.split("\t") for line in lines]


def test_one_row_a_line_with_the_figures_of_the_library(score, file, scores):
    out, err = score(file)

    head, *rows = rows_of(out)
    assert head == ["log_prob", "nats/character", "bits/char", "perplexity/character", "characters", "unknown", "text"]
    assert rows == [
        [
            f"{each.log_prob:.4f}",
            f"{each.loss:.4f}",
            f"{each.bits_per_char:.4f}",
            f"{each.perplexity:.2f}",
            str(len(line) + 1),
            "0",
            line,
        ]
        for line, each in zip(LINES, scores, strict=True)
    ]
    total, count = sum(each.log_prob for each in scores), sum(len(line) + 1 for line in LINES)
    assert err == (
        f"5 lines, {count} characters: {-total / count:.4f} nats per character, "
        f"{-total / count / math.log(2):.4f} bits per character, "
        f"perplexity {math.exp(-total / count):.2f} per character\n"
    )


def test_json_holds_the_same_and_nothing_else_is_on_standard_output(score, file, scores):
    out, _ = score(file, "--json")

    assert [json.loads(line) for line in out] == [each.to_json() for each in scores]


def test_the_tokens_stand_below_their_line_when_asked(score, file, scores):
    out, _ = score(file, "--per-token")
    as_json, _ = score(file, "--per-token", "--json")

    rows = rows_of(out)[1:]
    expected = []
    for each in scores:
        expected.append(each.text)
        pairs = zip(each.tokens, each.token_log_probs, strict=True)
        expected += [("", f"{value:.4f}", repr(token)) for token, value in pairs]
    assert [tuple(row) if row[0] == "" else row[-1] for row in rows] == expected
    assert json.loads(as_json[3])["tokens"] == [
        {"token": token, "log_prob": pytest.approx(value)}
        for token, value in zip(scores[3].tokens, scores[3].token_log_probs, strict=True)
    ]


@pytest.mark.parametrize(("rank", "figure"), [("total", "log_prob"), ("per-token", "loss"), ("per-char", "loss")])
def test_ranks_put_the_likeliest_first(score, file, scores, rank, figure):
    out, err = score(file, "--rank", rank)

    sign = -1 if rank == "total" else 1
    expected = sorted(range(5), key=lambda number: sign * getattr(scores[number], figure))
    assert [row[-1] for row in rows_of(out)[1:]] == [LINES[number] for number in expected]
    assert expected != list(range(5))
    assert err.startswith("5 lines, ")


def test_lines_without_any_figure_are_ranked_last(score, file):
    out, _ = score(file, "--rank", "per-token", "--no-end")

    assert rows_of(out)[-1] == ["0.0000", "nan", "nan", "nan", "0", "0", ""]


def test_the_state_may_be_carried_and_the_end_left_out(score, file, trained):
    run = recurra.load(trained)

    carried, _ = score(file, "--json", "--carry-state")
    open_ended, _ = score(file, "--json", "--no-end")

    assert [json.loads(line)["log_prob"] for line in carried] == [
        pytest.approx(each.log_prob) for each in run.score(LINES, carry_state=True)
    ]
    assert [json.loads(line)["num_tokens"] for line in open_ended] == [len(line) for line in LINES]


def test_standard_input_is_read_and_may_be_empty(score, scores, monkeypatch):
    def given(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    # other line ends, and a last line without one
    given("\r\n".join(LINES).encode())
    out, _ = score("-", "--json")
    assert [json.loads(line)["text"] for line in out] == LINES
    assert json.loads(out[0]) == scores[0].to_json()
    given(b"")
    assert score("-") == ([], "no lines\n")


def test_compressed_files_and_tabs_are_read(score, tmp_path):
    (tmp_path / "lines.txt.gz").write_bytes(gzip.compress(b"The\tcat\n"))

    out, _ = score(tmp_path / "lines.txt.gz")

    assert rows_of(out)[1][-1] == "The cat"
    assert len(rows_of(out)[1]) == 7
    as_json, _ = score(tmp_path / "lines.txt.gz", "--json")
    assert json.loads(as_json[0])["text"] == "The\tcat"


def test_unknown_tokens_are_told(score, tmp_path):
    (tmp_path / "lines.txt").write_text("Thé\nThe ü ü\n", encoding="utf-8")

    out, err = score(tmp_path / "lines.txt")

    assert [row[5] for row in rows_of(out)[1:]] == ["1", "2"]
    assert err.endswith("; unknown characters, whose spelling costs nothing here: 3\n")


def test_words_are_called_words(text_file, tmp_path, capsys):
    options = ["--tokenizer", "word", "--max-steps", "1", "--batch-size", "2", "--bptt", "8", "--num-samples", "0"]
    assert main(["train", "text", "--data", str(text_file), "--run", "run", "--hidden-size", "8", *options]) == 0
    capsys.readouterr()
    (tmp_path / "lines.txt").write_text("The cat sat.\n")

    assert main(["score", "run", "lines.txt"]) == 0

    said = capsys.readouterr()
    assert rows_of(said.out.splitlines())[0][1] == "nats/word"
    assert rows_of(said.out.splitlines())[1][4] == "5"
    assert said.err.startswith("1 lines, 5 words: ")
    assert main(["evaluate", "run", "lines.txt"]) == 0
    assert "nats per word" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "lines.txt"), (b"", "empty file"), (b"fine\nb\xffd\n", "in line 2"), (b"\0\1\2" * 99, "binary")],
)
def test_files_that_cannot_be_read_leave_standard_output_empty(trained, tmp_path, capsys, content, expected):
    if content is not None:
        (tmp_path / "lines.txt").write_bytes(content)

    code = main(["score", str(trained), "lines.txt"])

    said = capsys.readouterr()
    assert code == 2
    assert expected in said.err
    assert said.out == ""


def test_wrong_runs_conditions_and_checkpoints(fails, trained, file, tmp_path):
    for arguments, expected in (
        ((tmp_path, file), "is no run"),
        ((trained, file, "--condition", "x"), "expected no condition for a model without labels, got 'x'"),
        ((trained, file, "--checkpoint", "123456"), "no checkpoint '123456'"),
        ((trained, file, "--rank", "best"), "--rank"),
        ((trained,), "FILE"),
    ):
        code, said = fails("score", *arguments)
        assert code == 2
        assert expected in said
