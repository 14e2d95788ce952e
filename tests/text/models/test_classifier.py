"""Classifiers of whole texts: what comes out depends on the tokens of a text alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.text.models import (
    AWD_LSTM,
    GRUEncoder,
    LSTMEncoder,
    PoolingLinearClassifier,
    SentenceEncoder,
    TextTransformer,
    get_text_classifier,
    masked_concat_pool,
)

SMALL = {"emb_sz": 16, "n_layers": 2}
ARCHS = [AWD_LSTM, GRUEncoder, LSTMEncoder, TextTransformer]


def padded(texts, width, side):
    """A batch of texts with padding in front, behind, or chunk by chunk on both sides."""
    rows = []
    for text in texts:
        gap = width - len(text)
        front = {"front": gap, "behind": 0, "both": gap // 2}[side]
        rows.append([1] * front + text + [1] * (gap - front))
    return torch.tensor(rows)


def some_texts(*lengths):
    return [torch.randint(2, 30, (n,)).tolist() for n in lengths]


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("max_len", [None, 10, 3])
@pytest.mark.parametrize("side", ["front", "behind", "both"])
def test_a_text_alone_and_among_others_gives_the_same(arch, max_len, side):
    model = get_text_classifier(arch, 30, 3, seq_len=4, config=SMALL, max_len=max_len).eval()
    texts = some_texts(23, 5, 1, 12, 8)
    together = model(padded(texts, 31, side))[0]
    alone = torch.cat([model(torch.tensor([text]))[0] for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 9), st.integers(1, 7),
    st.sampled_from(["front", "behind", "both"]), st.sampled_from([None, 1, 6]),
)  # fmt: skip
def test_any_batch_gives_what_its_texts_give_alone(lengths, more, seq_len, side, max_len):
    torch.manual_seed(0)
    encoder = SentenceEncoder(seq_len, LSTMEncoder(30, 6, 5, 2).eval(), max_len=max_len)
    texts = some_texts(*lengths)
    together = masked_concat_pool(*encoder(padded(texts, max(lengths) + more, side)))
    alone = torch.cat([masked_concat_pool(*encoder(torch.tensor([text]))) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_chunks_read_what_one_call_reads():
    module = LSTMEncoder(30, 6, 5, 2).eval()
    tokens = torch.tensor(some_texts(17, 17))
    module.reset()
    whole = module(tokens)
    output, is_padding = SentenceEncoder(5, module)(tokens)
    torch.testing.assert_close(output, whole)
    assert not is_padding.any()


def test_only_the_last_tokens_are_kept_and_have_a_gradient():
    module = LSTMEncoder(30, 6, 5, 1, input_p=0)
    tokens = torch.arange(2, 22).view(1, 20)  # each token once
    output, is_padding = SentenceEncoder(4, module, max_len=6)(tokens)
    assert output.shape[1] == 8  # the two chunks that the last six tokens lie in
    assert is_padding[0].tolist() == [True] * 2 + [False] * 6
    output.sum().backward()
    trained = module.encoder.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert trained == list(range(14, 22))


def test_memory_of_long_texts_is_that_of_the_last_tokens():
    module = AWD_LSTM(30, 6, 8, 2)
    encoder = SentenceEncoder(4, module, max_len=8)
    assert encoder(torch.randint(2, 30, (2, 400)))[0].shape == (2, 8, 6)


def test_pooling_by_hand():
    outputs = torch.tensor([[[1.0, -1], [5, -3], [9, 9]], [[9, 9], [2, -2], [4, -8]]])
    mask = torch.tensor([[False, False, True], [True, False, False]])
    expected = torch.tensor([[5.0, -3, 5, -1, 3, -2], [4, -8, 4, -2, 3, -5]])
    torch.testing.assert_close(masked_concat_pool(outputs, mask), expected)
    torch.testing.assert_close(masked_concat_pool(outputs, mask, 72), expected)


def test_a_text_of_nothing_becomes_zeros_and_harms_no_other():
    outputs = torch.ones(2, 3, 4, requires_grad=True)
    mask = torch.tensor([[True] * 3, [False] * 3])
    pooled = masked_concat_pool(outputs, mask)
    assert pooled.tolist() == [[0.0] * 12, [1.0] * 12]
    pooled.sum().backward()
    assert torch.isfinite(outputs.grad).all()
    model = get_text_classifier(AWD_LSTM, 30, 2, config={"emb_sz": 6, "n_hid": 8}).eval()
    assert torch.isfinite(model(torch.tensor([[1, 1], [2, 3]]))[0]).all()
    assert torch.isfinite(model(torch.tensor([[1, 1]]))[0]).all()


def test_the_head_is_layers_as_wide_as_it_was_told():
    head = PoolingLinearClassifier([12, 5, 2], [0.4, 0.1])
    kinds = [[type(layer) for layer in block] for block in head.layers]
    assert kinds == [
        [nn.BatchNorm1d, nn.Dropout, nn.Linear, nn.ReLU], [nn.BatchNorm1d, nn.Dropout, nn.Linear],
    ]  # fmt: skip
    assert [block[1].p for block in head.layers] == [0.4, 0.1]
    with pytest.raises(ValueError, match="one dropout fewer"):
        PoolingLinearClassifier([12, 2], [0.1, 0.1])


def test_layers_of_the_classifier_and_its_dropout_are_those_of_the_settings():
    model = get_text_classifier(
        AWD_LSTM, 30, 4, config={"emb_sz": 8, "n_hid": 10}, drop_mult=0.5, lin_ftrs=[20, 7]
    )
    linear = [m for m in model[1].modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(24, 20), (20, 7), (7, 4)]
    assert [m.p for m in model[1].modules() if isinstance(m, nn.Dropout)] == [0.2, 0.1, 0.1]
    assert model[0].module.input_dp.p == 0.2
    assert model[0].module.rnns[0].weight_p == 0.25


def test_numbers_can_be_kept_in_a_range():
    model = get_text_classifier(AWD_LSTM, 30, 1, config={"emb_sz": 8, "n_hid": 9}, y_range=(2, 5))
    scores = model(torch.randint(2, 30, (6, 9)))[0]
    assert scores.shape == (6, 1)
    assert ((scores > 2) & (scores < 5)).all()


@pytest.mark.parametrize("arch", ARCHS)
def test_it_learns_which_word_was_said_first(arch):
    torch.manual_seed(3)
    narrow = {} if arch is TextTransformer else {"n_hid": 20}
    model = get_text_classifier(arch, 12, 2, seq_len=5, config={**SMALL, **narrow}, drop_mult=0.0)
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(60):
        label = torch.randint(2, (32,))
        texts = torch.randint(4, 12, (32, 9))
        texts[:, 1] = 2 + label
        texts[:16, -3:] = 1
        loss = nn.functional.cross_entropy(model(texts)[0], label)
        loss.backward()
        opt.step()
        opt.zero_grad()
    assert loss.item() < 0.2


def test_sizes_of_chunks_are_checked():
    with pytest.raises(ValueError, match="bptt=0"):
        SentenceEncoder(0, AWD_LSTM(30, 6, 8, 1))
