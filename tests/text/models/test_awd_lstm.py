"""AWD-LSTM: its state, its names, its groups."""

import copy

import pytest
import torch
from torch import nn

from layerwise.text.models import (
    AWD_LSTM,
    GRUEncoder,
    LSTMEncoder,
    awd_lstm_clas_config,
    awd_lstm_clas_split,
    awd_lstm_lm_config,
    awd_lstm_lm_split,
    get_language_model,
    get_text_classifier,
)

SMALL = {"emb_sz": 6, "n_hid": 8, "n_layers": 3}
ENCODERS = {
    "AWD_LSTM": AWD_LSTM, "GRUEncoder": GRUEncoder, "LSTMEncoder": LSTMEncoder,
}  # fmt: skip


@pytest.fixture(params=list(ENCODERS.values()), ids=list(ENCODERS))
def encoder(request):
    return request.param(20, **SMALL)


def test_without_dropout_it_is_the_layers_of_torch_one_after_the_other():
    model = AWD_LSTM(20, **SMALL).eval()
    x = torch.randint(20, (3, 5))
    expected = model.encoder(x)
    for rnn in model.rnns:
        layer = nn.LSTM(rnn.module.input_size, rnn.module.hidden_size, batch_first=True)
        weights = {n.removeprefix("module."): w for n, w in rnn.state_dict().items()}
        weights["weight_hh_l0"] = weights.pop("weight_hh_l0_raw")
        layer.load_state_dict(weights)
        expected = layer(expected)[0]
    torch.testing.assert_close(model(x), expected)


def test_a_text_in_parts_is_read_like_the_whole(encoder):
    encoder.eval()
    x = torch.randint(20, (3, 9))
    whole = encoder(x)
    encoder.reset()
    parts = torch.cat([encoder(x[:, :4]), encoder(x[:, 4:5]), encoder(x[:, 5:])], dim=1)
    torch.testing.assert_close(parts, whole)
    encoder.reset()
    torch.testing.assert_close(encoder(x), whole)


def test_fewer_rows_go_on_and_new_rows_start_at_nothing(encoder):
    encoder.eval()
    x = torch.randint(20, (4, 6))
    whole = encoder(x)
    encoder.reset()
    encoder(x[:, :3])
    fewer = encoder(x[:2, 3:])
    torch.testing.assert_close(fewer, whole[:2, 3:])
    more = encoder(torch.cat([x[:2, :3], x[2:, :3]]))
    torch.testing.assert_close(more[2:], whole[2:, :3])


def test_rows_of_the_state_can_be_selected(encoder):
    encoder.eval()
    x = torch.randint(20, (3, 6))
    whole = encoder(x)
    encoder.reset()
    encoder(x[:, :4])
    encoder.select_rows(torch.tensor([2, 0, 0]))
    torch.testing.assert_close(encoder(x[[2, 0, 0], 4:]), whole[[2, 0, 0], 4:])


def test_the_state_holds_no_graph_and_lets_the_model_be_copied(encoder):
    encoder(torch.randint(20, (2, 4))).sum().backward()
    assert not any(part.requires_grad for state in encoder.hidden for part in state)
    copy.deepcopy(encoder)
    encoder(torch.randint(20, (2, 4))).sum().backward()


def test_embeddings_may_be_given_in_place_of_tokens(encoder):
    encoder.eval()
    x = torch.randint(20, (2, 4))
    expected = encoder(x)
    encoder.reset()
    torch.testing.assert_close(encoder(encoder.encoder(x), from_embeds=True), expected)


def test_embeddings_start_within_a_tenth_and_padding_stays_zero(encoder):
    weight = encoder.encoder.weight
    assert weight.abs().max() <= 0.1
    assert weight[[0, *range(2, 20)]].std().item() == pytest.approx(0.2 / 12**0.5, rel=0.2)
    encoder(torch.tensor([[1, 1, 3]])).sum().backward()
    assert not weight[1].any()
    assert not weight.grad[1].any()


