"""Subwords as tokens, from the configuration to a trained run."""

import json
import math
import random
import shutil

import pytest
import torch
from torch.nn import functional

import recurra
from recurra.errors import ArgumentError, DataTooShortError, VocabularyError
from recurra.tasks.text import TextTask, resume_task
from recurra.tasks.text.run import stream
from tests.support.text_runs import assert_equal_runs, tiny_config, train_in_two, train_run

SYLLABLES = ("ba", "ké", "lo", "字", "mü", "ra")


def story(num_lines, seed=0):
    drawn = random.Random(seed)
    lines = (" ".join("".join(drawn.choices(SYLLABLES, k=2)) for _ in range(4)) for _ in range(num_lines))
    return "".join(f"{line}.\n" for line in lines)


TEXT = story(160)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cache):
    """A trained run; tests read it only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    path = tmp_path_factory.mktemp("subwords") / "story.txt"
    path.write_text(TEXT, encoding="utf-8")
    train_run(tiny_config(path, tokenizer="bpe", max_vocab_size=290, training={"max_steps": 60}), path.parent / "run")
    patch.undo()
    return path.parent / "run"


@pytest.fixture(scope="module")
def run(folder):
    return recurra.load(folder)


def test_the_parts_are_those_of_the_text_and_nothing_is_lost(run):
    data = run.data()
    parts = [run.tokenizer.decode(data.ids.read(*data.range(part))) for part in ("train", "validation", "test")]

    size = len(TEXT)
    first, second = size - 2 * round(size * 0.05), size - round(size * 0.05)
    assert parts == [TEXT[:first], TEXT[first:second], TEXT[second:]]
    assert len(run.tokenizer) == 290
    assert len(data.ids) < size / 2


def test_only_the_training_part_makes_the_subwords(tmp_path):
    (tmp_path / "story.txt").write_text(story(100) + "zoo zoo zoo.\n" * 10, encoding="utf-8")

    task = TextTask.from_config(tiny_config(tmp_path / "story.txt", tokenizer="bpe", max_vocab_size=400))

    assert not any("zo" in symbol for symbol in task.data.tokenizer.vocabulary.known)
    assert task.unit == "subword"


def test_the_figures_are_those_of_the_logits_and_bits_are_per_character(run):
    data = run.data()
    start, stop = data.splits.validation
    ids = torch.from_numpy(data.ids.read(start, stop))[:, None]
    text = run.tokenizer.decode(ids[:, 0].numpy())

    figures = run.evaluate("validation")

    with torch.no_grad():
        expected = functional.cross_entropy(run.model(ids[:-1])[0][:, 0], ids[1:, 0], reduction="sum").item()
    num_chars = len(text) - len(run.tokenizer.decode(ids[:1, 0].numpy()))
    assert (figures["num_tokens"], figures["num_chars"]) == (len(ids) - 1, num_chars)
    assert figures["loss"] == pytest.approx(expected / (len(ids) - 1), rel=1e-5)
    assert figures["bits_per_char"] == pytest.approx(expected / math.log(2) / num_chars, rel=1e-5)


def test_another_file_has_no_unknown_symbols(run, tmp_path):
    text = "Überall \U0001f600 <unk> bakéba\n"
    (tmp_path / "other.txt").write_text(text, encoding="utf-8")
    ids = torch.from_numpy(run.tokenizer.encode(text))[:, None]

    figures = run.evaluate(files=(str(tmp_path / "other.txt"),))

    with torch.no_grad():
        expected = functional.cross_entropy(run.model(ids[:-1])[0][:, 0], ids[1:, 0]).item()
    assert run.tokenizer.unknown_in(text) == []
    assert figures["loss"] == pytest.approx(expected, rel=1e-5)
    # the first token is a byte of the first character, which begins in it
    assert figures["num_chars"] == len(text) - 1


def test_the_pieces_of_a_text_join_to_whole_characters(run):
    writer = run.writer(temperature=0, seed=1)
    prime = writer.read("ba字")

    pieces = [piece for (piece,) in writer.write(30)]

    ids = torch.from_numpy(run.tokenizer.encode("ba字"))
    state, drawn = None, []
    with torch.no_grad():
        logits, state = run.model(ids[:, None], state)
        for _ in range(30):
            allowed = logits[-1, 0].clone()
            allowed[:3] = -math.inf
            drawn.append(int(allowed.argmax()))
            logits, state = run.model(torch.tensor([[drawn[-1]]]), state)
    assert prime == "ba字"
    assert "".join(pieces) == run.tokenizer.decode(drawn)


def test_samples_and_copying_work_on_subwords(run):
    (text,) = resume_task(run.folder.path).sample(run.model, seed=1)

    assert text.startswith("[temperature 1: ")
    assert "of its words are in the training text]\n" in text
    assert run.copied_share([TEXT[: TEXT.index("\n", 300) + 1]]) == 1.0
    assert run.copied_share(["Q" * 40]) == 0.0


def test_a_resumed_run_of_subwords_ends_bit_for_bit_the_same(tmp_path):
    (tmp_path / "story.txt").write_text(TEXT, encoding="utf-8")
    config = tiny_config(
        tmp_path / "story.txt",
        tokenizer="bpe",
        max_vocab_size=280,
        vary_bptt=True,
        training={"max_steps": 50, "num_samples": 2, "num_validations": 3},
    )

    train_run(config, tmp_path / "whole")
    train_in_two(config, tmp_path / "parts", stop_at=29)

    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_run_goes_on_with_its_own_subwords_when_cache_and_text_are_gone(tmp_path, monkeypatch):
    path = tmp_path / "story.txt"
    path.write_text(TEXT, encoding="utf-8")
    train_run(tiny_config(path, tokenizer="bpe", max_vocab_size=280), tmp_path / "run")
    expected = resume_task(tmp_path / "run")

    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "empty-cache"))
    again = resume_task(tmp_path / "run")

    assert again.data.tokenizer.fingerprint == expected.data.tokenizer.fingerprint
    assert (again.data.ids.read(0, len(again.data.ids)) == expected.data.ids.read(0, len(expected.data.ids))).all()


def test_another_tokenizer_in_the_folder_is_found_out(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    path = tmp_path / "run" / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    pair = content["model"]["merges"].pop()
    merged = "".join(pair if isinstance(pair, list) else pair.split(" "))
    del content["model"]["vocab"][merged]
    path.write_text(json.dumps(content), encoding="utf-8")

    for open_it in (recurra.load, resume_task):
        with pytest.raises(VocabularyError, match="is not the one that the run was trained with"):
            open_it(tmp_path / "run")


def test_a_vocabulary_without_room_for_the_bytes_is_refused(tmp_path):
    (tmp_path / "story.txt").write_text(TEXT, encoding="utf-8")

    with pytest.raises(ArgumentError, match="expected vocab_size to be at least 260"):
        TextTask.from_config(tiny_config(tmp_path / "story.txt", tokenizer="bpe", max_vocab_size=259))


def test_too_few_subwords_to_train_on_are_counted_in_subwords(tmp_path):
    (tmp_path / "story.txt").write_text("baba " * 30, encoding="utf-8")

    with pytest.raises(DataTooShortError, match="expected a training part of at least 40 subwords for batch_size=4"):
        TextTask.from_config(tiny_config(tmp_path / "story.txt", tokenizer="bpe"))


@pytest.mark.parametrize("cut", range(1, 25, 3))
def test_a_text_saved_anywhere_and_gone_on_with_equals_one_written_at_once(run, tmp_path, cut):
    def drawn(writer, length):
        return "".join(piece for (piece,) in stream(writer, length, is_over=lambda: False))

    whole, first = (run.writer(seed=3, temperature=3.0) for _ in range(2))
    expected = drawn(whole, 25)
    pieces = first.write(cut)
    beginning = "".join(next(pieces)[0] for _ in range(cut))  # left before the end: nothing is flushed
    first.save(tmp_path / "state")
    second = run.writer(seed=9, temperature=3.0)
    second.load(tmp_path / "state", keep_seed=False)

    assert beginning + drawn(second, 25 - cut) == expected
