import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import count_shared, linked_keys, split_by_key, text_keys
from recurra.errors import ArgumentError, DataTooShortError


def test_equal_texts_have_equal_keys_on_every_machine():
    keys = text_keys(["a", "b", "a", "", "\ud800"])

    assert keys[0] == keys[2]
    assert len(set(keys.tolist())) == 4
    assert int(keys[0]) == 0x2F42665B399EF840  # the first eight bytes of BLAKE2b-64 of "a", little endian


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), min_size=1, max_size=20))
def test_pairs_that_hang_together_have_one_key(pairs):
    keys = linked_keys([source for source, _ in pairs], [target for _, target in pairs])

    groups = [{("s", source), ("t", target)} for source, target in pairs]
    for _ in pairs:  # what touches grows together
        for one in groups:
            for other in groups:
                if one & other:
                    one |= other
    expected = [[bool(one & other) for other in groups] for one in groups]
    assert (keys[:, None] == keys[None]).tolist() == expected


def test_keys_do_not_depend_on_the_order_of_pairs():
    sources, targets = list("aabcd"), list("xyyzz")

    keys = linked_keys(sources, targets)

    np.testing.assert_array_equal(linked_keys(sources[::-1], targets[::-1])[::-1], keys)


def test_no_key_stands_in_two_parts_and_shares_are_kept():
    keys = text_keys([str(number % 700) for number in range(1000)])

    parts = split_by_key(keys, 0.2, 0.1, seed=1)

    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    sets = [set(keys[part].tolist()) for part in parts]
    assert not (sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2])
    assert abs(len(parts[1]) - 200) <= 1
    assert abs(len(parts[2]) - 100) <= 1


def test_the_seed_decides_which_examples_go_where():
    keys = text_keys([str(number) for number in range(100)])

    assert split_by_key(keys, 0.2, 0.0, seed=1)[1].tolist() != split_by_key(keys, 0.2, 0.0, seed=2)[1].tolist()
    assert not len(split_by_key(keys, 0.2, 0.0, seed=1)[2])


def test_shared_keys_are_counted():
    assert count_shared(text_keys(["a", "b", "b"]), text_keys(["b", "c", "b", "a"])) == 3


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="as many texts on both sides, got 1 and 2"):
        linked_keys(["a"], ["b", "c"])
    with pytest.raises(DataTooShortError, match=r"split_by_key expected reviews for training.*got 2 reviews"):
        split_by_key(text_keys(["a", "a"]), 0.5, 0.0, 1, what="reviews")
