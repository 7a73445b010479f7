import json
import os

import pytest

from recurra.data import Sources
from recurra.errors import DataError, DataTooShortError, RunError
from recurra.tasks.tag.config import DataConfig
from recurra.tasks.tag.data import open_data, open_encoder, open_files, reopen_data, save_data
from recurra.tasks.tag.encoding import Encoder
from recurra.training.run_folder import RunFolder


def sentences(encoded):
    """Return the sentences of a part as texts."""
    return [" ".join(encoded.words(index)) for index in range(len(encoded))]


def test_files_of_each_part_are_that_part(files):
    data = open_data(DataConfig(data=(files[0],), validation_data=(files[1],), test_data=(files[2],)))

    assert [data.size(part) for part in ("train", "validation", "test")] == [60, 10, 12]
    assert data.encoder.tags == ("DET", "NOUN", "VERB")


def test_equal_sentences_of_one_file_are_in_one_part(files):
    data = open_data(DataConfig(data=(files[0],), validation_fraction=0.2, test_fraction=0.2))

    texts = [set(sentences(data.parts[part])) for part in ("train", "validation", "test")]
    assert sum(data.size(part) for part in data.parts) == 60
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


def test_a_test_file_alone_leaves_validation_to_be_cut_off(files):
    data = open_data(DataConfig(data=(files[0],), test_data=(files[2],), validation_fraction=0.2))

    assert data.size("test") == 12
    assert data.size("train") + data.size("validation") == 60
    assert not set(sentences(data.parts["train"])) & set(sentences(data.parts["validation"]))


def test_no_test_part_is_needed(files):
    data = open_data(DataConfig(data=(files[0],), validation_data=(files[1],)))

    assert data.size("test") == 0
    assert list(data.parts) == ["train", "validation"]


def test_sentences_that_also_stand_in_the_training_part_are_counted(files):
    data = open_data(DataConfig(data=(files[0],), validation_data=(files[0],), test_data=(files[2],)))

    assert data.notes["validation"] == ("60 of 60 sentences also stand in the training part",)
    known = set(sentences(data.parts["train"]))
    count = sum(text in known for text in sentences(data.parts["test"]))
    assert data.notes["test"] == ((f"{count} of 12 sentences also stand in the training part",) if count else ())


def test_tags_unseen_in_training_are_named_and_counted(files, tmp_path):
    odd = tmp_path / "odd.conll"
    odd.write_text("the\tDET\nwow\tINTJ\n\nyes\tINTJ\n")

    data = open_data(DataConfig(data=(files[0],), validation_data=(odd,)))

    assert data.notes["validation"] == (
        "2 words have a tag that no training word has (INTJ): they count as errors, and the loss leaves their "
        "sentences out",
    )


def test_one_tag_for_all_words_is_refused(tmp_path):
    path = tmp_path / "one.conll"
    path.write_text("".join(f"w{index}\tX\n\n" for index in range(20)))

    with pytest.raises(DataError, match="expected at least two tags in the training part, got 'X' for all words"):
        open_data(DataConfig(data=(path,), min_count=1))


def test_a_data_set_of_another_kind_is_refused(files):
    with pytest.raises(
        DataError,
        match=r"expected files or data sets of tagged words for data, got builtin:place-names, a data set",
    ) as caught:
        open_data(DataConfig(data=("builtin:place-names",)))

    assert "recurra data list" in caught.value.hint


def test_too_few_sentences_are_refused(tmp_path):
    path = tmp_path / "few.conll"
    path.write_text("a\tX\nb\tY\n")

    with pytest.raises(DataTooShortError, match=r"tag expected sentences for training, .*got 1 sentences"):
        open_data(DataConfig(data=(path,)))


@pytest.fixture
def saved(files, tmp_path):
    """A folder with the data of a run, and its configuration."""
    config = DataConfig(data=(files[0],), validation_data=(files[1],))
    folder = tmp_path / "run"
    folder.mkdir()
    save_data(open_data(config), folder)
    return RunFolder(folder), config


def test_saved_data_are_found_again(saved):
    folder, config = saved

    again, first = reopen_data(folder, config), open_data(config)

    assert again.encoder == first.encoder
    assert again.record == first.record
    assert again.parts["train"].forms.tolist() == first.parts["train"].forms.tolist()


@pytest.mark.parametrize("change", [("the\tDET", "the\tNOUN"), ("\n\n", "\n")])
def test_changed_data_are_told(saved, files, change):
    folder, config = saved
    files[0].write_text(files[0].read_text().replace(*change, 1))

    with pytest.raises(DataError, match="have changed since the run began"):
        reopen_data(folder, config)


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"words": {}, "chars": {}, "tags": []})])
def test_a_damaged_vocabulary_is_told(saved, content):
    folder, config = saved
    (folder.path / "vocab.json").write_text(content)

    with pytest.raises(RunError, match=r"vocab\.json is missing or damaged"):
        open_encoder(folder, config)


def test_files_are_read_whole_for_an_evaluation(saved, files):
    folder, config = saved
    encoder = open_encoder(folder, config)

    encoded, notes = open_files([str(files[1]), str(files[2])], config, encoder)

    assert len(encoded) == 22
    assert notes == ()


@pytest.mark.realdata
@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA names no folder with real files")
def test_emerging_entities_have_no_test_part():
    data = open_data(DataConfig(data=("wnut17",)))

    assert [data.size(part) for part in ("train", "validation", "test")] == [3394, 1009, 0]


def test_tags_that_are_not_bio_are_counted_for_a_run_of_entities(entity_file, tmp_path):
    config = DataConfig(data=(entity_file,))
    encoder = Encoder.of([["a"]], [["B-per", "O"]], lowercase=True, min_count=1, max_vocab_size=None)
    odd = tmp_path / "odd.conll"
    odd.write_text("Ann\tB-per\nhe\tPRON\n\nRome\tB-loc\n")

    _, notes = open_files([str(odd)], config, encoder)

    assert notes == (
        "2 words have a tag that no training word has (PRON, B-loc): they count as errors, and the loss leaves their "
        "sentences out",
        "1 word has a tag that is not BIO (PRON): the figures of entities take it for O",
    )


def test_a_file_without_any_tag_of_the_run_is_refused(saved, tmp_path):
    folder, config = saved
    other = tmp_path / "other.conll"
    other.write_text("".join(f"w\tX{number}\n" for number in range(7)))

    with pytest.raises(
        DataError, match=r"expected tags that the run knows in .*other\.conll, got X0, X1, X2, X3, X4, \.\.\.\n"
    ) as caught:
        open_files([str(other)], config, open_encoder(folder, config))

    assert caught.value.hint == "the run knows DET, NOUN, VERB"


def test_a_data_set_with_parts_of_its_own_is_no_file_to_evaluate_on(saved, files, monkeypatch):
    folder, config = saved
    own = Sources(("emerging",), (files[0],), (files[1],), (files[2],), kind="tags")
    monkeypatch.setattr("recurra.tasks.shared.sources.resolve", lambda names: own)

    with pytest.raises(DataError, match="expected files that are one part, got emerging, which has parts of its own"):
        open_files(["emerging"], config, open_encoder(folder, config))
