import numpy as np
import pytest
import torch

from recurra.tasks.classify.metrics import (
    Accuracy,
    MacroF1,
    Outcome,
    Predictions,
    balanced_weights,
    class_figures,
    log_probs_of,
    objective_of,
)
from recurra.training import StepResult


def random_answers(num_classes=4, count=60, seed=0):
    torch.manual_seed(seed)
    return torch.randn(count, num_classes).double().log_softmax(-1), torch.randint(0, num_classes - 1, (count,))


def test_the_logit_of_two_classes_is_binary_cross_entropy():
    logits, targets = torch.tensor([[-3.0], [0.5], [40.0]]).double(), torch.tensor([1, 0, 1])

    nll = -log_probs_of(logits)[torch.arange(3), targets]

    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], targets.double(), reduction="none")
    assert torch.allclose(nll, expected, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 1.5]).double()])
def test_the_objective_equals_its_definition_in_numpy(smoothing, weights):
    log_probs, targets = random_answers()

    objective = float(objective_of(log_probs, targets, weights, smoothing))

    expected = []
    for row, target in zip(log_probs.numpy(), targets.tolist(), strict=True):
        wanted = np.full(4, smoothing / 4)
        wanted[target] += 1 - smoothing
        expected.append(-(wanted * row).sum() * (1 if weights is None else float(weights[target])))
    assert objective == pytest.approx(np.mean(expected), abs=1e-14)


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([0] * 7 + [1] * 2 + [2] * 11)

    weights = balanced_weights(np.bincount(targets))

    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=targets))
    assert weights[targets].mean() == pytest.approx(1)


def test_metrics_over_batches_equal_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

    log_probs, targets = random_answers()
    predictions = Predictions(4)
    accuracy, macro_f1 = Accuracy(predictions), MacroF1(4)

    for rows in np.array_split(np.arange(60), 7):
        outcome = Outcome(rows, targets[rows], log_probs[rows])
        for metric in (accuracy, macro_f1):
            metric.update(StepResult(torch.tensor(0.0), len(rows), outputs=outcome))

    preds = log_probs.argmax(-1).numpy()
    assert accuracy.compute() == pytest.approx(accuracy_score(targets, preds))
    assert macro_f1.compute() == pytest.approx(f1_score(targets, preds, average="macro", zero_division=0))
    confusion = predictions.confusion()
    np.testing.assert_array_equal(confusion, confusion_matrix(targets, preds))
    figures = class_figures(confusion)
    expected = precision_recall_fscore_support(targets, preds, zero_division=0)
    for one, other in zip((figures.precision, figures.recall, figures.f1, figures.support), expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_without_examples_metrics_are_not_a_number():
    assert np.isnan(Accuracy(Predictions(3)).compute())
    assert np.isnan(MacroF1(3).compute())
