"""Models made ready for data: where they are from, and what does not fit."""

import sys
from pathlib import Path

import pytest
import torch

from layerwise.core.errors import MissingDependencyError, RegistryError
from layerwise.text.hugging_face.loading import (
    Pretrained,
    hugging_face_classifier,
    hugging_face_writer,
    is_hugging_face,
)
from layerwise.text.models.awd_lstm import AWD_LSTM

VOCAB = [f"word{i}" for i in range(60)]


def test_a_config_takes_vocabulary_padding_and_labels_of_the_data(config_of):
    config = config_of("bert", vocab_size=30000)
    model = hugging_face_classifier(config, 3, VOCAB, 5, labels=["a", "b", "c"]).model
    assert model.get_input_embeddings().num_embeddings == 60
    assert (model.config.pad_token_id, model.config.id2label) == (5, {0: "a", 1: "b", 2: "c"})
    assert (config.vocab_size, config.num_labels) == (30000, 2)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "modernbert"])
def test_a_folder_gives_its_weights_and_a_new_head(model_of, tmp_path, kind):
    trained = model_of(kind, num_labels=2)
    trained.save_pretrained(tmp_path)
    for source in (tmp_path, str(tmp_path), Pretrained(tmp_path)):
        found = hugging_face_classifier(source, 2, VOCAB, 0).model
        for name, weight in trained.state_dict().items():
            assert torch.equal(found.state_dict()[name], weight), name
    drawn = hugging_face_classifier(tmp_path, 2, VOCAB, 0, pretrained=False).model
    first = next(iter(trained.state_dict()))
    assert not torch.equal(drawn.state_dict()[first], trained.state_dict()[first])


def test_weights_are_trained_in_full_precision(model_of, tmp_path):
    model_of("bert").to(torch.bfloat16).save_pretrained(tmp_path)
    assert hugging_face_classifier(tmp_path, 2, VOCAB, 0).model.dtype == torch.float32


def test_a_head_for_other_labels_is_replaced_on_demand(model_of, tmp_path):
    model_of("bert", num_labels=2).save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        hugging_face_classifier(tmp_path, 4, VOCAB, 0)
    source = Pretrained(tmp_path, ignore_mismatched_sizes=True)
    assert hugging_face_classifier(source, 4, VOCAB, 0).model.classifier.out_features == 4


def test_settings_of_the_configuration_can_differ(config_of, model_of, tmp_path):
    config = {"hidden_dropout_prob": 0.4}
    found = hugging_face_classifier(config_of("bert"), 2, VOCAB, 0, config=config)
    assert found.model.config.hidden_dropout_prob == 0.4
    with pytest.raises(TypeError, match=r"no setting 'hidden_dropout'.*'hidden_dropout_prob'"):
        hugging_face_classifier(config_of("bert"), 2, VOCAB, 0, config={"hidden_dropout": 0.4})
    with pytest.raises(ValueError, match="comes too late"):
        hugging_face_classifier(model_of("bert"), 2, VOCAB, 0, config=config)


def test_names_are_ours_first_then_those_of_models_here(transformers, tmp_path, config_of):
    assert not is_hugging_face(AWD_LSTM)
    assert is_hugging_face(tmp_path)
    assert is_hugging_face(str(tmp_path))
    assert is_hugging_face(config_of("bert"))
    with pytest.raises((RegistryError, ValueError)) as caught:
        is_hugging_face("nobody-has/this-model")
    assert "local_files_only=False" in "".join(caught.value.__notes__)


def test_a_missing_folder_is_named(transformers):
    with pytest.raises(FileNotFoundError, match="no folder nowhere/model"):
        hugging_face_classifier(Path("nowhere/model"), 2, VOCAB, 0)
    with pytest.raises(TypeError, match="int is no model of transformers"):
        hugging_face_classifier(3, 2, VOCAB, 0)


def test_another_number_of_labels_is_told(model_of):
    with pytest.raises(ValueError, match=r"among 3 labels and the data need 2.*num_labels=2"):
        hugging_face_classifier(model_of("bert", num_labels=3), 2, VOCAB, 0)


def test_labels_in_another_order_are_told(model_of):
    model = model_of("bert", id2label={0: "pos", 1: "neg"}, label2id={"pos": 0, "neg": 1})
    with pytest.raises(ValueError, match=r"vocab=\['pos', 'neg'\]"):
        hugging_face_classifier(model, 2, VOCAB, 0, labels=["neg", "pos"])
    hugging_face_classifier(model, 2, VOCAB, 0, labels=["pos", "neg"])


def test_vocabularies_of_other_sizes_are_told(model_of):
    with pytest.raises(ValueError, match=r"has 60 embeddings, and the vocabulary 61 tokens"):
        hugging_face_classifier(model_of("bert"), 2, [*VOCAB, "more"], 0)
    with pytest.warns(UserWarning, match="2000 embeddings for a vocabulary of 60"):
        hugging_face_writer(model_of("gpt2", "CausalLM", vocab_size=2000), VOCAB)
    hugging_face_writer(model_of("gpt2", "CausalLM", vocab_size=64), VOCAB)


@pytest.mark.parametrize("task", ["TokenClassification", "MaskedLM"])
def test_a_model_for_another_task_is_told(model_of, task):
    with pytest.raises(TypeError, match="no scores for a text as a whole"):
        hugging_face_classifier(model_of("bert", task), 2, VOCAB, 0)


def test_a_model_without_a_head_is_told(transformers, config_of):
    with pytest.raises(TypeError, match="BertModel gives no scores"):
        hugging_face_classifier(transformers.BertModel(config_of("bert")), 2, VOCAB, 0)


def test_without_the_library_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"layerwise-text\[transformers\]"):
        hugging_face_classifier(tmp_path, 2, VOCAB, 0)
