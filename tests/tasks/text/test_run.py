import math

import numpy as np
import pytest
import torch
from torch.nn import functional

import recurra
from recurra.data import CharTokenizer, Vocabulary
from recurra.errors import ArgumentError, RunError, VocabularyError
from recurra.tasks.text.run import stream
from recurra.tasks.text.saved_state import weights_fingerprint


@pytest.fixture(scope="module")
def run(run_folder):
    return recurra.load(run_folder)


def test_it_writes_what_it_has_read(run):
    text = run.generate("The cat sat on", length=60, temperature=0)

    assert len(text) == 60
    assert "The " in text
    assert set(text) <= {*run.tokenizer.vocabulary.known, "\n"}


def test_the_same_seed_writes_the_same_and_another_one_does_not(run):
    texts = [run.generate("The ", seed=seed, length=50, temperature=1.5) for seed in (1, 1, 2)]

    assert texts[0] == texts[1] != texts[2]


def test_greedy_writing_is_the_argmax_of_the_whole_text_read_at_once(run):
    prime = "The dog"
    text = run.generate(prime, length=30, temperature=0)

    ids = torch.from_numpy(run.tokenizer.encode(prime + text))[:, None]
    logits, _ = run.model(ids)

    logits[:, :, :3] = -math.inf  # padding, the unknown symbol and the begin are never written
    expected = logits[len(prime) - 1 : -1, 0].argmax(-1)
    assert torch.equal(ids[len(prime) :, 0], expected)


def test_top_k_of_one_is_greedy(run):
    assert run.generate("The ", top_k=1, seed=5, length=40) == run.generate("The ", temperature=0, length=40)


def test_writing_far_beyond_the_training_length_carries_the_state(run):
    text = run.generate(length=500, temperature=0)

    assert len(text) == 500


def test_several_texts_are_written_in_one_batch(run):
    texts = run.generate_many(3, "The ", length=40, temperature=1.0, seed=1)

    assert [len(text) for text in texts] == [40, 40, 40]
    assert len(set(texts)) > 1


def test_a_text_ends_before_the_stop_string(run):
    free = run.generate("The ", length=80, temperature=0)

    stop = free[30:33]

    stopped = run.generate("The ", length=80, temperature=0, stop=stop)

    assert stopped == free[: free.index(stop)]


def test_no_length_writes_nothing(run):
    assert run.generate("The ", length=0) == ""


def test_a_prime_with_unknown_symbols_is_read_and_reported(run):
    writer = run.writer(temperature=0)

    visible = writer.read("The \u00e9\u00fc\u00e9")

    assert visible == "The \ufffd\ufffd\ufffd"
    assert writer.unknown == ["\u00e9", "\u00fc"]
    assert [len(piece) for (piece,) in writer.write(3)] == [1, 1, 1, 0]  # and what is left at the end


@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_a_text_saved_and_gone_on_with_equals_one_written_at_once(run, tmp_path, temperature):
    def writer():
        return run.writer(temperature=temperature, seed=7)

    def take(writer, length):
        return "".join(symbols[0] for symbols in writer.write(length))

    whole = writer()
    whole.read("The cow")
    expected = take(whole, 60)
    first = writer()
    first.read("The cow")
    beginning = take(first, 25)
    first.save(tmp_path / "state")
    second = run.writer(temperature=temperature)
    second.load(tmp_path / "state", keep_seed=False)

    assert beginning + take(second, 35) == expected


def test_a_state_knows_which_weights_wrote_it(run, tmp_path, run_folder):
    writer = run.writer(seed=1)
    writer.save(tmp_path / "state")
    same, other = recurra.load(run_folder), recurra.load(run_folder)
    with torch.no_grad():
        other.model.decoder.bias[1] += 1e-6

    assert same.writer().load(tmp_path / "state", keep_seed=False)
    assert not other.writer().load(tmp_path / "state", keep_seed=False)


