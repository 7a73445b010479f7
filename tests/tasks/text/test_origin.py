"""Starting from the weights of a run with other tokens, and a tokeniser that was swapped behind a run's back."""

import json
import shutil

import pytest
import torch

import recurra
from recurra.errors import ConfigError, DataNotFoundError, RunError, VocabularyError
from recurra.tasks.text import TextTask, resume_task
from tests.support.text_runs import tiny_config, train_run

TEXT = "The cat sat on the mat.\nThe dog sat on the log.\n" * 40


@pytest.fixture(scope="module")
def words(tmp_path_factory, cache):
    """The folder of a run of words; tests read it only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    path = tmp_path_factory.mktemp("origin") / "text.txt"
    path.write_text(TEXT)
    train_run(tiny_config(path, tokenizer="word"), path.parent / "run")
    patch.undo()
    return path.parent / "run"


@pytest.mark.parametrize(("tokenizer", "size"), [("char", None), ("whitespace", None), ("bpe", 280)])
def test_weights_over_another_kind_of_tokens_are_refused(words, tokenizer, size):
    config = tiny_config(
        words.parent / "text.txt", tokenizer=tokenizer, max_vocab_size=size, model={"init_from": str(words)}
    )

    with pytest.raises(ConfigError, match=f"expected the weights of a run with tokenizer = {tokenizer}, got word"):
        TextTask.from_config(config)


def test_words_are_matched_by_name(words, tmp_path):
    (tmp_path / "other.txt").write_text("The hen sat on the dog.\n" * 60)
    config = tiny_config(tmp_path / "other.txt", tokenizer="word", model={"init_from": str(words)})

    task = TextTask.from_config(config)
    model, origin = task.build_model(), recurra.load(words)

    for word in ("dog", ".", "The"):
        ours, theirs = (each.vocabulary.index(word) for each in (task.data.tokenizer, origin.tokenizer))
        assert torch.equal(model.decoder.weight[ours], origin.model.decoder.weight[theirs])
    said = "\n".join(task.summary(model))
    assert "weights from " in said
    assert "7 of 8 symbols have theirs" not in said  # "The" "sat" "on" "the" "dog" "." of seven words
    assert "6 of 7 symbols have theirs from there" in said
    assert "new symbols, with fresh weights: 'hen'" in said
    assert "symbols of that run that this text lacks: 'cat' 'mat' 'log'" in said


def test_a_vocabulary_swapped_for_another_is_found_out(words, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(words, copy)
    (tmp_path / "other.txt").write_text(TEXT.replace("cat", "tac"))
    train_run(tiny_config(tmp_path / "other.txt", tokenizer="word"), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "vocab.json", copy / "vocab.json")

    for open_it in (recurra.load, resume_task):
        with pytest.raises(VocabularyError, match="is not the one that the run was trained with") as caught:
            open_it(copy)
        assert "put the old vocab.json or tokenizer.json back" in caught.value.hint


def test_words_of_the_vocabulary_in_another_order_are_found_out(words, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(words, copy)
    content = json.loads((copy / "vocab.json").read_text())
    content["vocabulary"]["symbols"].reverse()
    (copy / "vocab.json").write_text(json.dumps(content))

    with pytest.raises(VocabularyError, match="is not the one that the run was trained with"):
        recurra.load(copy)


def test_a_folder_without_tokenizer_or_description_is_refused(words, tmp_path):
    for name, error in (("vocab.json", DataNotFoundError), ("data.json", RunError)):
        copy = tmp_path / name
        shutil.copytree(words, copy)
        (copy / name).unlink()

        with pytest.raises(error, match=name):
            recurra.load(copy)
