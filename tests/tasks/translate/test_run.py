import dataclasses
import io
import math
import shutil

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import ArgumentError, ChoiceError, DataError, RunError, VocabularyError
from recurra.tasks.translate import TranslateRun, open_run

SENTENCES = ["Die Katze sieht die Maus.", "Die Biene jagt die Kuh.", "die ente hört die katze."]


@pytest.fixture(scope="module")
def run(run_folder):
    return open_run(run_folder)


def test_load_opens_a_run_of_this_task(run_folder):
    run = recurra.load(run_folder)

    assert isinstance(run, TranslateRun)
    assert not run.model.training
    assert run.step > 0


def test_sentences_are_translated_in_their_order(run):
    predictions = run.predict(SENTENCES)

    assert [prediction.src for prediction in predictions] == SENTENCES
    assert [prediction.text for prediction in predictions] == [
        "the mouse the cat sees.",
        "the cow the bee chases.",
        "the cat the duck hears.",
    ]


def test_a_translation_does_not_depend_on_what_stands_beside_it(run):
    texts = [*SENTENCES, "Die Katze.", "Maus Maus Maus Maus Maus Maus Maus Maus Maus Maus Maus sieht die Maus."]

    together, alone = run.predict(texts), [run.predict([text])[0] for text in texts]

    for one, other in zip(together, alone, strict=True):
        assert one.text == other.text
        assert one.translations[0].log_prob == pytest.approx(other.translations[0].log_prob, abs=1e-4)


def test_an_empty_sentence_has_the_empty_translation(run):
    first, empty, blank = run.predict([SENTENCES[0], "", "  \t"])

    assert first.text
    assert (empty.text, blank.text) == ("", "")
    assert empty.to_line() == ""
    assert run.predict([]) == []


def test_unknown_words_are_read_as_unknown_and_never_written(run):
    (prediction,) = run.predict(["Das Zebra sieht die Kuh."])

    assert prediction.src_tokens[:2] == ("<unk>", "<unk>")
    assert "<unk>" not in prediction.tokens


def test_several_translations_come_best_first(run):
    (prediction,) = run.predict(SENTENCES[:1], n_best=3)

    assert len(prediction.translations) == 3
    scores = [one.score for one in prediction.translations]
    assert scores == sorted(scores, reverse=True)
    assert len({one.text for one in prediction.translations}) == 3
    lines = prediction.to_line().split("\n")
    assert lines[0] == f"{scores[0]:.4f}\tthe mouse the cat sees."
    assert (len(lines), lines[-1]) == (4, "")  # the list ends with an empty line


def test_a_prediction_is_a_line_or_json(run):
    (prediction,) = run.predict(SENTENCES[:1], num_beams=1)

    assert prediction.to_line() == "the mouse the cat sees."
    content = prediction.to_json()
    assert content["src"] == SENTENCES[0]
    assert content["translation"] == "the mouse the cat sees."
    assert content["n_best"][0]["log_prob"] == prediction.translations[0].log_prob
    assert content["n_best"][0]["is_complete"] is True


def test_the_log_probability_is_that_of_the_model(run):
    (prediction,) = run.predict(SENTENCES[:1], num_beams=1, length_penalty=0.0)
    src = torch.from_numpy(np.append(run.src_tokenizer.encode(SENTENCES[0].lower()), 3))[:, None]
    targets = torch.tensor([*prediction.translations[0].ids, 3])[:, None]
    inputs = torch.cat([torch.tensor([[2]]), targets[:-1]])

    with torch.no_grad():
        nll = run.model(src, torch.tensor([len(src)]), inputs, targets, torch.tensor([len(targets)]))

    # ids that are never written keep their share of the probability
    assert prediction.translations[0].log_prob == pytest.approx(-float(nll.sum()), abs=1e-4)
    assert prediction.translations[0].score == prediction.translations[0].log_prob