def test_fingerprints_see_names_types_shapes_and_every_bit():
    def model(**tensors):
        made = torch.nn.Module()
        for name, tensor in tensors.items():
            made.register_buffer(name, tensor)
        return made

    a = torch.arange(6.0)
    models = [
        model(a=a),
        model(b=a),
        model(a=a.reshape(2, 3)),
        model(a=a.double()),
        model(a=a.bfloat16()),
        model(a=torch.tensor(3.0)),
        model(a=torch.cat((a[:5], torch.nextafter(a[5:], a[:1])))),
    ]

    assert len({weights_fingerprint(each) for each in models}) == len(models)
    assert weights_fingerprint(model(a=a)) == weights_fingerprint(model(a=torch.arange(12.0)[:6].clone()))


def test_a_prime_is_read_once_for_all_texts_and_the_texts_still_differ(run, monkeypatch):
    widths = []
    forward = type(run.model).forward

    def watched(self, tokens, state=None, **options):
        widths.append(tokens.shape)
        return forward(self, tokens, state, **options)

    monkeypatch.setattr(type(run.model), "forward", watched)
    texts = run.generate_many(5, "The cat", length=30, temperature=2.0, seed=1)

    assert widths[0] == (7, 1)
    assert set(widths[1:]) == {(1, 5)}
    assert len(set(texts)) > 1
    one = run.generate("The cat", length=30, temperature=0)
    assert run.generate_many(3, "The cat", length=30, temperature=0) == [one] * 3


def test_reading_after_writing_goes_on_from_each_text(run):
    writer = run.writer(temperature=2.0, seed=1, num_samples=3)
    writer.read("The ")
    list(writer.write(5))

    writer.read("cat")

    assert [list(map(len, pieces)) for pieces in writer.write(2)] == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, True, "1"])
def test_seeds_out_of_range_are_refused(run, seed):
    with pytest.raises(ArgumentError, match=r"generate expected seed to be an integer in \[0, 2\*\*63\), got"):
        run.generate(seed=seed)


def test_the_largest_seed_is_a_seed(run):
    assert run.generate(seed=2**63 - 1, length=5) == run.generate(seed=2**63 - 1, length=5)


def test_a_stream_ends_in_good_order_when_asked(run):
    free = run.generate("The ", length=40, temperature=0)
    asked = iter([False] * 9 + [True])

    def written(stop):
        writer = run.writer(temperature=0)
        writer.read("The ")
        return "".join(pieces[0] for pieces in stream(writer, 40, stop, is_over=lambda: next(asked)))

    assert written(None) == free[:10]
    asked = iter([False] * 9 + [True])
    # what was held back, as it might have been the stop string, is shown
    assert written(free[8:10] + "Q") == free[:10]


def test_short_texts_are_not_looked_for(run, monkeypatch):
    monkeypatch.setattr(run, "data", lambda: pytest.fail("the training text was opened"))

    assert run.copied_share(["short", ""]) is None


def test_one_saved_state_forks_into_several_texts(run, tmp_path):
    writer = run.writer(seed=1)
    writer.read("The ")
    writer.save(tmp_path / "state")
    fork = run.writer(seed=3, num_samples=4, temperature=2.0)

    fork.load(tmp_path / "state", keep_seed=True)

    assert len({"".join(s) for s in zip(*fork.write(20), strict=True)}) > 1


def test_a_state_that_was_read_only_can_be_saved_before_anything_was_written(run, tmp_path):
    writer = run.writer(seed=1)

    writer.save(tmp_path / "state")

    assert (tmp_path / "state").stat().st_size > 0


def test_files_that_are_no_state_are_refused(run, tmp_path, run_folder):
    (tmp_path / "text").write_text("hello")
    writer = run.writer(seed=1)
    weights = next((run_folder / "checkpoints").glob("step_*")) / "weights.safetensors"

    for path, message in (
        ("text", "is no state file"),
        ("nothing", "cannot be read"),
        (weights, "is no state file of this"),
    ):
        with pytest.raises(RunError, match=message):
            writer.load(tmp_path / path, keep_seed=False)
    with pytest.raises(RunError, match="could not be written"):
        writer.save(tmp_path / "no" / "folder")


