import json

import pytest
import torch

from recurra.errors import DataError
from recurra.tasks.tag import TagTask, resume_task
from recurra.training import Callback, train
from recurra.training.evaluation import evaluate
from recurra.training.protocol import HasAssets, HasBaselines, HasReport, HasSummary
from recurra.training.updater import Updater
from tests.support.tag_runs import train_run
from tests.support.text_runs import Stop, assert_equal_runs

CPU = torch.device("cpu")


class Messages(Callback):
    """Keeps what was said to a person."""

    def __init__(self):
        self.lines = []

    def on_message(self, trainer, message):
        """Keep it."""
        self.lines.append(message)


@pytest.fixture
def task(tiny):
    """The tiny task."""
    return TagTask.from_config(tiny())


def test_the_task_keeps_to_all_protocols(task):
    assert isinstance(task, HasAssets)
    assert isinstance(task, HasBaselines)
    assert isinstance(task, HasSummary)
    assert isinstance(task, HasReport)


def test_an_epoch_of_training_holds_each_sentence_once(task):
    batches = task.batches("train", 5)

    seen = [int(sentence) for _ in range(task.num_batches("train")) for sentence in next(batches).sentences]

    assert sorted(seen) == list(range(60))


def test_batches_go_on_from_any_cursor(task):
    batches = task.batches("train", 5)
    first = [next(batches) for _ in range(12)]

    again = task.batches("train", 5, first[8].cursor)

    assert [next(again).sentences.tolist() for _ in range(3)] == [one.sentences.tolist() for one in first[9:]]


def test_an_evaluation_reads_each_sentence_once(task):
    seen = [int(sentence) for batch in task.batches("test", 1) for sentence in batch.sentences]

    assert sorted(seen) == list(range(12))
    assert task.num_batches("test") == 2


def test_training_learns_the_tags_and_writes_a_report(tiny, tmp_path):
    folder = tmp_path / "run"

    result = train_run(tiny(training={"max_steps": 60, "lr": 0.03}), folder)

    assert result["best"]["test"]["accuracy"] == 1.0
    assert result["best"]["validation"]["loss"] < 0.2
    assert list(result["best"]["validation"]) == ["accuracy", "loss"]
    assert result["baselines"]["test"]["most frequent tag of the word"] == {"accuracy": 1.0}
    assert "words_per_s" in result
    assert (folder / "plots" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "mistakes.tsv").read_text() == "words\ttrue\tpredicted\tword\tsentence\n"


