"""Words as tokens, from the configuration to a trained run."""

import math
import random
import re
from collections import Counter

import pytest
import torch
from torch.nn import functional

import recurra
from recurra.data import SPECIAL_SYMBOLS, UNK_ID, Vocabulary, WordTokenizer
from recurra.decoding import SamplingPolicy
from recurra.errors import DataError, DataTooShortError
from recurra.models import LanguageModel
from recurra.tasks.text import TextTask, Writer, resume_task
from tests.support.text_runs import assert_equal_runs, tiny_config, train_in_two, train_run

NOUNS = ("cat", "dog", "cow", "Wolf", "hen", "owl")
VERBS = ("sees", "hears", "likes")


def story(num_sentences, seed=0):
    drawn = random.Random(seed)
    sentences = (
        f"The {drawn.choice(NOUNS)} {drawn.choice(VERBS)} the {drawn.choice(NOUNS)}, too.\n"
        for _ in range(num_sentences)
    )
    return "".join(sentences)


def pieces_of(text):
    """Cut a simple English text by an expression of its own."""
    return re.findall(r"[A-Za-z0-9]+|[.,]|\n", text)


def training_part(text):
    pieces = pieces_of(text)
    return pieces[: len(pieces) - 2 * round(len(pieces) * 0.05)]


