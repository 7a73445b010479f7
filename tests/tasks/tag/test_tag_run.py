import io

import pytest
import torch

import recurra
from recurra.errors import ArgumentError, DataError, RunError
from recurra.tasks.tag import TagRun, open_run
from tests.support.tag_runs import tiny_config, train_run, write_entities, write_parts

LEARNED = {"max_steps": 60, "lr": 0.03, "num_samples": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run that knows its few words."""
    folder = tmp_path_factory.mktemp("words")
    train_run(tiny_config(write_parts(folder), training=LEARNED), folder / "run")
    return open_run(folder / "run")


@pytest.fixture(scope="module")
def entity_run(tmp_path_factory):
    """A trained run whose tags mark entities."""
    folder = tmp_path_factory.mktemp("entities")
    path = write_entities(folder)
    train_run(tiny_config((path, path), training=LEARNED), folder / "run")
    return open_run(folder / "run")


def test_a_run_is_loaded_by_its_folder(run):
    loaded = recurra.load(run.folder.path)

    assert isinstance(loaded, TagRun)
    assert loaded.tags == ("DET", "NOUN", "VERB")
    assert not loaded.model.training
    assert recurra.load(run.folder.path, checkpoint="last").step == 60


def test_raw_sentences_and_words_are_tagged(run):
    raw, words, empty = run.predict(["the dog sees", ["a", "bird"], ""])

    assert raw.to_line() == "the/DET dog/NOUN sees/VERB"
    assert words.tags == ("DET", "NOUN")
    assert (empty.words, empty.tags) == ((), ())
    assert "entities" not in raw.to_json()


def test_predictions_do_not_depend_on_the_sentences_beside(run):
    texts = ["the dog sees a cat", "hears", "a bird hears the unknown"]

    together = run.predict(texts)

    assert together == [run.predict([text], batch_size=1)[0] for text in texts]


def test_lines_of_text_and_of_a_stream_are_read_as_raw_sentences(run, tmp_path):
    path = tmp_path / "raw.txt"
    path.write_text("the dog sees\n\nhears\n")

    of_file, of_stream = (
        [prediction.to_line() for prediction in run.iter_predictions(source)]
        for source in (path, io.BytesIO(path.read_bytes()))
    )

    assert of_file == of_stream == ["the/DET dog/NOUN sees/VERB", "", "hears/VERB"]


def test_files_of_columns_come_back_in_columns(run, tmp_path):
    path = tmp_path / "words.conll"
    path.write_text("the\tX\ndog\tX\n\nhears\tX\n")

    lines = [prediction.to_line() for prediction in run.iter_predictions(path)]

    assert lines == ["the\tDET\ndog\tNOUN\n", "hears\tVERB\n"]


def test_files_are_read_in_chunks(run, tmp_path, monkeypatch):
    monkeypatch.setattr("recurra.tasks.tag.run._CHUNK", 2)
    path = tmp_path / "raw.txt"
    path.write_text("the dog\n" * 5)

    predictions = run.iter_predictions(path)

    assert [prediction.to_line() for prediction in predictions] == ["the/DET dog/NOUN"] * 5


def test_white_space_can_part_the_words_of_raw_sentences(tiny, tmp_path):
    config = tiny(data={"raw_words": "whitespace"}, training={"max_steps": 0})
    train_run(config, tmp_path / "run")

    assert open_run(tmp_path / "run").predict(["don't @me"])[0].words == ("don't", "@me")


def test_entities_come_with_predictions(entity_run):
    prediction = entity_run.predict(["Ann Lee likes New York"])[0]

    assert [(entity.kind, entity.text) for entity in prediction.entities] == [("per", "Ann Lee"), ("loc", "New York")]
    assert prediction.to_json()["entities"][0] == {"kind": "per", "begin": 0, "end": 2, "text": "Ann Lee"}


def test_an_evaluation_has_the_figures_of_the_training(run):
    result = run.evaluate("test")

    assert result.figures["accuracy"] == 1.0
    assert (result.what, result.size, result.unit) == ("test part", 12, "sentences")
    assert [row[0] for row in result.tables[0].rows] == ["DET", "NOUN", "VERB"]
    assert result.to_json()["figures"] == result.figures


def test_an_evaluation_of_entities_has_a_table_of_kinds(entity_run):
    result = entity_run.evaluate()

    assert result.figures["f1"] == 1.0
    assert [table.title for table in result.tables] == ["entities", "tags"]
    assert result.notes == ("12 of 12 sentences also stand in the training part",)


def test_other_files_can_be_evaluated_with_tags_unknown_to_the_run(run, tmp_path):
    path = tmp_path / "other.conll"
    path.write_text("the\tDET\ndog\tNOUN\n\nhey\tINTJ\nthe\tDET\n")

    result = run.evaluate(files=[str(path)])

    assert result.size == 2
    assert result.figures["accuracy"] in (0.5, 0.75)
    assert "1 word has a tag that no training word has (INTJ)" in result.notes[0]
    assert ("INTJ", 0.0, 0.0, 0.0, 1) in result.tables[0].rows


def test_wrong_use_is_told(run, tmp_path):
    with pytest.raises(ArgumentError, match="predict expected several sentences, got the string 'the dog'") as caught:
        run.predict("the dog")
    assert caught.value.hint == "give [sentence]"
    with pytest.raises(ArgumentError, match="predict expected batch_size of at least 1, got 0"):
        run.predict(["the dog"], batch_size=0)
    path = tmp_path / "no_tags.conll"
    path.write_text("the\ndog\n")
    with pytest.raises(DataError, match="expected a word and a tag in each line of"):
        run.evaluate(files=[str(path)])


def test_a_part_that_is_not_there_is_told(entity_run):
    with pytest.raises(RunError, match="the run has no test part"):
        entity_run.evaluate("test")


def test_opening_a_run_leaves_the_random_state_alone(run):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()

    open_run(run.folder.path)

    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["columns.txt", "columns.text"])
def test_columns_in_a_file_of_text_are_refused(run, tmp_path, name):
    path = tmp_path / name
    path.write_text("the\tDET\ndog\tNOUN\n\nhears\tVERB\n")

    with pytest.raises(
        DataError, match=f"expected a sentence a line in .*{name}, got columns parted by tabs"
    ) as caught:
        list(run.iter_predictions(path))

    assert caught.value.hint.startswith("end its name in .conll")


def test_sentences_that_hold_tabs_are_text(run, tmp_path):
    path = tmp_path / "tabs.txt"
    path.write_text("the\tdog sees\nhears\n")

    assert [prediction.words for prediction in run.iter_predictions(path)] == [("the", "dog", "sees"), ("hears",)]
