import dataclasses
import json

import numpy as np
import pytest
import torch

from recurra.data import Cursor
from recurra.errors import ConfigError, DataError
from recurra.tasks.classify import ClassifyTask, ModelConfig, resume_task
from recurra.tasks.classify.building import Shape, build_model, count_parameters, count_recurrent, equal_width
from recurra.training import Trainer, train
from recurra.training.run_folder import RunFolder

from .conftest import sentences, small_config, write_table


def result_of(config):
    return train(ClassifyTask.from_config(config), config.training)


@pytest.mark.parametrize(
    "model",
    [
        *({"pooling": pooling} for pooling in ("last", "mean", "max", "attention")),
        {"model": "cnn"},
        {"model": "mlp"},
        {"class_weights": "balanced", "label_smoothing": 0.1, "cell": "gru", "bidirectional": False},
    ],
)
def test_every_model_learns_what_adjectives_say(table, model):
    result = result_of(small_config(table, model))

    assert result["best"]["test"]["accuracy"] > 0.9
    assert result["baselines"]["test"]["majority class"]["accuracy"] < 0.7
    assert result["baselines"]["test"]["logistic regression on words"]["accuracy"] == 1.0


def test_numbers_are_learnt_too(arrays):
    result = result_of(small_config(arrays, {"embedding_size": None}, tokenizer="auto"))

    assert result["best"]["test"]["accuracy"] > 0.85
    name = "logistic regression on mean, deviation and last step"
    assert result["baselines"]["test"][name]["accuracy"] > 0.85


def test_characters_have_a_baseline_of_their_own(table):
    task = ClassifyTask.from_config(small_config(table, tokenizer="char"))

    figures = task.baselines("validation")

    assert set(figures) == {"majority class", "logistic regression on characters"}
    counts = task.data.class_counts("train")
    targets = task.data.targets[task.data.parts["validation"]]
    expected = -np.log((counts / counts.sum())[targets]).mean()
    assert figures["majority class"]["loss"] == pytest.approx(expected)