def test_a_translation_is_cut_at_the_maximum_length(run):
    (prediction,) = run.predict(SENTENCES[:1], max_length=3, num_beams=1)

    assert prediction.tokens == ("the", "mouse", "the")
    assert prediction.text == "the mouse the"
    assert prediction.to_json()["n_best"][0]["is_complete"] is False


def test_lines_of_a_file_or_a_stream_are_translated(run, write):
    path = write([SENTENCES[0], "", SENTENCES[1]], "sentences.txt")

    from_file = list(run.iter_predictions(path, num_beams=1))
    from_stream = list(run.iter_predictions(io.BytesIO("\n".join(SENTENCES).encode())))

    assert [prediction.src for prediction in from_file] == [SENTENCES[0], "", SENTENCES[1]]
    assert [prediction.text for prediction in from_stream] == [prediction.text for prediction in run.predict(SENTENCES)]


def test_of_a_pair_the_source_side_is_translated(run, write):
    path = write([f"{text}\tsomething else" for text in SENTENCES])

    assert [prediction.src for prediction in run.iter_predictions(path)] == SENTENCES


def test_more_lines_than_are_read_at_once_keep_their_order(run, monkeypatch):
    monkeypatch.setattr("recurra.tasks.translate.run._AT_ONCE", 2)
    texts = [*SENTENCES, "", "Die Kuh."]

    predictions = list(run.iter_predictions(io.BytesIO("\n".join(texts).encode())))

    assert [prediction.src for prediction in predictions] == texts


def test_attention_is_a_distribution_over_the_source(run, tmp_path):
    predictions = run.predict([SENTENCES[0], "", SENTENCES[1]], attention=tmp_path / "pictures")

    weights = predictions[0].attention
    assert weights.shape == (len(predictions[0].tokens) + 1, len(predictions[0].src_tokens))
    assert np.allclose(weights.sum(1), 1, atol=1e-5)
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["attention_00001.png", "attention_00003.png"]
    assert predictions[0].src_tokens == ("die", "katze", "sieht", "die", "maus", ".", "<eos>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beams": 0}, "translating expected num_beams of at least 1, got 0"),
        ({"n_best": 0}, "translating expected n_best of at least 1, got 0"),
        ({"num_beams": 2, "n_best": 3}, "translating expected n_best of at most num_beams=2, got 3"),
        ({"max_length": 0}, "translating expected max_length of at least 1, got 0"),
        ({"length_penalty": -0.5}, "translating expected length_penalty of at least 0, got -0.5"),
    ],
)
def test_options_out_of_range_are_errors(run, options, message):
    with pytest.raises(ArgumentError, match=message):
        run.predict(SENTENCES, **options)
    with pytest.raises(ArgumentError, match=message):
        run.iter_predictions(io.BytesIO(b""), **options)


def test_other_misuse_is_an_error(run):
    with pytest.raises(ArgumentError, match="predict expected several sentences, got the string 'Die Katze'"):
        run.predict("Die Katze")
    with pytest.raises(ArgumentError, match=r"iter_predictions expected num_beams, .*, got temperature"):
        run.iter_predictions(io.BytesIO(b""), temperature=1.0)
    with pytest.raises(ArgumentError, match=r"expected sentences without line breaks, got 'a\\nb'"):
        run.predict(["a\nb"])
    with pytest.raises(ChoiceError, match="expected split to be one of train, validation, test; got 'all'"):
        run.evaluate("all")


def test_a_model_without_attention_has_no_pictures(run, tmp_path, monkeypatch):
    monkeypatch.setitem(run.model._modules, "attention", None)

    with pytest.raises(ArgumentError, match="expected no attention folder for a model without attention, got one"):
        run.predict(SENTENCES, attention=tmp_path)


def test_a_part_is_evaluated_whole(run):
    found = run.evaluate("test")

    part = run.data().parts["test"]
    assert (found.what, found.size, found.unit) == ("test part", len(part), "pairs")
    assert set(found.figures) == {"bleu", "chrf", "loss", "perplexity"}
    assert found.figures["bleu"] > 80
    assert found.figures["perplexity"] == pytest.approx(math.exp(found.figures["loss"]))
    assert found.notes[0] == f"{len(part)} distinct sources translated with num_beams = 2, length_penalty = 1"
    assert found.notes[-2].startswith("BLEU nrefs:1|case:lc|")


