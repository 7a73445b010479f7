import dataclasses
import os
from itertools import islice

import numpy as np
import pytest
import torch

from recurra.data import BOS_ID, EOS_ID, IGNORE_INDEX, PAD_ID, UNK_ID, Cursor
from recurra.errors import DataError, DataTooShortError
from recurra.tasks.translate import DataConfig, TranslateTask
from recurra.tasks.translate.data import open_pairs, open_part
from recurra.tasks.translate.parts import build_batch


def opened(*data, **options):
    return open_pairs(DataConfig(data=tuple(map(str, data)), **{"min_count": 1, **options}))


def texts_of(part):
    return list(zip(part.sources, part.targets, strict=True))


def test_no_text_stands_in_two_parts(write):
    # a target of two sources, and a source of two targets, tie pairs to each other
    path = write([f"s{n // 2}\tt{(n + 1) // 2 if n % 10 else n}" for n in range(400)])

    parts = opened(path).parts

    assert sum(map(len, parts.values())) == 400
    for side in ("sources", "targets"):
        train, validation, test = (set(getattr(parts[part], side)) for part in ("train", "validation", "test"))
        assert len(train | validation | test) == len(train) + len(validation) + len(test)
    assert min(len(parts["validation"]), len(parts["test"])) >= 40


def test_pairs_that_are_too_linked_to_be_parted_are_an_error_that_says_so(write):
    # all pairs but the last are tied to each other by a source or a target
    path = write([*(f"s{n // 2}\tt{(n + 1) // 2}" for n in range(40)), "other\tpair"])

    with pytest.raises(DataTooShortError) as caught:
        opened(path)

    assert caught.value.message == (
        "translate expected pairs for training, for validation=0.1 and for test=0.1, got 41 pairs that form 2 groups, "
        "each of which shares a source or a target and stays together"
    )
    assert caught.value.hint == "name validation_data and test_data, or use more pairs, or other fractions"


def test_what_was_left_out_is_said_of_the_whole_that_parts_are_cut_from(write):
    data = opened(write(["\tempty", *(f"a{n}\tb{n}" for n in range(20))]))

    assert data.notes == {"train": ("1 of 21 pairs left out: a side is empty",), "validation": (), "test": ()}


def test_files_for_validation_and_test_are_those_parts_and_shared_texts_are_counted(write):
    train = write([f"a{n}\tb{n}" for n in range(5)], "train.tsv")
    validation, test = write(["a1\tx", "c\tb2", "d\te"], "validation.tsv"), write(["f\tg"], "test.tsv")

    data = opened(train, validation_data=(validation,), test_data=(test,))

    assert [len(part) for part in data.parts.values()] == [5, 3, 1]
    assert data.notes == {
        "train": (),
        "validation": (
            "1 of 3 sources also stand in the training part",
            "1 of 3 targets also stand in the training part",
        ),
        "test": (),
    }


def test_without_test_files_nothing_is_cut_off_for_a_test(write):
    train, validation = write(["a\tb", "c\td"], "train.tsv"), write(["e\tf"], "validation.tsv")

    parts = opened(train, validation_data=(validation,)).parts

    assert [len(part) for part in parts.values()] == [2, 1, 0]


def test_a_test_file_alone_leaves_validation_to_be_cut_off(write):
    train, test = write([f"a{n}\tb{n}" for n in range(20)], "train.tsv"), write(["e\tf"], "test.tsv")

    parts = opened(train, test_data=(test,)).parts

    assert [len(part) for part in parts.values()] == [18, 2, 1]


def test_vocabularies_are_of_the_training_part_alone(write):
    train, validation = write(["a\tb", "c\td"], "train.tsv"), write(["a x\tb y"], "validation.tsv")

    data = opened(train, validation_data=(validation,))

    assert data.src_tokenizer.vocabulary.known == ("a", "c")
    assert data.tgt_tokenizer.vocabulary.known == ("b", "d")
    part = data.parts["validation"]
    assert part.src_ids[0].tolist() == [4, UNK_ID, EOS_ID]
    assert part.tgt_ids[0].tolist() == [4, UNK_ID, EOS_ID]


def test_sources_can_be_reversed(write):
    path = write(["a b c\tx y z"] * 2, "train.tsv")
    ids = {
        is_reversed: opened(path, validation_data=(path,), reverse_src=is_reversed).parts["train"]
        for is_reversed in (False, True)
    }

    assert ids[True].src_ids[0].tolist() == [*ids[False].src_ids[0][:-1][::-1].tolist(), EOS_ID]
    assert ids[True].tgt_ids[0].tolist() == ids[False].tgt_ids[0].tolist()