def test_a_run_that_was_stopped_goes_on_bit_for_bit(table, tmp_path):
    config = small_config(table, {"output_dropout": 0.5, "word_dropout": 0.2}, {"max_steps": 16})
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train(ClassifyTask.from_config(config), config.training, run=whole)

    with pytest.raises(KeyboardInterrupt):
        train(ClassifyTask.from_config(config), config.training, run=parted, callbacks=[StopAt(9)])
    train(resume_task(parted), run=parted, resume=True)

    weights = [RunFolder(folder).checkpoints.load("last").weights for folder in (whole, parted)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    rows = [
        [row for row in RunFolder(folder).read_rows() if row["split"] == "validation"] for folder in (whole, parted)
    ]
    keep = ("step", "accuracy", "macro_f1", "loss")
    assert [[row[key] for key in keep] for row in rows[0]] == [[row[key] for key in keep] for row in rows[1]]


class StopAt:
    """Breaks off a run after a step, as a kill does; the checkpoint before it is what is left."""

    def __init__(self, step):
        self.step = step

    def __getattr__(self, event):
        if not event.startswith("on_"):
            raise AttributeError(event)
        return lambda *values: None

    def on_step(self, trainer, loss, grad_norm):
        if trainer.progress.step == self.step:
            raise KeyboardInterrupt


def test_padding_changes_neither_loss_nor_gradient(table):
    task = ClassifyTask.from_config(small_config(table, {"label_smoothing": 0.1, "class_weights": "balanced"}))
    torch.manual_seed(0)
    model = task.build_model().eval()
    batch = task.data.batch(np.arange(20), Cursor())
    is_behind = torch.arange(len(batch.inputs)).unsqueeze(1) >= batch.lengths
    assert is_behind.any()
    other = dataclasses.replace(batch, inputs=batch.inputs.masked_fill(is_behind, 5))

    found = []
    for each in (batch, other):
        model.zero_grad()
        loss = task.loss(model, each, None).loss
        loss.backward()
        found.append([loss.detach(), *(parameter.grad.clone() for parameter in model.parameters())])

    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_weights_and_smoothing_are_for_the_gradient_alone(table):
    task = ClassifyTask.from_config(small_config(table, {"label_smoothing": 0.2, "output_dropout": 0.0}))
    plain = ClassifyTask.from_config(small_config(table, {"output_dropout": 0.0}))
    torch.manual_seed(0)
    model = task.build_model()
    batch = next(iter(task.batches("validation", 1)))

    evaluated = task.loss(model.eval(), batch, None)
    trained = task.loss(model.train(), batch, None)

    assert evaluated.penalty is None
    assert torch.equal(evaluated.loss, plain.loss(model.eval(), batch, None).loss)
    log_probs = trained.outputs.log_probs.detach().double().numpy()
    wanted = 0.8 * np.eye(2)[batch.targets.numpy()] + 0.1
    expected = -(wanted * log_probs).sum(1).mean()
    assert float((trained.loss + trained.penalty).detach()) == pytest.approx(expected, abs=1e-6)


def test_training_batches_can_begin_anywhere(table):
    task = ClassifyTask.from_config(small_config(table))
    stream = iter(task.batches("train", 3))
    first = [next(stream) for _ in range(30)]

    again = iter(task.batches("train", 3, first[13].cursor))

    for batch in first[14:]:
        other = next(again)
        assert np.array_equal(batch.rows, other.rows)
        assert torch.equal(batch.inputs, other.inputs)
        assert batch.cursor == other.cursor
    passes = np.sort(np.concatenate([batch.rows for batch in first[: task.num_batches("train")]]))
    assert np.array_equal(passes, task.data.parts["train"])


def test_an_evaluation_holds_every_example_once(table):
    task = ClassifyTask.from_config(small_config(table))

    rows = np.concatenate([batch.rows for batch in task.batches("test", 1)])

    assert np.array_equal(np.sort(rows), task.data.parts["test"])


def test_an_example_without_tokens_has_a_finite_loss_and_gradient(table):
    task = ClassifyTask.from_config(small_config(table))
    model = task.build_model()
    batch = dataclasses.replace(task.data.batch(np.arange(2), Cursor()), lengths=torch.tensor([0, 3]))

    loss = task.loss(model, batch, None).loss
    loss.backward()

    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
@pytest.mark.parametrize("options", [{}, {"pooling": "attention", "num_layers": 3, "cell": "gru"}, {"hidden_size": 1}])
def test_other_models_have_as_many_parameters_as_the_recurrent_one(kind, options):
    config, shape = ModelConfig(model=kind, embedding_size=32, **options), Shape(5, 100, None)

    width = equal_width(config, shape)

    def count(width):
        return count_parameters(build_model(dataclasses.replace(config, width=width), shape)) - 100 * 32

    target = count_recurrent(config, shape)
    recurrent = build_model(dataclasses.replace(config, model="recurrent"), shape)
    assert target == count_parameters(recurrent) - 100 * 32
    nearest = min(range(max(1, width - 3), width + 4), key=lambda each: abs(count(each) - target))
    assert width == nearest


def test_what_was_left_open_is_in_the_configuration_of_the_run(run_folder):
    text = (run_folder / "config.toml").read_text()

    for line in ('tokenizer = "word"', "lowercase = true", "min_count = 2", "max_length = 400", "embedding_size = 6"):
        assert line in text


def test_the_summary_says_what_a_person_should_know(table):
    task = ClassifyTask.from_config(small_config(table, {"model": "cnn"}, max_length=4))
    model = task.build_model()

    lines = "\n".join(task.summary(model))

    assert "examples: 96 for training, 12 for validation, 12 for test" in lines
    assert "classes: 2, of the training part" in lines
    assert "120 examples are longer than 4 words: only their beginning is read (max_length)" in lines
    parameters = sum(parameter.numel() for parameter in model.parameters())
    width = task.model_config.width
    assert f"model: cnn, {width} filters of each of 3 sizes, {parameters:,} parameters (recurrent with" in lines


def test_samples_are_the_same_examples_with_answer_and_truth(table):
    task = ClassifyTask.from_config(small_config(table))
    torch.manual_seed(0)
    model = task.build_model().eval()

    (one,), (other,) = task.sample(model, 1), task.sample(model, 2)

    assert one == other
    validation = [task.data.items[row] for row in task.data.parts["validation"]]
    for line in one.split("\n"):
        text = next(text for text in validation if line.endswith(text))
        label = task.data.labels[task.data.targets[task.data.items.index(text)]]
        assert line.startswith("right") == (line.split()[2] == label)
        assert ("not " + label in line) == line.startswith("WRONG")
    assert len(one.split("\n")) == 8


def test_the_report_writes_pictures_and_mistakes(tmp_path):
    noisy = [
        (text, ("good", "bad")[number % 2] if number % 5 else "bad") for number, (text, _) in enumerate(sentences())
    ]
    config = small_config(write_table(tmp_path / "noisy.csv", noisy))
    result = train(ClassifyTask.from_config(config), config.training, run=tmp_path / "run")

    lines = (tmp_path / "run" / "mistakes.tsv").read_text(encoding="utf-8").splitlines()

    assert (tmp_path / "run" / "plots" / "confusion.png").stat().st_size > 1000
    assert lines[0] == "true\tpredicted\tprobability\ttext"
    accuracy = result["best"]["test"]["accuracy"]
    assert accuracy < 1
    assert len(lines) - 1 == round(12 * (1 - accuracy))
    confidences = [float(line.split("\t")[2]) for line in lines[1:]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(line.split("\t")[0] != line.split("\t")[1] for line in lines[1:])


def test_a_report_without_an_evaluation_says_nothing(table, tmp_path):
    assert ClassifyTask.from_config(small_config(table)).report(tmp_path) == []


def test_data_that_changed_cannot_be_gone_on_with(tmp_path):
    path = tmp_path / "reviews.csv"
    config = small_config(write_table(path, sentences(40)), training={"max_steps": 2})
    train(ClassifyTask.from_config(config), config.training, run=tmp_path / "run")
    write_table(path, [*sentences(39), ("another text", "good")])

    with pytest.raises(DataError, match=r"reviews\.csv have changed since the run began"):
        resume_task(tmp_path / "run")


def test_vectors_begin_the_embedding_and_stay_where_they_are_frozen(table, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("lovely 1 2 3\nawful -1 -2 -3\n", encoding="utf-8")
    config = small_config(table, {"embedding_size": None, "vectors": str(path), "freeze_vectors": True})
    task = ClassifyTask.from_config(config)

    model = task.build_model()
    trainer = Trainer(task, config.training)
    trainer.fit()

    place = task.data.tokenizer.vocabulary.index("lovely")
    assert model.embedding.weight[place].tolist() == [1, 2, 3]
    assert trainer.model.embedding.weight[place].tolist() == [1, 2, 3]
    assert task.model_config.embedding_size == 3
    assert any("words (" in line and "frozen" in line for line in task.summary(model))


def test_vectors_are_refused_for_numbers(arrays):
    with pytest.raises(ConfigError, match=r"no vectors for sequences of numbers, got glove\.txt"):
        ClassifyTask.from_config(small_config(arrays, {"vectors": "glove.txt"}, tokenizer="auto"))


def test_options_of_texts_are_refused_for_numbers_together(arrays):
    model = {"embedding_size": 6, "word_dropout": 0.1, "embedding_dropout": 0.2}

    with pytest.raises(ConfigError) as caught:
        ClassifyTask.from_config(small_config(arrays, model, tokenizer="word", min_count=2))

    named = {"tokenizer": "word", "min_count": 2, **model}
    assert caught.value.faults == tuple(
        f"expected no {name} for sequences of numbers, got {value}" for name, value in named.items()
    )


def test_a_long_fit_of_the_baseline_is_announced(table, monkeypatch):
    task = ClassifyTask.from_config(small_config(table))
    model = task.build_model()
    said = "after the last step logistic regression is fitted on 96 texts, which can take a minute"

    assert said not in task.summary(model)
    monkeypatch.setattr("recurra.tasks.classify.baselines._MANY_TOKENS", 300)
    assert task.data.sequences.lengths[task.data.parts["train"]].sum() > 300
    assert said in task.summary(model)


def test_one_example_is_spoken_of_as_one(tmp_path):
    path = write_table(tmp_path / "long.csv", [*sentences(40), ("much " * 30, "good")])
    task = ClassifyTask.from_config(small_config(path, max_length=20, keep="end"))

    lines = task.summary(task.build_model())

    assert "1 example is longer than 20 words: only its end is read (max_length)" in lines


def test_test_data_are_measured_once_and_of_the_best_weights(run_folder):
    result = json.loads((run_folder / "result.json").read_text())

    assert set(result["best"]["test"]) == {"accuracy", "macro_f1", "loss"}
    assert result["best"]["step"] == result["last"]["step"] or "test" not in result["last"]
