"""Runs of models of lines: training, resuming, writing."""

import pytest
import torch

import recurra
from recurra.data import BOS_ID, EOS_ID
from recurra.errors import ArgumentError, ChoiceError, ConfigError, DataError, RunError
from recurra.models import WordCache
from recurra.tasks.text import TextTask, resume_task
from tests.support.text_runs import HIGH, LOW, assert_equal_runs, tiny_config, train_in_two, train_run

SHARES = {"validation_fraction": 0.2, "test_fraction": 0.2}


@pytest.fixture(scope="module")
def plain(line_folders):
    return recurra.load(line_folders / "plain")


@pytest.fixture(scope="module")
def labelled(line_folders):
    return recurra.load(line_folders / "labelled")


# ---------------------------------------------------------------------- resuming


@pytest.mark.parametrize("options", [{}, {"tokenizer": "bpe", "max_vocab_size": 262}, {"tokenizer": "word"}])
def test_a_resumed_run_of_lines_ends_bit_for_bit_the_same(tmp_path, options):
    for name, lines in (("low", LOW), ("high", HIGH)):
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{line} and {line}" for line in lines))
    config = tiny_config(
        tmp_path / "low.txt",
        tmp_path / "high.txt",
        label_column="file",
        training={"max_steps": 40, "num_samples": 2, "num_validations": 3},
        **SHARES,
        **options,
    )

    train_run(config, tmp_path / "whole")
    train_in_two(config, tmp_path / "parts", stop_at=25)

    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_run_of_lines_finds_its_parts_again_from_the_files(line_folders, monkeypatch, tmp_path):
    expected = resume_task(line_folders / "labelled").data
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))

    found = resume_task(line_folders / "labelled").data

    assert found.record() == expected.record()
    assert found.facts.label_names == expected.facts.label_names == ("low", "high")


def test_another_split_in_the_configuration_is_found_out(tmp_path):
    (tmp_path / "low.txt").write_text("\n".join(LOW))
    train_run(tiny_config(tmp_path / "low.txt", sequences="lines", **SHARES), tmp_path / "run")
    path = tmp_path / "run" / "config.toml"
    path.write_text(path.read_text().replace("split_seed = 1", "split_seed = 2"))

    with pytest.raises(DataError, match=r"the parts of the text are not those in .*data\.json"):
        resume_task(tmp_path / "run")


# ---------------------------------------------------------------------- writing


def test_a_line_ends_by_itself_and_without_a_line_break(plain):
    texts = plain.generate_many(20, length=60, seed=1)

    assert all("\n" not in text for text in texts)
    assert all(0 <= len(text) < 60 for text in texts)
    assert len({len(text) for text in texts}) > 1


def test_a_line_is_what_the_model_says_from_the_begin_token_on(plain):
    text = plain.generate(temperature=0, length=60)

    ids = [BOS_ID]
    state, logits = None, None
    with torch.no_grad():
        while ids[-1] != EOS_ID:
            logits, state = plain.model(torch.tensor([[ids[-1]]]), state)
            allowed = logits[0, 0].clone()
            allowed[:3] = -torch.inf
            ids.append(int(allowed.argmax()))
    assert text == plain.tokenizer.decode(ids[1:-1])
    assert 0 < len(text) < 60


def test_a_prime_goes_behind_the_begin_token(plain):
    prime = plain.generate(temperature=0, length=60)[:1]
    whole = plain.generate(temperature=0, length=60)

    assert prime + plain.generate(prime, temperature=0, length=60) == whole


def test_lines_that_are_over_wait_for_the_others(plain):
    texts = plain.generate_many(8, length=60, seed=4)
    longest = max(map(len, texts))

    assert min(map(len, texts)) < longest
    # the same draws with a stop at another place: what is over does not change
    assert [text[:2] for text in texts] == plain.generate_many(8, length=2, seed=4)


def test_a_length_cuts_a_line_off(plain):
    assert {len(text) for text in plain.generate_many(9, "a", length=1, seed=3)} == {0, 1}
    assert plain.generate(length=0) == ""


def test_whole_lines_are_looked_for_in_the_training_part(plain):
    lines = plain.data().lines("train")
    first = plain.tokenizer.decode(lines.read(0))

    assert plain.copied_share([first, "abcabcabcabc"]) == 0.5
    assert plain.copied_share([first[:1] * 9]) == 0.0
    assert plain.copied_share([""]) is None


def test_a_label_decides_what_is_written(labelled):
    for label, letters in (("low", "abc"), ("high", "xyz")):
        texts = labelled.generate_many(15, condition=label, length=20, seed=2)
        assert sum(text.count(letter) for text in texts for letter in letters) > 0.9 * sum(map(len, texts)) > 10