def test_mistakes_are_listed_with_their_sentence(tiny, tmp_path):
    config, messages = tiny(training={"max_steps": 0}), Messages()

    result = train(TagTask.from_config(config), config.training, run=tmp_path / "run", callbacks=[messages])

    rows = (tmp_path / "run" / "mistakes.tsv").read_text().splitlines()[1:]
    counts = [int(row.split("\t")[0]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    for row in rows:
        _, true, predicted, word, sentence = row.split("\t")
        assert true != predicted
        assert f"[[{word}]]" in sentence
    num_words = sum(len(path.read_text().split()) // 2 for path in tmp_path.glob("test.conll"))
    assert len(rows) == round((1 - result["best"]["test"]["accuracy"]) * num_words)
    assert f"{len(rows):,} of {num_words:,} test words have a wrong tag" in messages.lines[-1]


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_entity_figures_select_where_tags_mark_entities(tiny, entity_file, output):
    data = {"data": (entity_file,), "validation_data": (entity_file,), "test_data": ()}
    task = TagTask.from_config(tiny(data=data, model={"output": output}))
    model = task.build_model()

    figures = evaluate(task, model, "validation", 1, CPU)

    assert list(figures) == ["f1", "precision", "recall", "accuracy", "loss"]
    assert model.has_constraints
    assert task.baselines("validation")["most frequent tag of the word"]["f1"] == 1.0


@pytest.mark.parametrize("model", [{"char_features": "none"}, {"char_features": "cnn", "output": "crf"}])
def test_other_models_train_too(tiny, tmp_path, model):
    result = train_run(tiny(model=model, training={"max_steps": 60, "lr": 0.03}), tmp_path / "run")

    assert result["best"]["test"]["accuracy"] == 1.0


def test_a_resumed_run_ends_like_one_that_was_not_stopped(tiny, tmp_path):
    config = tiny()
    train(TagTask.from_config(config), config.training, run=tmp_path / "whole")

    train(TagTask.from_config(config), config.training, run=tmp_path / "parts", callbacks=[Stop(4)])
    train(resume_task(tmp_path / "parts"), run=tmp_path / "parts", resume=True)

    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")
    assert (tmp_path / "whole/mistakes.tsv").read_text() == (tmp_path / "parts/mistakes.tsv").read_text()


def test_a_run_whose_data_changed_is_not_resumed(tiny, files, tmp_path):
    folder = tmp_path / "run"
    train_run(tiny(training={"max_steps": 0}), folder)
    files[0].write_text(files[0].read_text() + "\nbird\tNOUN\n")

    with pytest.raises(DataError, match="have changed since the run began: 61 instead of 60 train"):
        resume_task(folder)


def test_the_report_says_when_nothing_was_evaluated_anew(task, tmp_path):
    task.metrics("test")

    (line,) = task.report(tmp_path)

    assert line == "no new mistakes.tsv and plots/confusion.png: nothing was evaluated"


def test_samples_are_the_same_sentences_with_errors_marked(task):
    model = task.build_model().eval()

    one, other = task.sample(model, 1), task.sample(model, 2)

    assert one == other
    head, *lines = one[0].split("\n")
    truth = task.data.parts["validation"]
    assert 1 <= len(lines) <= 6
    tokens = [token for line in lines for token in line.replace("(not ", "(").split(" ")]
    assert head == f"[{sum('(' not in token for token in tokens)} of {len(tokens)} words right]"
    known = {" ".join(truth.words(index)) for index in range(len(truth))}
    assert {
        " ".join(token.partition("/")[0] for token in line.replace("(not ", "(").split(" ")) for line in lines
    } <= known


def test_the_summary_counts_sentences_tags_words_and_parameters(task):
    lines = task.summary(task.build_model())

    assert lines[0].startswith("train 60 sentences (")
    assert "3 tags: " in "\n".join(lines)
    assert any(line.startswith("11 words and") for line in lines)
    num_parameters = sum(parameter.numel() for parameter in task.build_model().parameters())
    assert lines[-1] == (
        f"model: lstm, 1 x 8 units in each direction, characters: recurrent, softmax, {num_parameters:,} parameters"
    )


def test_vectors_begin_the_embedding_and_may_be_frozen(tiny, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("dog 1 2 3 4 5 6 7 8\ncat 8 7 6 5 4 3 2 1\n")
    task = TagTask.from_config(tiny(model={"vectors": str(path), "freeze_vectors": True}))

    model = task.build_model()

    assert model.embedding.weight[task.data.encoder.words.index("dog")].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert not model.embedding.weight.requires_grad
    assert any(line.startswith("vectors: 2 of 7 words") and line.endswith("frozen") for line in task.summary(model))


def test_a_run_with_vectors_is_resumed_without_their_file(tiny, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("dog 1 2 3 4 5 6 7 8\n")
    config = tiny(model={"vectors": str(path)})
    train(TagTask.from_config(config), config.training, run=tmp_path / "run", callbacks=[Stop(4)])
    path.unlink()

    result = train(resume_task(tmp_path / "run"), run=tmp_path / "run", resume=True)

    assert result["stopped"] == "finished"


def test_the_configuration_of_a_run_leaves_nothing_open(tiny, tmp_path):
    folder = tmp_path / "run"

    train_run(tiny(model={"embedding_size": None}, training={"max_steps": 0}), folder)

    text = (folder / "config.toml").read_text()

    assert "embedding_size = 100" in text
    assert 'constraints = "none"' in text
    assert json.loads((folder / "data.json").read_text())["sizes"] == {"train": 60, "validation": 10, "test": 12}


def test_wrapped_models_give_the_same_loss(task, tiny):
    model = task.build_model().eval()
    batch = next(iter(task.batches("validation", 1)))

    with torch.no_grad():
        direct = task.loss(model, batch, None)
        wrapped = task.loss(Updater(model, tiny().training).wrapped.eval(), batch, None)

    assert float(direct.loss) == float(wrapped.loss)
