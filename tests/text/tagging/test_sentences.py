"""Files of words and labels."""

import pytest

from layerwise.core.errors import DataError
from layerwise.text.tagging.sentences import Sentence, read_conll

CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
German JJ B-NP B-MISC
call NN I-NP O


Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER"""


def test_sentences_are_those_between_empty_lines(tmp_path):
    file = tmp_path / "train.txt"
    file.write_text(CONLL)
    assert read_conll(file) == [
        Sentence(["EU", "rejects", "German", "call"], ["B-ORG", "O", "B-MISC", "O"]),
        Sentence(["Peter", "Blackburn"], ["B-PER", "I-PER"]),
    ]
    assert [s.labels for s in read_conll(file, label_col=1)][1] == ["NNP", "NNP"]


def test_columns_may_be_parted_by_anything(tmp_path):
    file = tmp_path / "train.tsv"
    file.write_bytes(b"New York\tB-LOC\r\n\r\nhere\tO\r\n")
    made = read_conll(file, delimiter="\t")
    assert made == [Sentence(["New York"], ["B-LOC"]), Sentence(["here"], ["O"])]


def test_a_line_without_a_label_is_named(tmp_path):
    file = tmp_path / "train.txt"
    file.write_text("EU B-ORG\nrejects\n")
    with pytest.raises(DataError, match=r"train\.txt, line 2: 'rejects' has 1 columns"):
        read_conll(file)
    with pytest.raises(DataError, match=r"line 1: .* 2 columns.* in column 5"):
        read_conll(file, label_col=5)


def test_a_sentence_has_one_label_for_each_word():
    with pytest.raises(DataError, match="2 words and 1 labels"):
        Sentence(["a", "b"], ["O"])
    with pytest.raises(DataError, match="0 words and no labels"):
        Sentence([])