def test_a_condition_is_missing_unknown_or_superfluous(plain, labelled):
    with pytest.raises(ArgumentError, match="expected a condition, got none; it knows low, high"):
        labelled.generate()
    with pytest.raises(ChoiceError, match="expected the condition to be one of low, high; got 'hihg'") as caught:
        labelled.generate(condition="hihg")
    assert "did you mean 'high'?" in caught.value.hint
    with pytest.raises(ArgumentError, match="expected no condition for a model without labels, got 'low'"):
        plain.generate(condition="low")
    for method in (labelled.draft, labelled.writer, lambda: labelled.score(["a"])):
        with pytest.raises(ArgumentError, match="expected a condition, got none"):
            method()


def test_other_lines_are_evaluated_with_the_labels_of_the_run(labelled, tmp_path):
    # the file of the other name comes first: its label still has the run's number
    for name, lines in (("high", HIGH[:10]), ("low", LOW[:10])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    files = (str(tmp_path / "high.txt"), str(tmp_path / "low.txt"))

    figures = labelled.evaluate(files=files)

    nats = -sum(
        score.log_prob
        for name, lines in (("high", HIGH[:10]), ("low", LOW[:10]))
        for score in labelled.score(lines, condition=name)
    )
    num_targets = sum(len(line) + 1 for line in HIGH[:10] + LOW[:10])
    assert figures["num_tokens"] == figures["num_chars"] == num_targets
    assert figures["loss"] == pytest.approx(nats / num_targets, rel=1e-5)
    (tmp_path / "middle.txt").write_text("aya\n")
    with pytest.raises(ChoiceError, match="labels of the text to be one of low, high; got 'middle'"):
        labelled.evaluate(files=(*files, str(tmp_path / "middle.txt")))


def test_lines_of_a_plain_file_are_evaluated_by_a_run_over_a_column(tmp_path):
    rows = "".join(f"{number},{line}\n" for number, line in enumerate(LOW))
    (tmp_path / "names.csv").write_text(rows)
    train_run(tiny_config(tmp_path / "names.csv", text_column="2", **SHARES), tmp_path / "run")
    (tmp_path / "lines.txt").write_text("\n".join(LOW[:9]))
    (tmp_path / "others.csv").write_text("".join(f"0,{line}\n" for line in LOW[:9]))

    run = recurra.load(tmp_path / "run")
    figures = [run.evaluate(files=(str(tmp_path / name),)) for name in ("lines.txt", "others.csv")]

    assert figures[0] == figures[1]
    nats = -sum(score.log_prob for score in run.score(LOW[:9]))
    assert figures[0]["loss"] * figures[0]["num_tokens"] == pytest.approx(nats, rel=1e-5)


def test_lines_begin_anew_each_so_nothing_is_reset_or_remembered(plain):
    with pytest.raises(ArgumentError, match="expected no reset_every for a model of lines"):
        plain.evaluate(reset_every=5)
    with pytest.raises(ArgumentError, match="expected no cache for a model of lines"):
        plain.evaluate(cache=WordCache(10, 0.1, 0.3))


def test_samples_show_lines_and_a_line_for_each_label(line_folders):
    for name, labels in (("plain", ()), ("labelled", ("low: ", "high: "))):
        task = resume_task(line_folders / name)
        (text,) = task.sample(recurra.load(line_folders / name).model, seed=1)

        head, *lines = text.split("\n")
        assert head.startswith("[temperature 1: ")
        assert head.endswith(f" of {len(lines)} are lines of the training part]")
        assert len(lines) == 10
        if labels:
            assert [line.startswith(labels[number % 2]) for number, line in enumerate(lines)] == [True] * 10


def test_weights_of_a_run_with_other_labels_are_refused(line_folders):
    config = tiny_config(
        line_folders / "low.txt", sequences="lines", model={"init_from": str(line_folders / "labelled")}, **SHARES
    )
    with pytest.raises(ConfigError, match=r"the weights of a run with the same labels \(none\), got low, high"):
        TextTask.from_config(config)


def test_a_line_that_is_over_stays_over(plain, tmp_path):
    writer = plain.writer(seed=2, num_samples=3)
    list(writer.write(60))
    writer.save(tmp_path / "state")
    later = plain.writer(seed=3, num_samples=3)
    later.load(tmp_path / "state", keep_seed=True)

    assert list(writer.write(5)) == list(later.write(5)) == [["", "", ""]]
    assert plain.generate("ab\n", length=5, seed=1) == ""


def test_a_state_of_a_line_can_be_saved_and_gone_on_with(labelled, tmp_path):
    def write(writer):
        return "".join(piece for (piece,) in writer.write(30))

    whole, first = (labelled.writer(seed=6, condition="high") for _ in range(2))
    for writer in (whole, first):
        writer.read("xy")
    first.save(tmp_path / "state")
    second = labelled.writer(seed=1, condition="high")
    second.load(tmp_path / "state", keep_seed=False)

    assert write(second) == write(whole)


def test_a_state_of_another_label_is_refused(labelled, tmp_path):
    labelled.writer(seed=6, condition="high").save(tmp_path / "state")

    with pytest.raises(RunError, match=r"the state in .* was written for another label"):
        labelled.writer(seed=6, condition="low").load(tmp_path / "state", keep_seed=False)
