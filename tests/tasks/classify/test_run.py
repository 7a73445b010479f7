import io
import json
import math

import numpy as np
import pytest

from recurra import load
from recurra.errors import ArgumentError, ChoiceError, ConfigError, DataError, RunError, VocabularyError
from recurra.tasks.classify import ClassifyRun, ClassifyTask
from recurra.training import train

from .conftest import WORDS, sentences, small_config, write_table


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


def test_columns_of_the_run_are_not_asked_of_other_files(tmp_path):
    rows = [(*row, part) for row, part in zip(sentences(40), ["train"] * 30 + ["dev"] * 10, strict=True)]
    path = write_table(tmp_path / "parts.csv", rows, ("review", "verdict", "part"))
    columns = {"text_column": "review", "label_column": "verdict", "split_column": "part"}
    config = small_config(path, training={"max_steps": 1}, **columns)
    train(ClassifyTask.from_config(config), config.training, run=tmp_path / "run")
    run = load(tmp_path / "run")
    for label in ("good", "bad"):
        (tmp_path / "folder" / label).mkdir(parents=True)
        (tmp_path / "folder" / label / "1.txt").write_text("lovely")
    folder = str(tmp_path / "folder")
    alike = write_table(tmp_path / "alike.csv", sentences(6, 3), ("review", "verdict"))
    other = write_table(tmp_path / "other.csv", sentences(6, 3), ("words", "mark"))

    sizes = [run.evaluate(files=[name]).size for name in (folder, alike)]
    of_other = run.evaluate(files=other, text_column="words", label_column="mark")

    assert sizes == [2, 6]
    assert of_other.figures == run.evaluate(files=alike).figures
    assert len(list(run.iter_predictions(folder))) == 2
    texts = [prediction.text for prediction in run.iter_predictions(other, text_column="words")]
    assert texts == [text for text, _ in sentences(6, 3)]
    with pytest.raises(ConfigError, match=r"expected no label_column for .*folder, where there are no columns, got m"):
        run.evaluate(files=[folder], label_column="mark")
    with pytest.raises(ConfigError, match="expected no text_column and no label_column without files"):
        run.evaluate(text_column="words")
    with pytest.raises(ConfigError, match="no text_column for a stream, whose lines are texts, got words"):
        list(run.iter_predictions(io.BytesIO(b"a"), text_column="words"))


def test_examples_that_the_run_was_trained_on_are_counted(run_folder, table, tmp_path):
    run = load(run_folder)
    data = run.data()
    seen = [(data.items[row], data.labels[data.targets[row]]) for row in data.parts["train"][:3]]
    path = write_table(tmp_path / "mixed.csv", [*seen, *sentences(10, 77)[5:]])
    parted = write_table(
        tmp_path / "parted.csv", [("a", "good", "train"), ("b", "bad", "test")], ("text", "label", "p")
    )

    mixed = run.evaluate(files=[path])
    whole = run.evaluate(files=[table])

    assert mixed.notes == ("3 of the 8 examples also stand in the run's training part",)
    assert whole.notes == ("96 of the 120 examples also stand in the run's training part",)
    assert run.evaluate(files=[parted]).notes == ()


def test_an_evaluation_without_the_data_of_the_run_says_what_it_does_not_know(tmp_path):
    path = tmp_path / "reviews.csv"
    config = small_config(write_table(path, sentences(40)), training={"max_steps": 1})
    train(ClassifyTask.from_config(config), config.training, run=tmp_path / "run")
    other = write_table(tmp_path / "other.csv", sentences(6, 3))
    for part, label in (("train", "good"), ("train", "bad"), ("test", "good")):
        (tmp_path / "aclImdb" / part / label).mkdir(parents=True)
        (tmp_path / "aclImdb" / part / label / "1.txt").write_text(f"{part} {label}")
    said = "the run's data are gone or have changed: not known how many of these are in its training part"
    run = load(tmp_path / "run")

    write_table(path, sentences(41))
    changed = run.evaluate(files=[other])
    path.unlink()
    gone = run.evaluate(files=[str(tmp_path / "aclImdb")])

    assert changed.notes == (said,)
    assert gone.notes == ("all parts together: 2 train, 1 test", said)


def test_a_part_or_a_source_that_cannot_be_is_refused(run, tmp_path):
    with pytest.raises(ChoiceError, match="expected split to be one of train, validation, test; got 'nope'"):
        run.evaluate("nope")
    with pytest.raises(ConfigError, match="expected files to be a path, a name, or a sequence of these, got 3"):
        run.evaluate(files=3)
    with pytest.raises(ArgumentError, match="iter_predictions expected a path or a binary stream, got list"):
        list(run.iter_predictions(["lovely"]))


def test_a_record_without_labels_is_refused(run_folder, tmp_path):
    import shutil

    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "data.json"
    content = json.loads(path.read_text())

    for facts, said in (
        ({**content["facts"], "labels": None}, r"expected the labels of the classes .* data\.json of .*run, got None"),
        ({**content["facts"], "tokenizer": None}, r"expected either a tokenizer or an input_size among the facts"),
    ):
        path.write_text(json.dumps({**content, "facts": facts}))
        with pytest.raises(RunError, match=said):
            load(tmp_path / "run")


def test_a_part_that_is_not_there_is_refused(tmp_path, table):
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
    with pytest.raises(ArgumentError, match="expected finite numbers, as float32, got nan in step 2"):
        array_run.predict([np.array([[0, 0], [1, np.nan]])])
    with pytest.raises(ArgumentError, match=r"expected finite numbers, as float32, got 1e\+300 in step 1"):
        array_run.predict([np.full((4, 2), 1e300)])
    with pytest.raises(ArgumentError, match="expected real numbers, got an array of <U1"):
        array_run.predict([[["a", "b"]]])
    with pytest.raises(ArgumentError, match=r"arrays of shape \(n, 2\), got: "):
        array_run.predict([[[1, 2], [3]]])


def test_a_tokeniser_that_is_not_the_run_s_own_is_refused(run_folder, tmp_path):
    import shutil

    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "vocab.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"lovely"', '"lively"'), encoding="utf-8")

    with pytest.raises(VocabularyError, match="is not the one that the run was trained with"):
        load(tmp_path / "run")


def test_long_texts_make_smaller_batches_and_no_other_predictions(run, monkeypatch):
    texts = [" ".join(["lovely"] * 30), "an awful thing", "warm", "grim and awful", ""]
    whole, figures = run.predict(texts), run.evaluate("validation").figures
    sizes = []
    hook = run.model.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[:2])))
    for module in ("predictions", "data"):
        monkeypatch.setattr(f"recurra.tasks.classify.{module}.MAX_PADDED_STEPS", 8)

    split = run.predict(texts)
    split_figures = run.evaluate("validation").figures
    hook.remove()

    assert [one.probability for one in split] == pytest.approx([one.probability for one in whole], abs=1e-6)
    assert split_figures == pytest.approx(figures)
    assert sizes[0][1] == 1
    assert all(count == 1 or length * count <= 8 for length, count in sizes)
