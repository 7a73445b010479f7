import math
from collections import Counter

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from recurra.tasks.translate.baselines import baseline_figures
from recurra.tasks.translate.parts import PairPart
from recurra.tasks.translate.scoring import TranslationMetric, corpus_bleu, corpus_chrf, signatures, translate_metrics
from recurra.tasks.translate.translating import Translated
from recurra.training.protocol import StepResult

TRANSLATIONS = ["the cat sat on the mat today", "a dog ran far away from home", "the end"]
REFERENCES = [
    ["the cat sat on a mat today", "a cat was on the mat"],
    ["a dog ran far away from here"],
    ["the end", "this is the end"],
]


def bleu(translations, references):
    """BLEU-4 of Papineni et al. 2002 for words parted by spaces; no order may lack matches."""
    matched, total, length, closest = Counter(), Counter(), 0, 0
    for text, several in zip(translations, references, strict=True):
        words = text.split()
        length += len(words)
        closest += min((abs(len(r.split()) - len(words)), len(r.split())) for r in several)[1]
        for order in range(1, 5):
            counts = Counter(tuple(words[n : n + order]) for n in range(len(words) - order + 1))
            most = Counter()
            for reference in several:
                known = reference.split()
                most |= Counter(tuple(known[n : n + order]) for n in range(len(known) - order + 1))
            matched[order] += sum((counts & most).values())
            total[order] += sum(counts.values())
    mean = sum(math.log(matched[order] / total[order]) for order in range(1, 5)) / 4
    return 100 * math.exp(mean + min(0.0, 1 - closest / length))


def test_bleu_with_several_references_is_that_of_its_authors():
    assert corpus_bleu(TRANSLATIONS, REFERENCES, lowercase=True) == pytest.approx(bleu(TRANSLATIONS, REFERENCES))
    single = [several[:1] for several in REFERENCES]
    assert corpus_bleu(TRANSLATIONS, single, lowercase=True) == pytest.approx(bleu(TRANSLATIONS, single))


def test_what_meets_a_reference_scores_a_hundred():
    texts = [several[-1] for several in REFERENCES]

    assert corpus_bleu(texts, REFERENCES, lowercase=False) == pytest.approx(100)
    assert corpus_chrf(texts, REFERENCES, lowercase=False) == pytest.approx(100)
    assert corpus_chrf(TRANSLATIONS, REFERENCES, lowercase=False) < 100


def test_case_counts_unless_text_is_in_lower_case():
    shouted = [text.upper() for text in TRANSLATIONS]
    alone = [[text] for text in TRANSLATIONS]

    for score in (corpus_bleu, corpus_chrf):
        assert score(shouted, alone, lowercase=True) == pytest.approx(100)
        assert score(shouted, alone, lowercase=False) < 20


def test_text_that_looks_tokenised_calls_forth_no_complaint(capfd, caplog):
    corpus_bleu(["it is so ."] * 200, [["it is so ."]] * 200, lowercase=True)

    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_signatures_say_case_and_references():
    several, single = signatures(REFERENCES, lowercase=True), signatures([["a"]], lowercase=False)

    assert several[0].startswith("BLEU nrefs:var|case:lc|")
    assert single[0].startswith("BLEU nrefs:1|case:mixed|")
    assert single[1].startswith("chrF2 nrefs:1|case:mixed|")


@pytest.mark.parametrize("references", [REFERENCES, [["a"]] * 3, [["a"], ["a", "b"], ["c", "d"], ["e"]]])
def test_signatures_of_two_sentences_are_those_of_all(references):
    found = signatures(references, lowercase=True)

    streams = [[texts[n] if n < len(texts) else None for texts in references] for n in range(max(map(len, references)))]
    for signature, name, metric in zip(found, ("BLEU", "chrF2"), (BLEU, CHRF), strict=True):
        scorer = metric(lowercase=True)
        scorer.corpus_score(["x"] * len(references), streams)
        assert signature == f"{name} {scorer.get_signature()}"


def part_of(pairs):
    ids = [np.array([4, 3])] * len(pairs)
    return PairPart([source for source, _ in pairs], [target for _, target in pairs], ids, ids)


def result(translations):
    outputs = {row: Translated(text, (), 0.0, 0.0) for row, text in translations.items()}
    return StepResult(1.0, 1, outputs=outputs)


def test_a_translation_counts_against_all_references_of_its_source():
    part = part_of([("s", "a b c d"), ("t", "x y z w"), ("s", "e f g h")])
    metric = TranslationMetric(part, corpus_bleu, lowercase=True)

    metric.update(result({1: "x y z w"}))
    metric.update(result({0: "e f g h"}))

    assert metric.compute() == pytest.approx(100)


def test_a_metric_that_took_in_nothing_is_not_a_number():
    seen = []
    metrics = translate_metrics(part_of([("s", "a")]), lowercase=True, on_first=seen.append)

    assert list(metrics) == ["bleu", "chrf", "loss", "perplexity"]
    assert all(math.isnan(metric.compute()) for metric in metrics.values())
    assert seen == []
    metrics["bleu"].update(result({0: "a"}))
    assert seen == [metrics["bleu"]]


def test_baselines_copy_the_source_or_say_the_same():
    train = part_of([("a", "he sat down here"), ("b", "she sat"), ("c", "he sat down here")])
    part = part_of([("x y z w", "x y z w"), ("q", "he sat down here"), ("x y z w", "other")])

    figures = baseline_figures(train, part, np.array([0, 1]), lowercase=True)

    references = [["x y z w", "other"], ["he sat down here"]]
    assert figures["copied source"]["bleu"] == corpus_bleu(["x y z w", "q"], references, lowercase=True)
    assert figures["most frequent target"] == {
        "bleu": corpus_bleu(["he sat down here"] * 2, references, lowercase=True),
        "chrf": corpus_chrf(["he sat down here"] * 2, references, lowercase=True),
    }