def test_a_state_of_another_batch_or_vocabulary_is_refused(run, tmp_path):
    three = run.writer(num_samples=3, seed=1)
    three.save(tmp_path / "three")
    turned = CharTokenizer(Vocabulary(run.tokenizer.vocabulary.known[::-1]))
    other = recurra.tasks.text.Writer(run.model, turned, three.policy, seed=1)

    with pytest.raises(RunError, match="is of 3 texts, 2 were asked for"):
        run.writer(num_samples=2).load(tmp_path / "three", keep_seed=True)
    with pytest.raises(VocabularyError, match="by a model with other tokens"):
        other.load(tmp_path / "three", keep_seed=True)


def test_evaluation_equals_the_loss_written_out(run, text_file):
    text = text_file.read_text(encoding="utf-8")
    start, stop = run.data().splits.validation
    ids = torch.from_numpy(run.tokenizer.encode(text[start:stop]))[:, None]

    carried = run.evaluate("validation")
    reset = run.evaluate("validation", reset_every=5)

    with torch.no_grad():
        logits, _ = run.model(ids[:-1])
        expected = functional.cross_entropy(logits[:, 0], ids[1:, 0])
        parts = []
        for begin in range(0, len(ids) - 1, 5):
            inputs, targets = ids[begin : begin + 5][: len(ids) - 1 - begin], ids[begin + 1 : begin + 6]
            parts.append(functional.cross_entropy(run.model(inputs)[0][:, 0], targets[:, 0], reduction="sum"))
    assert carried["loss"] == pytest.approx(float(expected), abs=1e-5)
    for figures in (carried, reset):
        assert figures["num_chars"] == figures["num_tokens"] == stop - start - 1
    assert reset["loss"] == pytest.approx(float(sum(parts)) / (len(ids) - 1), abs=1e-5)
    assert carried["perplexity"] == pytest.approx(math.exp(carried["loss"]))
    assert carried["bits_per_char"] == pytest.approx(carried["loss"] / math.log(2))


def test_another_file_is_evaluated_under_the_symbols_of_the_run(run, tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("dog the on sat \u00e9 tac", encoding="utf-8")
    ids = torch.from_numpy(run.tokenizer.encode(path.read_text(encoding="utf-8")))[:, None]

    figures = run.evaluate(files=(str(path),))

    with torch.no_grad():
        expected = functional.cross_entropy(run.model(ids[:-1])[0][:, 0], ids[1:, 0])
    assert figures["loss"] == pytest.approx(float(expected), abs=1e-5)


def test_copying_is_counted_in_pieces_of_twenty(run, text_file):
    text = text_file.read_text(encoding="utf-8")

    assert run.copied_share([text[100:150]]) == 1.0
    assert run.copied_share(["q" * 30]) == 0.0
    assert run.copied_share(["short"]) is None
    assert run.copied_share([text[100:150], "q" * 50]) == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 1000}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"length": -1}, "length of at least 0, got -1"),
        ({"stop": ""}, "stop"),
    ],
)
def test_arguments_out_of_range_are_refused(run, options, message):
    with pytest.raises(ArgumentError, match=message):
        run.generate("The ", **options)


def test_a_batch_of_no_texts_is_refused(run):
    with pytest.raises(ArgumentError, match="num_samples of at least 1, got 0"):
        run.generate_many(0)
    with pytest.raises(ArgumentError, match="reset_every of at least 1, got 0"):
        run.evaluate(reset_every=0)


def test_a_stream_can_be_left_at_any_moment(run):
    writer = run.writer(temperature=0)

    for number, _ in enumerate(stream(writer, None), start=1):
        if number == 5:
            break

    assert [len(piece) for (piece,) in writer.write(3)] == [1, 1, 1, 0]


def test_loading_takes_best_last_or_a_step(run_folder):
    steps = [recurra.load(run_folder, checkpoint=which).step for which in ("last", "150", 150)]

    assert steps == [150, 150, 150]
    with pytest.raises(RunError, match="no checkpoint '7'"):
        recurra.load(run_folder, checkpoint="7")


def test_loading_leaves_the_global_random_state_alone(run_folder):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)

    recurra.load(run_folder)

    assert torch.equal(torch.rand(1), expected)
    assert isinstance(np.random.get_state()[1][0], np.uint32)
