import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import Vocabulary
from recurra.errors import DataNotFoundError, VocabularyError

# every code point, lone surrogates too
CHARACTERS = st.characters(exclude_categories=())
ALPHABETS = st.lists(CHARACTERS, unique=True, max_size=40)


@given(alphabet=ALPHABETS, data=st.data())
def test_text_of_known_characters_comes_back(alphabet, data):
    vocabulary = Vocabulary(alphabet)
    text = "".join(data.draw(st.lists(st.sampled_from(alphabet)))) if alphabet else ""

    ids = vocabulary.encode(text)

    assert ids.dtype == np.int64
    assert ids.tolist() == [alphabet.index(character) + 1 for character in text]
    assert vocabulary.decode(ids) == text


@given(alphabet=ALPHABETS, text=st.text(CHARACTERS))
def test_unknown_characters_are_0_and_listed_once(alphabet, text):
    vocabulary = Vocabulary(alphabet)

    expected = list(dict.fromkeys(character for character in text if character not in alphabet))

    assert vocabulary.unknown_in(text) == expected
    assert [bool(number) for number in vocabulary.encode(text)] == [c in alphabet for c in text]
    assert vocabulary.decode(vocabulary.encode(text)) == "".join(c if c in alphabet else "\ufffd" for c in text)


@given(alphabet=ALPHABETS)
def test_a_vocabulary_survives_its_file(tmp_path_factory, alphabet):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.json"
    vocabulary = Vocabulary(alphabet)

    vocabulary.save(path)
    loaded = Vocabulary.load(path)

    path.read_bytes().decode("utf-8")
    assert loaded == vocabulary
    assert loaded.fingerprint == vocabulary.fingerprint
    assert [file.name for file in path.parent.iterdir()] == ["vocab.json"]


def test_the_file_can_be_read_by_people(tmp_path):
    Vocabulary("\u00e9\u2019\U0001f600").save(tmp_path / "vocab.json")

    text = (tmp_path / "vocab.json").read_text(encoding="utf-8")

    assert ' "\u00e9",\n' in text
    assert ' "\U0001f600"\n' in text


def test_id_0_is_the_unknown_symbol():
    vocabulary = Vocabulary("ab")

    assert vocabulary.symbols == ("<unk>", "a", "b")
    assert vocabulary.known == ("a", "b")
    assert len(vocabulary) == 3
    assert len(Vocabulary("")) == 1
    assert Vocabulary("").encode("ab").tolist() == [0, 0]


def test_vocabularies_are_compared_by_their_symbols_in_order():
    assert Vocabulary("ab") == Vocabulary(["a", "b"])
    assert hash(Vocabulary("ab")) == hash(Vocabulary(["a", "b"]))
    assert Vocabulary("ab") != Vocabulary("ba")
    assert Vocabulary("ab").fingerprint != Vocabulary("ba").fingerprint
    assert len(Vocabulary("ab").fingerprint) == 64


def test_a_vocabulary_cannot_be_changed():
    with pytest.raises(AttributeError):
        Vocabulary("ab").known = ("c",)


def test_pickling_keeps_a_vocabulary():
    vocabulary = Vocabulary("ab")
    vocabulary.encode("a")

    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


def test_match_finds_each_symbol_in_the_other():
    own, other = Vocabulary("abcd"), Vocabulary("dxb")

    assert own.match(other).tolist() == [0, -1, 3, -1, 1]
    assert Vocabulary("").match(other).tolist() == [0]


@given(own=ALPHABETS, other=ALPHABETS)
def test_match_agrees_with_a_search(own, other):
    expected = [0] + [other.index(symbol) + 1 if symbol in other else -1 for symbol in own]

    assert Vocabulary(own).match(Vocabulary(other)).tolist() == expected


@pytest.mark.parametrize("symbol", ["<unk>", "", "ab", 7])
def test_symbols_are_single_characters(symbol):
    with pytest.raises(VocabularyError, match=f"expected symbols of one character each, got {symbol!r}"):
        Vocabulary(["a", symbol])


def test_symbols_are_distinct():
    with pytest.raises(VocabularyError, match="expected distinct symbols, got 'b' twice"):
        Vocabulary("abcb")


@pytest.mark.parametrize("wrong", [-1, 3])
def test_decode_refuses_other_ids(wrong):
    with pytest.raises(VocabularyError, match=f"expected ids from 0 to 2, got {wrong}"):
        Vocabulary("ab").decode([1, wrong])


def test_decode_refuses_fractions():
    with pytest.raises(VocabularyError, match="expected integer ids, got float64"):
        Vocabulary("ab").decode([1.0])


def test_decode_takes_any_integers():
    assert Vocabulary("ab").decode(np.array([1, 0, 2], np.uint8)) == "a\ufffdb"
    assert Vocabulary("ab").decode(iter([1, 2])) == "ab"
    assert Vocabulary("ab").decode([]) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a vocabulary in .*vocab.json, got broken JSON"),
        ("[]", "expected a vocabulary in .*vocab.json, got other JSON"),
        ("{}", "expected a vocabulary in .*vocab.json, got other JSON"),
        ('{"format": "recurra-vocabulary", "version": 2}', "of version 1 in .*vocab.json, got version 2"),
        ('{"format": "recurra-vocabulary", "version": 1, "symbols": 3}', "a list of symbols in .*vocab.json, got 3"),
        ('{"format": "recurra-vocabulary", "version": 1, "symbols": ["ab"]}', "one character each, got 'ab'"),
    ],
)
def test_load_refuses_other_files(tmp_path, text, message):
    path = tmp_path / "vocab.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(VocabularyError, match=message):
        Vocabulary.load(path)


def test_load_reports_bytes_that_are_no_text(tmp_path):
    (tmp_path / "vocab.json").write_bytes(b"\xff")

    with pytest.raises(VocabularyError, match=r"expected a vocabulary in .*vocab\.json, got no UTF-8"):
        Vocabulary.load(tmp_path / "vocab.json")


def test_load_reports_a_missing_file(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"expected a vocabulary at .*vocab\.json, got nothing"):
        Vocabulary.load(tmp_path / "vocab.json")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vocab.json"
    Vocabulary("ab").save(path)

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        Vocabulary("cd").save(path)

    assert json.loads(path.read_text())["symbols"] == ["a", "b"]
    assert [file.name for file in tmp_path.iterdir()] == ["vocab.json"]