def test_what_looks_like_an_end_ends_no_target(write):
    path = write(["a <eos> b\tc <eos> d"] * 2)

    part = opened(path, validation_data=(path,), tokenizer="whitespace").parts["train"]

    assert [ids.tolist().count(EOS_ID) for ids in (part.src_ids[0], part.tgt_ids[0])] == [1, 1]


def test_long_pairs_are_left_out_of_training_only_and_counted(write):
    lines = ["a b\tx", "a b c\tx", "a\tx y z", "a b\tx y"]
    path, held_out = write(lines), write(lines, "held_out.tsv")

    data = opened(path, validation_data=(held_out,), max_length=2)

    assert texts_of(data.parts["train"]) == [("a b", "x"), ("a b", "x y")]
    assert len(data.parts["validation"]) == 4
    assert data.record.sizes["train"] == 4
    assert "2 of 4 training pairs left out: longer than 2 tokens" in data.notes["train"]


def test_nothing_short_enough_to_train_on_is_an_error(write):
    path = write(["a b c\tx y z"])

    with pytest.raises(DataTooShortError, match="pairs of at most 2 tokens a side in the training part, got none"):
        opened(path, validation_data=(path,), max_length=2)


def test_prefixes_and_max_words_choose_pairs_of_every_part(write):
    lines = ["je suis\tI am here", "tu es\tI amuse you", "il est\tHe isn't", "nous\tI am not here now", "x\tyou"]
    path = write(lines)

    data = opened(path, validation_data=(path,), normalization="ascii", tgt_prefixes=("i am ", "he is"), max_words=3)

    expected = [("je suis", "i am here"), ("il est", "he isn t")]
    assert texts_of(data.parts["train"]) == texts_of(data.parts["validation"]) == expected
    for part in ("train", "validation"):
        assert data.notes[part][0] == "2 of 5 pairs kept: those with the prefixes and max_words asked for"


def test_prefixes_that_no_pair_has_are_an_error(write):
    with pytest.raises(DataTooShortError, match="src_prefixes, tgt_prefixes and max_words, got none of 1") as caught:
        opened(write(["I am\tje suis"]), src_prefixes=("I am",))

    assert "after normalisation" in caught.value.hint


def test_pairs_that_normalisation_empties_are_left_out_and_counted(write):
    path = write(["a\tb", "你好\thello", "1\tone", "c\td"])

    data = opened(path, validation_data=(path,), normalization="ascii")

    assert texts_of(data.parts["train"]) == [("a", "b"), ("c", "d")]
    assert data.notes["train"] == ("2 of 4 pairs left out: a side is empty after normalisation",)


def test_what_is_left_out_of_other_pairs_is_said(write):
    config = DataConfig(data=("builtin:number-pairs",), normalization="ascii")
    tokenizers = open_pairs(config).tokenizers

    part, notes = open_part((write(["one\tun", "\tdeux", "你好\ttrois"]),), config, tokenizers)

    assert texts_of(part) == [("one", "un")]
    assert notes == (
        "1 of 3 pairs left out: a side is empty",
        "1 of 2 pairs left out: a side is empty after normalisation",
    )


def test_nothing_left_by_normalisation_is_an_error(write):
    with pytest.raises(DataTooShortError, match="expected text on both sides after normalisation, got none in 1 pairs"):
        opened(write(["你好\thello"]), normalization="ascii")


def test_data_sets_of_another_kind_are_an_error():
    with pytest.raises(DataError, match="expected pairs of sentences for data, got builtin:place-names, a data set of"):
        opened("builtin:place-names")


@pytest.mark.parametrize("kind", ["word", "whitespace", "char", "bpe"])
def test_every_tokenizer_gives_back_its_text(pair_file, kind):
    data = opened(pair_file, tokenizer=kind, min_count=None)

    part = data.parts["train"]
    for side, tokenizer, texts, ids in (
        ("src", data.src_tokenizer, part.sources, part.src_ids),
        ("tgt", data.tgt_tokenizer, part.targets, part.tgt_ids),
    ):
        assert tokenizer.kind == kind
        assert [tokenizer.decode(one[:-1]) for one in ids] == texts, side


