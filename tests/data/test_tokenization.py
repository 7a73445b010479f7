"""What holds for every tokeniser."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import BPETokenizer, CharTokenizer, Vocabulary, WordTokenizer, load_tokenizer, train_bpe
from recurra.errors import ChoiceError, DataNotFoundError, VocabularyError

SAMPLE = "the cat sat on the mat, the rat \u00e9t\u00e9 \U0001f600\n" * 3
TOKENIZERS = {
    "char": CharTokenizer(Vocabulary("the ca\u00e9.,\"'")),
    "word": WordTokenizer(Vocabulary(["the", "cat", ",", ".", '"', "(", ")"]), "word", lowercase=True),
    "whitespace": WordTokenizer(Vocabulary(["the", "cat", "cat,"]), "whitespace"),
    "bpe": train_bpe([SAMPLE], 280),
}
TEXTS = st.text(st.sampled_from("the cat,.\n\t \"'()\u00e9\U0001f600T<unk>eos") | st.characters(exclude_categories=()))
every_kind = pytest.mark.parametrize("kind", TOKENIZERS)


@every_kind
@given(data=st.data())
def test_what_the_decoder_gives_is_the_decoded_text(kind, data):
    tokenizer = TOKENIZERS[kind]
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1)))

    decoder = tokenizer.decoder()
    pieces = [decoder.feed(number) for number in ids]

    assert "".join(pieces) + decoder.flush() == tokenizer.decode(np.array(ids, np.int64))


@every_kind
@given(first=TEXTS, second=TEXTS)
def test_text_can_be_encoded_line_by_line(kind, first, second):
    tokenizer = TOKENIZERS[kind]
    first += "\n"

    whole = tokenizer.encode(first + second)

    assert whole.dtype == np.int64
    assert whole.tolist() == [*tokenizer.encode(first), *tokenizer.encode(second)]


@every_kind
@given(text=TEXTS)
def test_line_ends_are_id_3_and_only_they(kind, text):
    ids = TOKENIZERS[kind].encode(text.replace("<eos>", ""))

    assert (ids == 3).sum() == text.count("\n")
    assert not np.isin(ids, [0, 2]).any()
    assert TOKENIZERS[kind].decode(ids).count("\n") == text.count("\n")


@every_kind
@given(text=TEXTS)
def test_only_text_with_unknown_parts_has_the_unknown_id(kind, text):
    tokenizer = TOKENIZERS[kind]

    unknown = tokenizer.unknown_in(text)

    assert len(set(unknown)) == len(unknown)
    assert (1 in tokenizer.encode(text)) == (unknown != []) or "<unk>" in text


@every_kind
def test_a_tokenizer_survives_its_folder(kind, tmp_path):
    tokenizer = TOKENIZERS[kind]

    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)

    assert type(loaded) is type(tokenizer)
    assert (loaded.kind, loaded.unit, len(loaded)) == (tokenizer.kind, tokenizer.unit, len(tokenizer))
    assert loaded.kind == kind
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.vocabulary == tokenizer.vocabulary
    assert loaded.encode(SAMPLE.upper()).tolist() == tokenizer.encode(SAMPLE.upper()).tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json" if kind == "bpe" else "vocab.json"]


@every_kind
def test_saving_twice_gives_the_same_bytes(kind, tmp_path):
    (tmp_path / "again").mkdir()

    TOKENIZERS[kind].save(tmp_path)
    load_tokenizer(tmp_path).save(tmp_path / "again")

    (first,) = (path for path in tmp_path.iterdir() if path.is_file())
    (second,) = (tmp_path / "again").iterdir()
    assert first.read_bytes() == second.read_bytes()


@every_kind
def test_ids_outside_the_vocabulary_are_refused(kind):
    tokenizer = TOKENIZERS[kind]
    size = len(tokenizer)

    for wrong in (-1, size):
        with pytest.raises(VocabularyError, match=f"expected ids from 0 to {size - 1}, got {wrong}"):
            tokenizer.decode([1, wrong])
        with pytest.raises(VocabularyError, match=f"Decoder expected an id from 0 to {size - 1}, got {wrong}"):
            tokenizer.decoder().feed(wrong)


def test_fingerprints_differ_where_ids_do():
    vocabulary, other = Vocabulary("ab"), Vocabulary("ba")
    tokenizers = [
        CharTokenizer(vocabulary),
        CharTokenizer(other),
        CharTokenizer(vocabulary, lowercase=True),
        WordTokenizer(vocabulary, "word"),
        WordTokenizer(vocabulary, "whitespace"),
        WordTokenizer(vocabulary, "word", lowercase=True),
        WordTokenizer(other, "word"),
        train_bpe([SAMPLE], 280),
        train_bpe([SAMPLE], 279),
        train_bpe(["ab" * 10], 261),
    ]

    assert all(len(tokenizer.fingerprint) == 64 for tokenizer in tokenizers)
    for one, two in combinations(tokenizers, 2):
        assert one.fingerprint != two.fingerprint


def test_units_are_named_for_people():
    assert [TOKENIZERS[kind].unit for kind in ("char", "word", "whitespace", "bpe")] == [
        "character",
        "word",
        "token",
        "subword",
    ]


def test_a_folder_without_tokenizer_is_reported(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"expected vocab\.json or tokenizer\.json in .*, got neither"):
        load_tokenizer(tmp_path)
    with pytest.raises(DataNotFoundError, match=r"expected a tokenizer at .*tokenizer\.json, got nothing"):
        BPETokenizer.load(tmp_path)


def test_two_tokenizers_in_a_folder_are_reported(tmp_path):
    TOKENIZERS["bpe"].save(tmp_path)
    TOKENIZERS["char"].save(tmp_path)

    with pytest.raises(
        VocabularyError, match=r"expected one of tokenizer\.json and vocab\.json in .*, got both"
    ) as error:
        load_tokenizer(tmp_path)

    assert error.value.hint == "remove the one that was not written last"


def saved(tmp_path, **changes):
    TOKENIZERS["char"].save(tmp_path)
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, r"expected a vocabulary in .*vocab\.json, got other JSON"),
        ({"version": 2}, r"expected a tokenizer of version 1 in .*vocab\.json, got version 2"),
        ({"lowercase": 1}, r"expected lowercase to be true or false in .*vocab\.json, got 1"),
        ({"vocabulary": None}, r"expected a vocabulary in .*vocab\.json, got other JSON"),
    ],
)
def test_other_files_are_refused(tmp_path, changes, message):
    with pytest.raises(VocabularyError, match=message):
        load_tokenizer(saved(tmp_path, **changes))


def test_another_kind_is_refused(tmp_path):
    with pytest.raises(
        ChoiceError, match=r"the kind of the tokenizer in .*vocab\.json to be one of char, .*; got 'cha'"
    ):
        load_tokenizer(saved(tmp_path, kind="cha"))


def test_the_file_can_be_read_by_people(tmp_path):
    CharTokenizer(Vocabulary(["\u00e9", "\U0001f600"])).save(tmp_path)

    text = (tmp_path / "vocab.json").read_text(encoding="utf-8")

    assert ' "\u00e9",\n' in text
    assert ' "\U0001f600"\n' in text


@given(known=st.lists(st.characters(exclude_categories=(), exclude_characters="\n"), unique=True, max_size=40))
def test_every_character_survives_the_file(tmp_path_factory, known):
    folder = tmp_path_factory.mktemp("tokenizer")

    CharTokenizer(Vocabulary(known, range(len(known) + 4))).save(folder)
    loaded = load_tokenizer(folder)

    (folder / "vocab.json").read_bytes().decode("utf-8")
    assert loaded.vocabulary.known == tuple(known)
    assert loaded.vocabulary.counts == tuple(range(len(known) + 4))


@every_kind
def test_a_tokenizer_is_on_the_disk_before_it_takes_its_name(kind, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append([path.suffix for path in tmp_path.iterdir()]))

    TOKENIZERS[kind].save(tmp_path)

    assert len(synced) == 1
    assert ".json" not in synced[0]


@every_kind
def test_a_failed_save_leaves_the_old_file(kind, tmp_path, monkeypatch):
    TOKENIZERS[kind].save(tmp_path)
    (path,) = tmp_path.iterdir()
    old = path.read_bytes()

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        TOKENIZERS[kind].save(tmp_path)

    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "vocab.json").write_bytes(b"\xff")

    with pytest.raises(VocabularyError, match=r"expected a tokenizer in .*vocab\.json, got no UTF-8"):
        load_tokenizer(tmp_path)


def test_broken_json_is_refused(tmp_path):
    (tmp_path / "vocab.json").write_text("{", encoding="utf-8")

    with pytest.raises(VocabularyError, match=r"expected a tokenizer in .*vocab\.json, got broken JSON"):
        load_tokenizer(tmp_path)


def test_files_of_earlier_versions_say_so(tmp_path):
    old = {"format": "recurra-vocabulary", "version": 1, "unknown": "<unk>", "symbols": ["a"]}
    (tmp_path / "vocab.json").write_text(json.dumps(old), encoding="utf-8")

    with pytest.raises(VocabularyError, match="got one written by an earlier version") as error:
        load_tokenizer(tmp_path)

    assert "train anew" in error.value.hint


def test_a_vocabulary_alone_is_no_tokenizer(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps(Vocabulary("ab").to_content()), encoding="utf-8")

    with pytest.raises(VocabularyError, match=r"expected a tokenizer in .*vocab\.json, got a vocabulary alone"):
        load_tokenizer(tmp_path)