def test_files_are_evaluated_with_all_their_references(run, write):
    path = write(
        [f"{SENTENCES[0]}\tNo.", f"{SENTENCES[0]}\tThe mouse the cat sees.", f"{SENTENCES[1]}\tthe cow the bee chases."]
    )

    found = run.evaluate(files=(path,), num_beams=1)

    assert found.size == 3
    assert found.figures["bleu"] == pytest.approx(100)
    assert found.notes[0].startswith("2 distinct sources translated with num_beams = 1")
    assert found.notes[1] == "1 of them have several references, which all count"


def test_an_evaluation_says_what_was_left_out_of_files(run, write):
    pair = f"{SENTENCES[0]}\tthe mouse the cat sees."
    path = write([pair, "\tno source", f"{SENTENCES[1]}\tthe cow the bee chases."])

    found = run.evaluate(files=(path,), num_beams=1)

    assert found.size == 2
    assert found.notes[-1] == "1 of 3 pairs left out: a side is empty"


def test_an_evaluation_says_what_should_be_known_of_a_part(run, monkeypatch):
    data = run.data()
    monkeypatch.setattr(run, "data", lambda: dataclasses.replace(data, notes={**data.notes, "test": ("a note",)}))

    assert run.evaluate("test").notes[-1] == "a note"
    assert "a note" not in run.evaluate("validation").notes


def test_what_a_token_is_called_is_looked_up_once(run, monkeypatch):
    calls = []
    decode = run.tgt_tokenizer.decode
    monkeypatch.setattr(run.tgt_tokenizer, "decode", lambda ids: calls.append(tuple(ids)) or decode(ids), raising=False)

    run.predict(SENTENCES * 2, num_beams=1)

    single = [ids for ids in calls if len(ids) == 1]
    assert len(single) == len(set(single))


def test_parallel_files_are_evaluated(run, write):
    paths = write(SENTENCES[:1], "a.de"), write(["The mouse the cat sees."], "a.en")

    assert run.evaluate(files=paths).figures["bleu"] == pytest.approx(100)


def test_a_data_set_with_parts_of_its_own_is_no_one_part(run):
    with pytest.raises(DataError, match="expected files that are one part, got builtin:number-pairs"):
        run.evaluate(files=("builtin:number-pairs",))


def test_a_run_without_a_test_part_says_so(run, monkeypatch):
    data = run.data()
    empty = data.parts["test"].select(np.zeros(0, np.int64))
    monkeypatch.setattr(run, "data", lambda: dataclasses.replace(data, parts={**data.parts, "test": empty}))

    with pytest.raises(RunError, match="the run has no test part"):
        run.evaluate("test")


def test_a_tokenizer_of_another_run_is_an_error(run_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    (copy / "tgt" / "vocab.json").write_bytes((copy / "src" / "vocab.json").read_bytes())

    with pytest.raises(VocabularyError, match=r"tgt is not the one that the run was trained with"):
        open_run(copy)


def test_long_sentences_make_smaller_batches_and_no_other_translations(run, monkeypatch):
    texts = [" ".join(["Maus"] * 30), *SENTENCES]
    whole, figures = run.predict(texts, num_beams=1), run.evaluate("validation", num_beams=1).figures
    sizes = []
    hook = run.model.encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[:2])))
    for module in ("run", "evaluating"):
        monkeypatch.setattr(f"recurra.tasks.translate.{module}.MAX_PADDED_STEPS", 24)

    split = run.predict(texts, num_beams=1)
    split_figures = run.evaluate("validation", num_beams=1).figures
    hook.remove()

    assert [one.text for one in split] == [one.text for one in whole]
    assert split_figures == pytest.approx(figures, rel=1e-4)
    assert sizes[0][0] > 24
    assert all(length * count <= 24 for length, count in sizes[1:])
