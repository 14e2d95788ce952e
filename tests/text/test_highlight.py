"""Weights of words, beside those worked out by hand, and how they are drawn."""

import math

import pytest
import torch
from torch import nn

from layerwise.core.data.block import CategoryBlock, DataBlock, RegressionBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.learner import Learner
from layerwise.core.named import reference_to
from layerwise.core.nn.losses import BaseLoss, CrossEntropyLossFlat
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.train.predict import activation_of
from layerwise.text.blocks import TextBlock
from layerwise.text.highlight import Highlights, highlight
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.transformer import TextTransformer
from layerwise.text.tokenizer import Tokenizer
from layerwise.text.tokens import text_spec_tok

FILMS = [("a good film", "good"), ("a bad film", "bad"), ("so <b>dull</b>", "bad")] * 8
ARCHS = [
    (AWD_LSTM, {"emb_sz": 6, "n_hid": 8, "n_layers": 2}),
    (TextTransformer, {"emb_sz": 8, "n_layers": 2, "n_heads": 2}),
]


def loaders(block=CategoryBlock, items=FILMS, **settings):
    return DataBlock(
        (TextBlock(min_freq=1, **settings), block),
        get_x=ItemGetter(0), get_y=ItemGetter(1), splitter=IndexSplitter(range(6)),
    ).dataloaders(items, bs=4)  # fmt: skip


class Sum(nn.Module):
    """Scores that are the sum over words of what a table says of each."""

    def __init__(self, rows):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=1)

    def forward(self, x):
        return self.table(x).sum(1)


def learner_of_sums(dls, said, loss=None):
    vocab = dls.vocab[0] if isinstance(dls.vocab[0], list) else dls.vocab
    rows = torch.zeros(len(vocab), len(next(iter(said.values()))))
    for word, scores in said.items():
        rows[vocab.index(word)] = torch.tensor(scores)
    return Learner(dls, Sum(rows), loss_func=loss or dls.loss_func)


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients"])
def test_of_a_sum_each_word_has_what_it_adds(method):
    items = [(text, 1.0 if label == "good" else -1.0) for text, label in FILMS]
    dls = loaders(RegressionBlock(), items)
    learn = learner_of_sums(dls, {"good": [2.0], "bad": [-3.0], "film": [0.25]})
    found = highlight(learn, "a good bad film", method=method)
    assert found.words == ["xxbos", "a", "good", "bad", "film"]
    mean = (2 - 3 + 0.25) / len(dls.vocab)  # what a word of which nothing is known adds
    assert found.weights == pytest.approx([0, *(w - mean for w in (0, 2, -3, 0.25))], abs=1e-5)
    assert found.label is None
    assert found.score == pytest.approx(-0.75)
    assert found.top(1)[0][0] == "bad"


def test_of_two_classes_it_is_the_log_odds():
    learn = learner_of_sums(loaders(), {"good": [0.0, 2.0], "bad": [3.0, 1.0]})
    found = highlight(learn, "a good bad film")  # the classes are bad, good
    # Log odds of two classes are the difference of their scores: bad - good.
    assert dict(found) == pytest.approx(
        {"xxbos": 0, "a": 0, "good": -2, "bad": 2, "film": 0}, abs=1e-5
    )
    assert found.label in ("bad", "good")
    other = highlight(learn, "a good bad film", "good")
    assert dict(other)["good"] == pytest.approx(2, abs=1e-5)
    assert other.score == pytest.approx(0.5, abs=1e-5)


def test_of_three_classes_it_is_one_against_the_rest():
    items = [(text, label if i % 5 else "odd") for i, (text, label) in enumerate(FILMS)]
    learn = learner_of_sums(loaders(items=items), {"good": [0.0, 2.0, 0.0]})
    found = highlight(learn, "good")
    assert found.label == "good"
    # From the log odds of a mean word, m - log 2, to 2 - log 2.
    assert sum(found.weights) == pytest.approx(2 - 2 / len(learn.dls.vocab[0]), abs=1e-3)
    assert found.score == pytest.approx(math.exp(2) / (math.exp(2) + 2))


@pytest.mark.parametrize(("arch", "config"), ARCHS)
@pytest.mark.parametrize("backwards", [False, True])
def test_weights_sum_to_what_the_text_adds(arch, config, backwards):
    set_seed(0)
    dls = loaders(backwards=backwards, seq_len=3)
    learn = text_classifier_learner(dls, arch, 3, config, pretrained=False, backwards=backwards)
    with torch.no_grad():  # weights so wide that the model is far from linear
        for weight in learn.model.parameters():
            weight.mul_(2)
        _let_be_mean(learn.model[0].module.encoder.weight, _UNUSED)
    text = "a good film so bad so dull a film so good"
    found = highlight(learn, text, "good", steps=300)
    assert found.words == ["xxbos", *text.split()]
    without = learn.model.eval()(torch.tensor([_unknown_words(found.words, backwards)]))[0]
    own = learn.predict(text)[2]
    before = torch.softmax(without, 1)[0]
    odds = [torch.logit(p[1]).item() for p in (own, before)]
    assert sum(found.weights) == pytest.approx(odds[0] - odds[1], rel=0.01)
    assert all(abs(weight) > 1e-9 for weight in found.weights[1:])  # no chunk is left out
    assert found.weights[0] == 0