@pytest.fixture
def task_of(tmp_path):
    def open_task(text, **options):
        path = tmp_path / "story.txt"
        path.write_text(text, encoding="utf-8")
        return TextTask.from_config(tiny_config(path, tokenizer="word", **options))

    return open_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cache):
    """A trained run; tests read it only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    path = tmp_path_factory.mktemp("words") / "story.txt"
    path.write_text(story(150), encoding="utf-8")
    train_run(tiny_config(path, tokenizer="word", training={"max_steps": 60}), path.parent / "run")
    patch.undo()
    return path.parent / "run"


@pytest.fixture(scope="module")
def run(folder):
    return recurra.load(folder)


# ---------------------------------------------------------------------- vocabulary


def test_words_that_stand_once_in_the_training_part_are_unknown_unless_all_are_asked_for(task_of):
    text = "A rare beginning.\n" + story(120)
    counts = Counter(training_part(text))

    task = task_of(text)

    assert (task.data_config.tokenizer, task.data_config.min_count) == ("word", 2)
    assert task.unit == "word"
    expected = {word for word, count in counts.items() if count >= 2} - {"\n"}
    assert set(task.data.tokenizer.vocabulary.known) == expected
    assert "rare" not in expected
    everything = task_of(text, min_count=1)
    assert set(everything.data.tokenizer.vocabulary.known) == set(counts) - {"\n"}


def test_words_are_numbered_by_frequency_and_the_rarest_are_left_out(task_of):
    text = story(120)
    counts = Counter(training_part(text))
    del counts["\n"]
    first = {word: position for position, word in reversed(list(enumerate(training_part(text))))}
    ranked = sorted(counts, key=lambda word: (-counts[word], first[word]))

    vocabulary = task_of(text, max_vocab_size=7).data.tokenizer.vocabulary

    assert vocabulary.known == tuple(ranked[:7])
    assert len(vocabulary) == 7 + len(SPECIAL_SYMBOLS)
    assert vocabulary.counts[UNK_ID] == sum(counts[word] for word in ranked[7:])


def test_only_the_training_part_makes_the_vocabulary(task_of):
    text = story(120) + "Zebras graze here. " * 28

    task = task_of(text)

    assert not {"Zebras", "graze", "here"} & set(task.data.tokenizer.vocabulary.known)
    assert "\n".join(task.summary(task.build_model())).count("% of the validation part's words are unknown") == 1


def test_the_summary_says_how_much_of_the_validation_part_is_unknown(task_of):
    text = story(120)
    task = task_of(text, max_vocab_size=7)
    pieces = pieces_of(text)
    start, stop = task.data.splits.validation
    known = {*task.data.tokenizer.vocabulary.known, "\n"}
    share = sum(piece not in known for piece in pieces[start:stop]) / (stop - start)

    lines = task.summary(task.build_model())

    assert f"{share:.2%} of the validation part's words are unknown" in lines


def test_words_may_be_made_lower_case(task_of):
    known = task_of(story(120), lowercase=True).data.tokenizer.vocabulary.known

    assert {"the", "wolf"} <= set(known)
    assert all(word == word.lower() for word in known)


def test_a_text_without_any_frequent_word_is_refused(task_of):
    with pytest.raises(DataError, match="expected tokens that occur at least 999 times in the training part, got none"):
        task_of(story(50), min_count=999)


def test_a_text_of_one_word_is_refused(task_of):
    with pytest.raises(DataError, match="at least two distinct words, got 'tick' over and over"):
        task_of("tick " * 400)


def test_too_short_a_text_is_measured_in_words(task_of):
    with pytest.raises(DataTooShortError, match=r"at least 44 words for .*batch_size=4 and bptt=8, got 27"):
        task_of(story(3))
    with pytest.raises(DataTooShortError, match=r"at least \d+ words for .*, got 1\n"):
        task_of("word")


# ---------------------------------------------------------------------- a trained run


def test_the_figures_are_those_of_the_logits_and_bits_are_per_character_of_the_text(run, folder):
    text = (folder.parent / "story.txt").read_text()
    ends = [found.end() for found in re.finditer(r"[A-Za-z0-9]+|[.,]|\n", text)]
    start, stop = run.data().splits.test
    ids = torch.from_numpy(run.tokenizer.encode(text))[start:stop, None]

    figures = run.evaluate("test")

    with torch.no_grad():
        expected = functional.cross_entropy(run.model(ids[:-1])[0][:, 0], ids[1:, 0], reduction="sum").item()
    assert figures["num_tokens"] == stop - start - 1
    # white space counts to the word behind it, and the first word of the part is no target
    assert figures["num_chars"] == ends[stop - 1] - ends[start]
    assert figures["loss"] * figures["num_tokens"] == pytest.approx(expected, rel=1e-5)
    assert figures["bits_per_char"] == pytest.approx(expected / math.log(2) / figures["num_chars"], rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))


def test_another_file_is_evaluated_per_its_own_characters(run, tmp_path):
    text = "The  cat sees the unheard-of dog,\n\ntoo."
    (tmp_path / "other.txt").write_text(text, encoding="utf-8")
    ids = torch.from_numpy(run.tokenizer.encode(text))[:, None]
    assert UNK_ID in ids

    figures = run.evaluate(files=(str(tmp_path / "other.txt"),))

    with torch.no_grad():
        expected = functional.cross_entropy(run.model(ids[:-1])[0][:, 0], ids[1:, 0], reduction="sum").item()
    assert (figures["num_tokens"], figures["num_chars"]) == (len(ids) - 1, len(text) - len("The"))
    assert figures["bits_per_char"] == pytest.approx(expected / math.log(2) / (len(text) - 3), rel=1e-5)


def test_what_is_written_is_typeset_and_reads_back_as_the_same_words(run):
    prime = "The cat sees"
    text = run.generate(prime, length=25, temperature=0)

    ids = torch.from_numpy(run.tokenizer.encode(prime + text))[:, None]
    logits = run.model(ids)[0][:, 0]

    assert len(ids) == 3 + 25
    logits[:, :3] = -math.inf  # padding, the unknown word and the begin are never written
    assert torch.equal(ids[3:, 0], logits[2:-1].argmax(-1))
    assert text.startswith(" ")
    assert not re.search(r" [.,\n]|\n ", text)


def test_a_text_saved_and_gone_on_with_equals_one_written_at_once(run, tmp_path):
    def write(writer, length):
        return "".join(piece for (piece,) in writer.write(length))

    whole, first = (run.writer(seed=3) for _ in range(2))
    for writer in (whole, first):
        writer.read("The cat")
    expected = write(whole, 40)
    beginning = write(first, 11)
    first.save(tmp_path / "state")
    second = run.writer(seed=9)
    second.load(tmp_path / "state", keep_seed=False)

    assert beginning + write(second, 29) == expected


def test_a_prime_shows_as_the_model_sees_it(run):
    writer = run.writer(seed=1)

    visible = writer.read("The zebra , sees")

    assert visible == "The <unk>, sees"
    assert writer.unknown == ["zebra"]
    assert next(writer.write(1))[0][0] in " .,\n"


def test_copying_is_counted_in_pieces_of_eight_words(run, folder):
    text = (folder.parent / "story.txt").read_text()

    assert run.piece == 8
    assert run.copied_share(["The cat sees the dog"]) is None
    assert run.copied_share([text[: text.index("\n", 900) + 1]]) == 1.0
    assert run.copied_share(["too too " * 6]) == 0.0


def test_samples_of_words_name_only_the_temperature(task_of):
    task = task_of(story(120))
    torch.manual_seed(0)

    (text,) = task.sample(task.build_model().eval(), seed=1)

    assert text.startswith("[temperature 1]\n")


@pytest.mark.parametrize("options", [{}, {"vary_bptt": True, "max_vocab_size": 7, "lowercase": True}])
def test_a_resumed_run_of_words_ends_bit_for_bit_the_same(tmp_path, options):
    (tmp_path / "story.txt").write_text(story(100), encoding="utf-8")
    training = {"max_steps": 40, "num_samples": 2, "num_validations": 3}
    config = tiny_config(
        tmp_path / "story.txt",
        tokenizer="word",
        model={"embedding_dropout": 0.2, "activation_regularization": 1.0, "temporal_regularization": 1.0},
        training=training,
        **options,
    )

    train_run(config, tmp_path / "whole")
    train_in_two(config, tmp_path / "parts", stop_at=23)

    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")
    assert resume_task(tmp_path / "parts").data_config == resume_task(tmp_path / "whole").data_config


@pytest.mark.parametrize("cut", [3, 8, 14, 21])
def test_open_quotes_stay_open_in_a_saved_state(tmp_path, cut):
    tokenizer = WordTokenizer(Vocabulary(['"', "a", ",", "("]), "word")
    torch.manual_seed(1)
    model = LanguageModel(len(tokenizer), hidden_size=4, num_layers=1)

    def write(writer, length):
        return "".join(piece for (piece,) in writer.write(length))

    whole, first, second = (Writer(model, tokenizer, SamplingPolicy(), seed=4) for _ in range(3))
    expected = write(whole, 40)
    beginning = write(first, cut)
    first.save(tmp_path / "state")
    second.load(tmp_path / "state", keep_seed=False)

    assert expected.count('"') > 5
    assert beginning + write(second, 40 - cut) == expected
