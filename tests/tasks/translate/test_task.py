import dataclasses
import json
import math
import shutil
from itertools import islice

import pytest
import torch
from torch.nn import functional

from recurra import train
from recurra.errors import ChoiceError, ConfigError, DataError
from recurra.tasks.translate import TranslateConfig, TranslateTask, TranslateTraining, open_run, resume_task
from recurra.tasks.translate.scoring import corpus_bleu


def test_a_language_is_learnt(run_folder):
    result = json.loads((run_folder / "result.json").read_text())

    assert result["task"] == "translate"
    assert result["best"]["test"]["bleu"] > 80
    assert result["best"]["test"]["perplexity"] < 1.5
    assert result["baselines"]["test"]["copied source"]["bleu"] < 20
    assert result["baselines"]["test"]["most frequent target"]["chrf"] < 60


def test_the_folder_of_a_run_holds_what_it_needs(run_folder):
    names = {path.name for path in run_folder.iterdir()}

    assert {"config.toml", "data.json", "src", "tgt", "result.json", "metrics.jsonl", "checkpoints"} <= names
    assert (run_folder / "src" / "vocab.json").is_file()
    # what was left open is settled
    assert "max_length_ratio = 2" in (run_folder / "config.toml").read_text()


def test_a_report_has_translations_and_pictures_of_the_test_part(pair_file, config_of, tmp_path, monkeypatch):
    monkeypatch.setattr("recurra.tasks.translate.task._NUM_PICTURES", 2)
    config = config_of(pair_file)
    task = TranslateTask.from_config(config)
    train(task, config.training, run=tmp_path / "run")

    lines = task.report(tmp_path / "run")

    part = task.data.parts["test"]
    table = (tmp_path / "run" / "translations.tsv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "source\treference\ttranslation"
    assert len(table) == 1 + len(part)
    assert [line.split("\t")[:2] for line in table[1:]] == [
        list(pair) for pair in zip(part.sources, part.targets, strict=True)
    ]
    pictures = sorted((tmp_path / "run" / "plots").glob("attention_*.png"))
    assert [path.name for path in pictures] == ["attention_1.png", "attention_2.png"]
    assert lines[0] == f"{len(part)} translations of the test part in translations.tsv"
    assert lines[2].startswith("BLEU nrefs:1|case:lc|")


def test_a_run_can_replace_another_one(pair_file, config_of, tmp_path):
    words, subwords = (config_of(pair_file, data=data) for data in ({}, {"tokenizer": "bpe", "min_count": None}))

    for config in (words, subwords):
        train(TranslateTask.from_config(config), config.training, run=tmp_path / "run", overwrite=True)

    assert open_run(tmp_path / "run").tgt_tokenizer.kind == "bpe"


def test_without_an_evaluation_there_is_nothing_to_report(pair_file, config_of, tmp_path):
    assert TranslateTask.from_config(config_of(pair_file)).report(tmp_path) == [
        "no new translations.tsv: nothing was evaluated"
    ]


def test_figures_are_those_of_the_translations(pair_file, config_of, tmp_path):
    config = config_of(pair_file, max_steps=20, lr=0.02)
    task = TranslateTask.from_config(config)
    result = train(task, config.training, run=tmp_path / "run")
    task.report(tmp_path / "run")

    rows = [line.split("\t") for line in (tmp_path / "run" / "translations.tsv").read_text().splitlines()[1:]]

    references = [[reference] for _, reference, _ in rows]
    expected = corpus_bleu([translation for *_, translation in rows], references, lowercase=True)
    assert result["best"]["test"]["bleu"] == pytest.approx(expected)
    assert set(result["best"]["test"]) == {"bleu", "chrf", "loss", "perplexity"}
    assert result["best"]["test"]["perplexity"] == pytest.approx(math.exp(result["best"]["test"]["loss"]))


def test_validation_is_greedy_and_the_test_has_beams(pair_file, config_of):
    task = TranslateTask.from_config(config_of(pair_file, decoding={"num_beams": 3}))
    torch.manual_seed(0)
    model = task.build_model().eval()
    calls = []
    original = task._search.__class__.limits

    def spy(self, lengths):
        calls.append(self.num_beams)
        return original(self, lengths)

    patch = pytest.MonkeyPatch()
    patch.setattr(task._search.__class__, "limits", spy)
    with torch.no_grad():
        for split in ("validation", "test"):
            task.loss(model, next(iter(task.batches(split, 0))), None)
    patch.undo()

    assert calls == [1, 3]


def test_samples_are_the_same_sentences_with_errors_marked(run_folder):
    task = resume_task(run_folder)
    torch.manual_seed(0)
    model = task.build_model().eval()

    untrained, again = task.sample(model, 1), task.sample(model, 2)

    assert untrained == again
    head, *lines = untrained[0].splitlines()
    assert head == "[0 of 6 validation sentences as in a reference]"
    part = task.data.parts["validation"]
    assert {line[2:] for line in lines if line.startswith("> ")} <= set(part.sources)
    assert {line[2:] for line in lines if line.startswith("= ")} <= set(part.targets)
    assert sum(line.startswith("x ") for line in lines) == 6


def test_samples_of_a_trained_model_meet_their_references(run_folder):
    task, run = resume_task(run_folder), open_run(run_folder)

    (text,) = task.sample(run.model, 1)

    assert text.count("\n< ") >= 4
    met = [block for block in text.split("\n> ")[1:] if "\n< " in block]
    assert all(block.split("\n")[1][2:] == block.split("\n")[2][2:] for block in met)


def test_the_summary_says_sizes_vocabularies_and_what_is_translated(pair_file, config_of):
    task = TranslateTask.from_config(config_of(pair_file))

    lines = task.summary(task.build_model())

    parts = task.data.parts
    assert (
        lines[0]
        == f"pairs: {len(parts['train'])} train, {len(parts['validation'])} validation, {len(parts['test'])} test"
    )
    assert lines[1].startswith(f"source: {len(task.data.src_tokenizer)} distinct words, 6.0 a sentence, 6 at most; ")
    assert lines[-2].endswith("translated greedily; the test part is translated with num_beams = 2")
    assert lines[-1].startswith("model: gru, 1 + 1 layers x 24 units, additive attention, ")


def test_the_summary_says_what_should_be_known_of_each_part(write, config_of):
    train, validation = write(["a\tb", "\tc", "d\te"], "train.tsv"), write(["a\tf"], "validation.tsv")
    task = TranslateTask.from_config(config_of(train, data={"validation_data": (validation,)}))

    lines = task.summary(task.build_model())

    assert lines[1:3] == [
        "1 of 3 pairs left out: a side is empty",
        "validation: 1 of 1 sources also stand in the training part",
    ]


def test_baselines_are_measured_once(pair_file, config_of):
    task = TranslateTask.from_config(config_of(pair_file))

    assert task.baselines("validation") is task.baselines("validation")
    assert set(task.baselines("validation")) == {"copied source", "most frequent target"}


def test_a_resumed_run_ends_like_one_that_was_not_stopped(pair_file, config_of, tmp_path):
    forcing = {"teacher_forcing_ratio": 0.7, "teacher_forcing_decay": "linear", "teacher_forcing_epochs": 0.5}
    config = config_of(pair_file, max_steps=8, validate_every=4, **forcing)
    whole = train(TranslateTask.from_config(config), config.training, run=tmp_path / "whole")
    half = dataclasses.replace(config.training, max_steps=8)
    train(TranslateTask.from_config(config), half, run=tmp_path / "half", callbacks=[_StopAt(4)])

    resumed = train(resume_task(tmp_path / "half"), run=tmp_path / "half", resume=True)

    assert resumed["steps"] == 8
    assert resumed["best"] == whole["best"]
    assert resumed["last"] == whole["last"]


def test_a_run_is_resumed_from_any_folder(write, config_of, tmp_path, monkeypatch):
    write([f"s{n}\tt{n}" for n in range(20)])
    monkeypatch.chdir(tmp_path)
    config = config_of("pairs.tsv")
    train(TranslateTask.from_config(config), config.training, run=tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")

    assert resume_task(tmp_path / "run").config.data.data == (str(tmp_path / "pairs.tsv"),)


class _StopAt:
    def __init__(self, step):
        self.step = step

    def __getattr__(self, event):
        def listen(trainer, *values):
            if event == "on_step" and trainer.progress.step == self.step:
                trainer.stop.requested = True

        return listen


def test_data_that_changed_cannot_be_resumed(pair_file, config_of, tmp_path):
    path = tmp_path / "pairs.tsv"
    shutil.copy(pair_file, path)
    config = config_of(path)
    train(TranslateTask.from_config(config), config.training, run=tmp_path / "run")
    path.write_text(path.read_text(encoding="utf-8").replace("Katze", "Katzen"), encoding="utf-8")

    with pytest.raises(DataError, match="have changed since the run began"):
        resume_task(tmp_path / "run")


@pytest.mark.parametrize(
    "model",
    [
        {"attention": "none", "bidirectional": False, "bridge": "copy"},
        {"attention": "none", "context_input": True},
        {"attention": "general", "input_feeding": True},
        {"attention": "dot", "bidirectional": False},
        {"cell": "lstm", "encoder_layers": 2, "decoder_layers": 1},
        {"cell": "lem", "encoder_layers": 1, "decoder_layers": 2},
        {"tie_weights": True},
    ],
)
def test_every_kind_of_model_trains(pair_file, config_of, tmp_path, model):
    config = config_of(pair_file, model=model, lr=0.02, max_steps=25, log_every=1)

    train(TranslateTask.from_config(config), config.training, run=tmp_path / "run")

    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["split"] == "train"]
    assert losses[-1] < losses[0]


def test_a_model_without_attention_has_no_pictures(pair_file, config_of, tmp_path):
    config = config_of(pair_file, model={"attention": "none"})
    task = TranslateTask.from_config(config)
    train(task, config.training, run=tmp_path / "run")

    assert not any("attention" in line for line in task.report(tmp_path / "run"))


def test_options_that_do_not_fit_are_found_before_training(pair_file, config_of):
    with pytest.raises(ChoiceError, match="gruu"):
        TranslateTask.from_config(config_of(pair_file, model={"cell": "gruu"}))
    with pytest.raises(ConfigError, match="bridge = 'copy' expected an encoder that is not bidirectional"):
        TranslateTask.from_config(config_of(pair_file, model={"bridge": "copy"}))


def test_label_smoothing_enters_what_is_minimised_only(pair_file, config_of):
    plain = TranslateTask.from_config(config_of(pair_file))
    smoothed = TranslateTask.from_config(config_of(pair_file, label_smoothing=0.3))
    torch.manual_seed(0)
    model = plain.build_model().double().eval()
    batch = next(iter(plain.batches("train", 0)))
    state, logits = model.encode(batch.src, batch.src_lengths), []
    for tokens in batch.inputs:
        of_step, state, _ = model.step(tokens, state)
        logits.append(of_step)
    wanted = functional.cross_entropy(torch.cat(logits), batch.targets.flatten(), label_smoothing=0.3)
    weights = list(model.parameters())

    usual, result = plain.loss(model, batch, None), smoothed.loss(model, batch, None)

    objective = result.loss + result.penalty
    assert torch.equal(result.loss, usual.loss)
    assert usual.penalty is None
    torch.testing.assert_close(objective, wanted, rtol=1e-9, atol=0)
    gradients = (torch.autograd.grad(cost, weights) for cost in (objective, wanted))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-10)