_UNUSED = text_spec_tok.index("xxfld")


def _let_be_mean(rows, place):
    """Let one row be the mean of the others, and so that of all."""
    rows[place] = 0
    rows[place] = rows.sum(0) / (len(rows) - 1)


def _unknown_words(words, backwards):
    """As many tokens that are embedded as the mean behind the same beginning."""
    bos = text_spec_tok.index("xxbos")
    numbers = [bos if word == "xxbos" else _UNUSED for word in words]
    return numbers[::-1] if backwards else numbers


def test_an_unknown_label_and_method_name_the_nearest():
    learn = learner_of_sums(loaders(), {"good": [0.0, 2.0]})
    with pytest.raises(ValueError, match=r"no class 'goood'\. Did you mean 'good'"):
        highlight(learn, "a film", "goood")
    with pytest.raises(ValueError, match="Did you mean 'gradient'"):
        highlight(learn, "a film", method="gradients")
    with pytest.raises(ValueError, match="steps=0"):
        highlight(learn, "a film", steps=0)
    with pytest.raises(TypeError, match="'target'"):
        highlight(learn, "a film", targets="good")  # type: ignore[call-arg]  # what is tested


def test_a_language_model_and_a_model_without_words_are_refused():
    block = DataBlock(TextBlock(is_lm=True, min_freq=1), splitter=IndexSplitter(range(6)))
    dls = block.dataloaders([text for text, _ in FILMS], bs=4, seq_len=5)
    learn = language_model_learner(dls, *ARCHS[0], pretrained=False)
    with pytest.raises(TypeError, match="learner of a classifier"):
        highlight(learn, "a film")
    odd = Learner(loaders(), OneHot(), loss_func=CrossEntropyLossFlat())
    with pytest.raises(TypeError, match=r"no nn\.Embedding with"):
        highlight(odd, "a film")


class OneHot(nn.Module):
    def forward(self, x):
        return torch.nn.functional.one_hot(x, 100).float().sum(1)[:, :2]


def test_weights_and_gradients_stay_as_they_were():
    set_seed(0)
    learn = text_classifier_learner(loaders(), *ARCHS[0][:1], config=ARCHS[0][1], pretrained=False)
    before = {name: value.clone() for name, value in learn.model.state_dict().items()}
    highlight(learn, "a good film")
    assert not any(m.training for m in learn.model.modules())  # as after predict
    assert all(weight.grad is None for weight in learn.model.parameters())
    assert not learn.model[0].module.encoder._forward_hooks
    for name, value in learn.model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.skipif(reference_to(Tokenizer) is None, reason="text is not in its record yet")
def test_a_loaded_learner_is_asked_in_the_same_way(tmp_path):
    set_seed(0)
    learn = text_classifier_learner(
        loaders(), ARCHS[0][0], config=ARCHS[0][1], pretrained=False, path=tmp_path
    )
    loaded = load_learner(learn.export("films.lw"))
    assert highlight(loaded, "a GOOD film") == highlight(learn, "a GOOD film")


def test_a_model_of_transformers_is_asked_in_the_same_way(transformers, wordpiece):
    from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

    set_seed(0)
    dls = loaders(tok_tfm=HuggingFaceTokenizer(wordpiece))
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    learn = text_classifier_learner(dls, config, pretrained=False)
    mask = wordpiece.token_to_id("[MASK]")
    with torch.no_grad():
        _let_be_mean(learn.model.body.embeddings.word_embeddings.weight, mask)
    found = highlight(learn, "a good film", "good", steps=100)
    assert found.words == ["[CLS]", "a", "good", "film", "[SEP]"]
    assert (found.weights[0], found.weights[-1]) == (0, 0)
    model, own = learn.model.model.eval(), learn.predict("a good film")[2]
    tokens = torch.tensor([[wordpiece.token_to_id(word) for word in found.words]])
    nothing = tokens.clone()
    nothing[:, 1:-1] = mask
    with torch.no_grad():
        before = model(input_ids=nothing).logits.softmax(1)
    assert sum(found.weights) == pytest.approx(
        (torch.logit(own[1]) - torch.logit(before[0, 1])).item(), abs=1e-4
    )


def test_markup_in_a_text_is_text_in_html():
    html = Highlights(["<script>", "a&b"], [1.0, -2.0], "<i>", 0.5)._repr_html_()
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;" in html
    assert "a&amp;b" in html


def test_colours_tell_sign_and_size():
    spans = Highlights(["for", "against", "half"], [2.0, -2.0, 1.0], "x", 0.5).to_html()
    *_, first, second, third = spans.split("<span")
    assert "30, 120, 210, 0.75" in first
    assert 'title="+2"' in first
    assert "230, 120, 20, 0.75" in second
    assert "0.38" in third
    assert "0.00" in Highlights(["nothing"], [0.0], None, 1.5).to_html()


def test_it_is_a_line_in_a_terminal():
    told = str(Highlights(["good", "film"], [0.5, 0.0], None, 1.5))
    assert told == "1.5: for it good +0.5; against it nothing"


def test_the_loss_of_categories_has_an_activation():
    # What tells apart classes of which one is right; a loss without it is asked for its scores.
    assert isinstance(CrossEntropyLossFlat(), BaseLoss)
    assert activation_of(CrossEntropyLossFlat())(torch.zeros(1, 2)).tolist() == [[0.5, 0.5]]
