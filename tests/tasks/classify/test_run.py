import io
import json
import math

import numpy as np
import pytest

from recurra import load
from recurra.errors import ArgumentError, DataError, RunError, VocabularyError
from recurra.tasks.classify import ClassifyRun

from .conftest import WORDS, sentences, write_table


@pytest.fixture(scope="module")
def run(run_folder):
    return load(run_folder)


@pytest.fixture(scope="module")
def array_run(array_folder):
    return load(array_folder)


def test_a_prediction_has_label_probability_and_text(run):
    one, other = run.predict(["this is lovely and warm", "an awful\tgrim thing"])

    assert isinstance(run, ClassifyRun)
    assert (one.label, other.label) == ("good", "bad")
    assert one.probability == one.probabilities["good"] > 0.5
    assert sum(one.probabilities.values()) == pytest.approx(1)
    assert other.to_line() == f"bad\t{other.probability:.4f}\tan awful grim thing"
    assert json.loads(json.dumps(one.to_json()))["probabilities"] == one.probabilities


def test_neighbours_and_batches_do_not_change_a_prediction(run):
    texts = [text for text, _ in sentences(30, seed=5)] + ["", " ", "unheard"]

    together = run.predict(texts)

    for text, prediction in zip(texts, together, strict=True):
        (alone,) = run.predict([text])
        assert alone.probability == pytest.approx(prediction.probability, abs=1e-6)
        assert alone.text == prediction.text == text


def test_an_empty_text_has_a_prediction_and_no_texts_have_none(run):
    (prediction,) = run.predict([""])

    assert 0 <= prediction.probability <= 1
    assert run.predict([]) == []


def test_line_breaks_are_read_as_the_spaces_that_files_have(run):
    one, other = run.predict(["lovely\nand\r\nwarm", "lovely and warm"])

    assert one.probabilities == other.probabilities


def test_a_stream_and_a_file_of_lines_give_a_prediction_a_line(run, tmp_path, monkeypatch):
    monkeypatch.setattr("recurra.tasks.classify.run._AT_A_TIME", 7)
    lines = [text for text, _ in sentences(20, seed=9)] + ["", "  ", "last one"]
    content = "\n".join(lines) + "\n"
    (tmp_path / "lines.txt").write_text(content, encoding="utf-8")

    streamed = list(run.iter_predictions(io.BytesIO(content.encode())))
    read = list(run.iter_predictions(str(tmp_path / "lines.txt")))

    assert [prediction.text for prediction in streamed] == lines
    assert [prediction.text for prediction in read] == lines
    assert [prediction.to_line() for prediction in streamed] == [prediction.to_line() for prediction in read]


def test_a_table_needs_no_labels_to_be_predicted(run, tmp_path):
    path = write_table(tmp_path / "new.csv", [("lovely", "1"), ("awful", "2")], ("text", "other"))

    assert [prediction.label for prediction in run.iter_predictions(path)] == ["good", "bad"]


def test_an_evaluation_of_a_part_equals_the_result_of_the_run(run, run_folder):
    result = json.loads((run_folder / "result.json").read_text())

    evaluation = run.evaluate("test")

    assert (evaluation.size, evaluation.unit, evaluation.what) == (12, "examples", "test part")
    assert evaluation.figures == pytest.approx(result["best"]["test"], abs=1e-6)
    classes, confusion = evaluation.tables
    assert classes.header == ("class", "precision", "recall", "f1", "support")
    assert [row[0] for row in classes.rows] == ["bad", "good"]
    assert sum(row[4] for row in classes.rows) == sum(sum(row[1:]) for row in confusion.rows) == 12
    assert json.dumps(evaluation.to_json())


def test_files_are_evaluated_as_a_whole(run, tmp_path):
    rows = [(f"so {WORDS[label][0]}", label) for label in ("good", "bad") for _ in range(3)] + [("so lovely", "bad")]
    path = write_table(tmp_path / "more.csv", rows)

    evaluation = run.evaluate(files=[path])

    predictions = run.predict([text for text, _ in rows])
    probs = [one.probabilities[label] for (_, label), one in zip(rows, predictions, strict=True)]
    assert evaluation.size == 7
    assert evaluation.figures["accuracy"] == pytest.approx(6 / 7)
    assert evaluation.figures["loss"] == pytest.approx(-np.mean(np.log(probs)))
    precision = 3 / 4
    f1 = [2 * 3 / (4 + 3), 2 * precision * 1 / (1 + precision)]
    assert evaluation.figures["macro_f1"] == pytest.approx(np.mean(f1))


def test_labels_that_the_run_does_not_know_are_named(run, tmp_path):
    path = write_table(tmp_path / "odd.csv", [("a", "good"), ("b", "so-so")])

    with pytest.raises(
        DataError, match=r"labels of .*odd\.csv among those of the training part, 'bad', 'good'; got 's"
    ):
        run.evaluate(files=[path])


def test_a_part_that_is_not_there_is_refused(tmp_path, table):
    from recurra.tasks.classify import ClassifyTask
    from recurra.training import train

    from .conftest import small_config

    config = small_config(table, training={"max_steps": 1}, test_fraction=0.0)
    train(ClassifyTask.from_config(config), config.training, run=tmp_path / "run")

    with pytest.raises(RunError, match="the run has no test part"):
        load(tmp_path / "run").evaluate("test")


def test_attention_is_shared_out_among_the_tokens(run, array_run):
    weights = run.attention("lovely unheard more")

    assert [token for token, _ in weights] == ["lovely", "<unk>", "more"]
    assert math.isclose(sum(weight for _, weight in weights), 1, rel_tol=1e-6)
    with pytest.raises(ArgumentError, match="attention expected a model of texts, got one of numbers"):
        array_run.attention("text")


def test_numbers_are_predicted_from_arrays_and_files(array_run, arrays):
    rising = np.stack([np.arange(6.0), np.zeros(6)], 1)

    predictions = array_run.predict([rising, -rising, rising[:0]])

    assert [prediction.label for prediction in predictions[:2]] == ["rising", "falling"]
    assert predictions[0].text == "example 1 (6 steps)"
    assert len(list(array_run.iter_predictions(arrays))) == 90
    assert array_run.evaluate(files=[arrays]).figures["accuracy"] > 0.85


def test_inputs_of_another_kind_are_refused(run, array_run):
    with pytest.raises(ArgumentError, match="expected several texts, got the string 'lovely'"):
        run.predict("lovely")
    with pytest.raises(ArgumentError, match="a model of texts expected texts, got ndarray"):
        run.predict([np.zeros((3, 2))])
    with pytest.raises(ArgumentError, match=r"arrays of shape \(n, 2\), got the text 'lovely'"):
        array_run.predict(["lovely"])
    with pytest.raises(ArgumentError, match=r"arrays of shape \(n, 2\), got \(3, 4\)"):
        array_run.predict([np.zeros((3, 4))])


def test_a_tokeniser_that_is_not_the_run_s_own_is_refused(run_folder, tmp_path):
    import shutil

    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "vocab.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"lovely"', '"lively"'), encoding="utf-8")

    with pytest.raises(VocabularyError, match="is not the one that the run was trained with"):
        load(tmp_path / "run")
