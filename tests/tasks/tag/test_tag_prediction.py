import json

from recurra.tasks.tag.prediction import Entity, TagPrediction


def test_a_line_has_each_word_with_its_tag():
    assert TagPrediction(("New", "York", "!"), ("B-loc", "I-loc", "O")).to_line() == "New/B-loc York/I-loc !/O"


def test_a_sentence_of_a_file_of_columns_stays_in_columns():
    prediction = TagPrediction(("New", "York"), ("B-loc", "I-loc"), in_columns=True)

    assert prediction.to_line() == "New\tB-loc\nYork\tI-loc\n"


def test_entities_are_found_where_tags_mark_some():
    prediction = TagPrediction(("Ann", "saw", "New", "York"), ("B-per", "O", "B-loc", "I-loc"), marks_entities=True)

    assert prediction.entities == (Entity("per", 0, 1, "Ann"), Entity("loc", 2, 4, "New York"))
    content = json.loads(json.dumps(prediction.to_json()))
    assert content["words"] == ["Ann", "saw", "New", "York"]
    assert content["entities"][1] == {"kind": "loc", "begin": 2, "end": 4, "text": "New York"}


def test_tags_without_entities_have_none_in_json():
    assert "entities" not in TagPrediction(("a",), ("DET",)).to_json()
    assert TagPrediction(("a",), ("O",), marks_entities=True).to_json()["entities"] == []


def test_an_empty_sentence_has_an_empty_line():
    assert TagPrediction((), ()).to_line() == ""
    assert TagPrediction((), ()).to_json() == {"words": [], "tags": []}