def test_label_smoothing_enters_no_evaluation(pair_file, config_of):
    plain = TranslateTask.from_config(config_of(pair_file))
    smoothed = TranslateTask.from_config(config_of(pair_file, label_smoothing=0.3))
    torch.manual_seed(0)
    model = plain.build_model().eval()
    batch = next(iter(plain.batches("validation", 0)))

    with torch.no_grad():
        usual, result = plain.loss(model, batch, None), smoothed.loss(model, batch, None)

    assert float(result.loss) == float(usual.loss)
    assert result.penalty is None


def test_training_runs_with_no_teacher_forcing_at_all(pair_file, config_of):
    forced = TranslateTask.from_config(config_of(pair_file))
    free = TranslateTask.from_config(config_of(pair_file, teacher_forcing_ratio=0.0))
    torch.manual_seed(0)
    model = forced.build_model().eval()
    batch = next(islice(forced.batches("train", 0), 1, 2))

    with torch.no_grad():
        losses = [float(task.loss(model, batch, None).loss) for task in (forced, free)]

    assert losses[0] != losses[1]
    assert all(map(math.isfinite, losses))


def test_the_built_in_numbers_need_no_flags():
    task = TranslateTask.from_config(TranslateConfig(training=TranslateTraining(max_steps=1)))

    parts = task.data.parts
    assert not set(parts["train"].sources) & set(parts["test"].sources)
    assert min(map(len, parts.values())) >= 100
    assert "thousand" in task.data.src_tokenizer.vocabulary.known
    assert "mille" in task.data.tgt_tokenizer.vocabulary.known