def test_half_precision_reads_on_where_full_precision_stopped(encoder):
    x = torch.randint(20, (2, 4))
    encoder(x)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=dtype):
            if dtype == torch.float16 and not isinstance(encoder, AWD_LSTM):
                continue  # torch has no such layer on a CPU
            encoder(x).float().sum().backward()
    assert encoder.double()(x).dtype == torch.float64


def test_both_directions_share_the_width():
    model = AWD_LSTM(20, bidir=True, **SMALL)
    assert model(torch.randint(20, (2, 4))).shape == (2, 4, 6)
    with pytest.raises(ValueError, match="even widths"):
        AWD_LSTM(20, 5, 8, 2, bidir=True)


def test_no_layers_are_refused_and_a_misspelt_setting_is_named(encoder):
    with pytest.raises(ValueError, match="one"):
        type(encoder)(20, 6, 8, 0)
    with pytest.raises(TypeError, match="Did you mean 'n_hid'"):
        type(encoder)(20, 6, n_hidd=8, n_layers=2)


def test_settings_are_those_of_the_published_weights():
    assert awd_lstm_lm_config == {
        "emb_sz": 400, "n_hid": 1152, "n_layers": 3, "pad_token": 1, "bidir": False,
        "output_p": 0.1, "hidden_p": 0.15, "input_p": 0.25, "embed_p": 0.02, "weight_p": 0.2,
        "tie_weights": True, "out_bias": True,
    }  # fmt: skip
    assert awd_lstm_clas_config == {
        "emb_sz": 400, "n_hid": 1152, "n_layers": 3, "pad_token": 1, "bidir": False,
        "output_p": 0.4, "hidden_p": 0.3, "input_p": 0.4, "embed_p": 0.05, "weight_p": 0.5,
    }  # fmt: skip


def test_groups_of_a_language_model_are_layers_then_embedding_with_decoder():
    model = get_language_model(AWD_LSTM, 20, SMALL)
    groups = awd_lstm_lm_split(model)
    names = {id(p): n for n, p in model.named_parameters()}
    assert [{names[id(p)].split(".")[1] for p in group} for group in groups] == [
        {"rnns"}, {"rnns"}, {"rnns"}, {"encoder", "decoder"},
    ]  # fmt: skip
    assert sum(map(len, groups)) == len(names)


def test_groups_of_a_classifier_are_embedding_layers_and_head():
    model = get_text_classifier(AWD_LSTM, 20, 2, config=SMALL)
    groups = awd_lstm_clas_split(model)
    names = {id(p): n for n, p in model.named_parameters()}
    found = [{".".join(names[id(p)].split(".")[:3]) for p in group} for group in groups]
    assert found[0] == {"0.module.encoder"}
    assert found[1:4] == [{"0.module.rnns"}] * 3
    assert all(name.startswith("1.layers") for name in found[4])
    assert sum(map(len, groups)) == len(names)


@pytest.mark.parametrize("to_half", ["to_bf16", "to_fp16"])
def test_it_trains_in_half_precision_by_a_learner(to_half):
    from layerwise.core.all import CrossEntropyLossFlat, DataLoaders, Learner, rnn_cbs

    batches = [(torch.randint(20, (4, 6)), torch.randint(20, (4, 6))) for _ in range(3)]
    model = get_language_model(AWD_LSTM, 20, SMALL)
    learn = Learner(
        DataLoaders(batches, batches), model, loss_func=CrossEntropyLossFlat(), cbs=rnn_cbs(2, 1)
    )
    getattr(learn, to_half)()
    with learn.no_bar(), learn.no_logging():
        learn.fit(2, 1e-2)
    assert torch.isfinite(torch.tensor(learn.recorder.losses)).all()
    assert all(p.dtype == torch.float32 for p in model.parameters())