def test_sides_can_have_tokenizers_of_different_kinds(pair_file):
    data = opened(pair_file, tokenizer="char", tgt_tokenizer="word")

    assert (data.src_tokenizer.kind, data.tgt_tokenizer.kind) == ("char", "word")


def test_ascii_words_are_written_as_they_were_read(write):
    path = write(["Ça va?\tI'm fine..."] * 4)

    data = opened(path, validation_data=(path,), normalization="ascii")

    part = data.parts["train"]
    assert data.tgt_tokenizer.decode(part.tgt_ids[0][:-1]) == part.targets[0] == "i m fine . . ."


def test_a_batch_holds_begin_end_and_padding_where_they_belong(write):
    path = write(["a b\tx", "c\ty z w"])
    part = opened(path, validation_data=(path,)).parts["train"]

    batch = build_batch(part, np.array([1, 0]), Cursor(), split="train", translated=np.zeros(2, bool))

    (a, b), (c,) = (ids[:-1].tolist() for ids in part.src_ids)
    (x,), (y, z, w) = (ids[:-1].tolist() for ids in part.tgt_ids)
    assert batch.src.T.tolist() == [[c, EOS_ID, PAD_ID], [a, b, EOS_ID]]
    assert batch.src_lengths.tolist() == [2, 3]
    assert batch.inputs.T.tolist() == [[BOS_ID, y, z, w], [BOS_ID, x, PAD_ID, PAD_ID]]
    assert batch.targets.T.tolist() == [[y, z, w, EOS_ID], [x, EOS_ID, IGNORE_INDEX, IGNORE_INDEX]]
    assert batch.tgt_lengths.tolist() == [4, 2]


def test_rows_spread_evenly_and_first_sources(write):
    path = write([f"s{n // 3}\tt{n}" for n in range(30)])
    part = opened(path, validation_data=(path,)).parts["validation"]

    assert part.evenly(None).tolist() == part.evenly(30).tolist() == list(range(30))
    assert part.evenly(4).tolist() == [0, 10, 19, 29]
    assert part.first_of_source(np.arange(30)).tolist() == list(range(0, 30, 3))
    assert part.references["s1"] == ["t3", "t4", "t5"]


def test_training_batches_go_on_from_any_cursor(pair_file, config_of):
    task = TranslateTask.from_config(config_of(pair_file))
    batches = list(islice(task.batches("train", seed=5), 20))

    for start in (3, 7, 14):
        again = next(iter(task.batches("train", 5, batches[start - 1].cursor)))
        assert torch.equal(again.src, batches[start].src)
        assert again.num_epochs == batches[start].num_epochs
    num_batches = task.num_batches("train")
    assert sorted(row for batch in batches[:num_batches] for row in batch.rows) == list(
        range(len(task.data.parts["train"]))
    )
    assert [batch.num_epochs for batch in batches] == pytest.approx([n / num_batches for n in range(20)])


def test_evaluation_batches_hold_each_pair_once_and_translate_each_source_once(write, config_of):
    lines = [f"s{n // 3}\tt{n}" for n in range(40)]
    path = write(lines)
    task = TranslateTask.from_config(config_of(path, data={"validation_data": (path,)}))

    batches = list(task.batches("validation", 0))

    assert len(batches) == task.num_batches("validation") == 5
    assert sorted(row for batch in batches for row in batch.rows) == list(range(40))
    translated = [row for batch in batches for row in batch.rows[batch.is_translated]]
    assert sorted(translated) == list(range(0, 40, 3))


def test_validation_reads_so_many_pairs_only(write, config_of):
    path = write([f"s{n}\tt{n}" for n in range(50)])
    config = config_of(path, data={"validation_data": (path,), "test_data": (path,)})
    limited = dataclasses.replace(config.decoding, max_validation_pairs=10)

    task = TranslateTask.from_config(dataclasses.replace(config, decoding=limited))

    assert sum(len(batch.rows) for batch in task.batches("validation", 0)) == 10
    assert sum(len(batch.rows) for batch in task.batches("test", 0)) == 50


@pytest.mark.realdata
@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA names no folder with real files")
def test_the_filter_of_the_tutorial_leaves_as_many_pairs(monkeypatch):
    prefixes = ("i am ", "i m ", "he is", "he s ", "she is", "she s ", "you are", "you re ")
    prefixes += ("we are", "we re ", "they are", "they re ")

    data = opened("eng-fra", swap=True, normalization="ascii", max_words=9, tgt_prefixes=prefixes)

    assert sum(map(len, data.parts.values())) == 9576
