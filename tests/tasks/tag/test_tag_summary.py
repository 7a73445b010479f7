import torch

from recurra.tasks.tag import DataConfig, ModelConfig
from recurra.tasks.tag.data import open_data
from recurra.tasks.tag.summary import summary_lines


def lines_of(train, validation):
    data = open_data(DataConfig(data=(train,), validation_data=(validation,), min_count=1))
    return summary_lines(data, ModelConfig(), torch.nn.Linear(1, 1))


def test_a_sentence_as_long_as_a_file_is_told(tmp_path):
    joined, one = tmp_path / "joined.conll", tmp_path / "one.conll"
    joined.write_text("the\tD\ndog\tN\nsees\tV\n" * 400)
    one.write_text("dog\tN\n")

    lines = lines_of(joined, one)

    assert lines[0] == "train 1 sentence (1,200 words), validation 1 sentence (1 word)"
    assert lines[1] == (
        "train part: the longest sentence has 1,200 words (the dog sees the dog ...), and a batch with it takes much "
        "memory; hint: a blank line ends a sentence, are there some missing?"
    )


def test_sentences_of_usual_length_are_not_remarked_on(files):
    assert not any("longest sentence" in line for line in lines_of(files[0], files[1]))
