"""S3: what `export` writes is the same learner again, in a fresh process and another folder."""

import getpass
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from layerwise.core.data.block import CategoryBlock, DataBlock, RegressionBlock, TransformBlock
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import BundleError, ConfigError
from layerwise.core.files.bundle import read_bundle, write_bundle
from layerwise.core.files.plain import from_json, to_json
from layerwise.core.learner import Learner
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.registry import register
from layerwise.core.restore import load_learner
from layerwise.core.train.data_config import inference_loader
from layerwise.core.train.strategy import Strategy
from layerwise.core.transforms.numeric import RegressionSetup
from layerwise.core.transforms.transform import Transform

GOLDEN = Path(__file__).parent / "exports"


def rows(count=24, width=4):
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.rand(width, generator=generator).tolist(), ("cat", "dog", "emu")[i % 3])
        for i in range(count)
    ]


def row_learner(path, **settings):
    """Rows of four numbers to one of three classes."""
    block = DataBlock(
        (TransformBlock(type_tfms=RegressionSetup), CategoryBlock),
        get_x=ItemGetter(0),
        get_y=ItemGetter(1),
        splitter=IndexSplitter(range(18, 24)),
        **settings,
    )
    torch.manual_seed(0)
    dls = block.dataloaders(rows(), bs=6, device="cpu")
    model = nn.Sequential(LinBnDrop(4, 8, act=nn.ReLU()), nn.Dropout(0.2), nn.Linear(8, 3))
    learn = Learner(dls, model, lr=0.01, path=path)
    with learn.no_logging():
        learn.fit(1)
    return learn


def same(found, expected):
    """Whether two results of `predict` are the same, bit for bit."""
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(found, expected, strict=True)
    )


ELSEWHERE = """
import sys, torch
from layerwise.core.restore import load_learner
learn = load_learner(sys.argv[1])
items = torch.load(sys.argv[2], weights_only=True)
found = [learn.predict(item)[2] for item in items] + [p[2] for p in learn.predict(items)]
torch.save([torch.stack(found), str(learn.predict(items[0])[0])], sys.argv[3])
mine = {m for m in sys.modules if m.startswith("layerwise.")}
assert all(m.startswith("layerwise.core") for m in mine), mine
"""


def test_s3_core_a_fresh_process_in_another_folder_predicts_the_same_bits(tmp_path):
    learn = row_learner(tmp_path)
    file = learn.export()
    items = [(values, "?") for values, _ in rows()[:5]]
    alone = torch.stack([learn.predict(item)[2] for item in items])
    together = torch.stack([result[2] for result in learn.predict(items)])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.py").write_text(ELSEWHERE)
    torch.save(items, elsewhere / "items")
    done = subprocess.run(
        [sys.executable, "run.py", str(file), "items", "found"],
        cwd=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""  # nothing printed
    found, label = torch.load(elsewhere / "found", weights_only=True)
    assert torch.equal(found, torch.cat([alone, together]))
    assert label == learn.predict(items[0])[0]
    again = load_learner(file)
    assert same(again.predict(items[0]), learn.predict(items[0]))  # in one process, bit for bit


def test_s3_and_needs22_no_path_no_user_and_no_item_is_in_the_file(tmp_path):
    content = row_learner(tmp_path).export().read_bytes()
    for secret in (str(tmp_path), str(Path.cwd()), str(Path.home()), tmp_path.name):
        assert secret.encode() not in content
    user = getpass.getuser()
    if len(user) > 4:  # shorter ones may be in any word
        assert user.encode() not in content
    numbers = torch.tensor(rows()[20][0]).numpy().tobytes()
    assert numbers not in content


def test_a_loaded_learner_predicts_decodes_and_knows_its_vocab_but_has_no_data(tmp_path, capsys):
    learn = row_learner(tmp_path)
    again = load_learner(learn.export("sub.lw"))
    assert type(again) is Learner
    assert list(again.dls.vocab) == ["cat", "dog", "emu"]
    assert [len(dl.dataset) for dl in again.dls] == [0, 0]
    labelled = again.dls.test_dl(rows()[18:], with_labels=True)
    preds, targets, decoded = again.get_preds(dl=labelled, with_decoded=True)
    expected = learn.get_preds(with_decoded=True)
    assert torch.equal(preds, expected[0])
    assert torch.equal(targets, expected[1])
    assert torch.equal(decoded, expected[2])
    assert again.validate(dl=labelled)[0] == learn.validate()[0]
    assert capsys.readouterr().out == ""


def test_a_loaded_learner_can_be_exported_again(tmp_path):
    first = row_learner(tmp_path).export("first.lw")
    second = load_learner(first).export(tmp_path / "second.lw")
    one, two = (read_bundle(file, kind="learner") for file in (first, second))
    assert one.keys() == two.keys()
    differing = [name for name in one if one[name] != two[name]]
    assert differing == []


def test_plain_loaders_and_layers_of_torch_are_enough(tmp_path, samples):
    dls = DataLoaders(DataLoader(samples(16), bs=4), DataLoader(samples(8), bs=4))
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    learn = Learner(dls, model, loss_func=nn.MSELoss(), path=tmp_path)
    again = load_learner(learn.export())
    batch = [(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),)]
    assert torch.equal(again.get_preds(dl=batch)[0], learn.get_preds(dl=batch)[0])


def test_stock_loaders_of_torch_are_enough_too(tmp_path, samples):
    stock = torch.utils.data.DataLoader(samples(8), batch_size=4)
    learn = Learner(DataLoaders(stock, stock), nn.Linear(3, 1), nn.MSELoss(), path=tmp_path)
    again = load_learner(learn.export())
    assert torch.equal(again.model.weight, learn.model.weight)


def test_steps_of_training_alone_are_left_out(tmp_path):
    learn = row_learner(tmp_path, item_tfms=[Transform(lambda x: x, split_idx=0)])
    again = load_learner(learn.export())
    assert len(learn.dls.train.after_item) == 2
    assert [type(step).__name__ for step in again.dls.train.after_item] == ["ToTensor"]


def test_an_empty_validation_loader_gives_way_to_that_of_training(tmp_path):
    block = DataBlock(
        (TransformBlock(type_tfms=RegressionSetup), CategoryBlock), get_x=ItemGetter(0),
        get_y=ItemGetter(1), splitter=IndexSplitter([]),
    )  # fmt: skip
    torch.manual_seed(0)
    dls = block.dataloaders(rows(), bs=6, device="cpu")
    assert [dl.n for dl in dls] == [24, 0]
    learn = Learner(dls, nn.Linear(4, 3), path=tmp_path)
    file = learn.export()
    item = rows()[7]
    again = load_learner(file)
    assert same(again.predict(item), learn.predict(item))
    head = from_json(read_bundle(file, kind="learner")["model.json"])
    assert head["example"] is not None  # which only a loader with items has a batch for
    assert load_learner(again.export(tmp_path / "again.lw")).dls.vocab == dls.vocab


@pytest.mark.parametrize(
    ("sizes", "chosen"), [((8, 4), 1), ((8, 0), 0), ((0, 0), 1), ((8,), 0)], ids=str
)
def test_new_items_go_the_way_of_validation_where_it_has_items(samples, sizes, chosen):
    loaders = [DataLoader(samples(size), bs=4) for size in sizes]
    assert inference_loader(DataLoaders(*loaders)) is loaders[chosen]


class Seen(nn.Module):
    """A loss that compares what a network makes of outputs and targets."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, output, target):
        return (self.net(output) - self.net(target)).abs().mean()


class Eye(nn.Module):
    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, x):
        return x**self.power


register("loss", "test-restore/Seen", Seen)
register("model", "test-restore/Eye", Eye)


@pytest.mark.parametrize(
    "net", [lambda: LinBnDrop(2, 3), lambda: Eye(3)], ids=["layer", "model"]
)  # fmt: skip
def test_a_loss_may_have_a_layer_or_a_model_in_it(tmp_path, net):
    data = [(torch.randn(3), torch.randn(2)) for _ in range(8)]
    loader = DataLoader(data, bs=4)
    learn = Learner(DataLoaders(loader, loader), nn.Linear(3, 2), Seen(net()), path=tmp_path)
    again = load_learner(learn.export())
    assert type(again.loss_func) is Seen
    assert repr(again.loss_func) == repr(learn.loss_func)
    assert vars(again.loss_func.net).get("power") == vars(learn.loss_func.net).get("power")


# -- refusals --------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(4, width)

    def forward(self, x):
        return self.layer(x)


def test_needs20_an_export_refuses_at_once_and_writes_nothing(tmp_path):
    learn = row_learner(tmp_path, item_tfms=lambda x: x)
    with pytest.raises(
        ConfigError, match=r"item_tfms \(after_item\)\[\d\] is the function .*lambda"
    ):
        learn.export()
    assert not (tmp_path / "export.lw").exists()


def test_needs20_a_loss_without_a_name_is_refused(tmp_path):
    learn = row_learner(tmp_path)
    learn.loss_func = lambda p, t: p.sum()
    with pytest.raises(ConfigError, match="loss_func is the function"):
        learn.export()


def test_a_model_without_a_name_is_refused_and_a_registered_one_is_not(tmp_path):
    learn = row_learner(tmp_path)
    learn.model = Net(3)
    with pytest.raises(ConfigError, match=r'register\("model", "mine/Net", Net\)'):
        learn.export()
    register("model", "test-restore/Net", Net)
    with pytest.raises(ConfigError, match=r"no attribute for its parameter width.*pass model="):
        learn.export()
    file = learn.export(model=("test-restore/Net", {"width": 3}))
    item = rows()[0]
    assert same(load_learner(file).predict(item), learn.predict(item))
    with pytest.raises(ConfigError, match="not what its description makes"):
        learn.export(model=("test-restore/Net", {"width": 4}))


def test_a_model_that_was_changed_after_it_was_made_is_refused(tmp_path):
    learn = row_learner(tmp_path)
    learn.model[0] = LinBnDrop(4, 8, act=nn.ReLU())
    learn.model[0].append(nn.Tanh())  # no weight tells of it
    with pytest.raises(ConfigError, match="gives other outputs than what its description makes"):
        learn.export()


# -- files from elsewhere --------------------------------------------------------------------


def changed(file, target, member, change):
    """The bundle `file` with one member of JSON changed, written anew with right sums."""
    members = read_bundle(file, kind="learner")
    plain = from_json(members[member])
    change(plain)
    return write_bundle(target, {**members, member: to_json(plain)}, kind="learner")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return row_learner(tmp_path_factory.mktemp("exported")).export()


def test_a_missing_package_is_named_by_its_distribution(exported, tmp_path):
    def needs_birds(head):
        head["packages"]["birds"] = "layerwise-birds 1.2"

    file = changed(exported, tmp_path / "a.lw", "model.json", needs_birds)
    with pytest.raises(
        BundleError, match=r"needs the package 'layerwise-birds 1.2'.*pip install lay"
    ):
        load_learner(file)


@pytest.mark.parametrize(
    ("member", "change"),
    [
        ("model.json", lambda head: head["model"].update({"$type": "os.system", "command": "x"})),
        ("model.json", lambda head: head.update(model={"$name": "torch:relu"})),
        ("model.json", lambda head: head.update(packages=3)),
        ("model.json", lambda head: head.update(example=[1])),
        ("model.json", lambda head: head["model"]["$layers"].pop()),
        ("model.json", lambda head: head.pop("model")),
        ("pipeline.json", lambda pipe: pipe.update(loss_func=3)),
        ("pipeline.json", lambda p: p.update(loss_func={"$name": "transform:core/ToTensor"})),
        ("pipeline.json", lambda pipe: pipe.update(after_batch={"$name": "function:core/noop"})),
        ("pipeline.json", lambda pipe: pipe["data"]["members"][0].update(types=[["os:system"]])),
        ("pipeline.json", lambda p: p["data"]["members"][1]["steps"][1].update(vocab=[{}])),
        ("pipeline.json", lambda p: p["loader"].update({"class": {"$name": "type:core/str"}})),
        ("pipeline.json", lambda pipe: pipe["loader"].update(hooks={"create_item": 3, "exec": 4})),
        ("pipeline.json", lambda pipe: pipe.update(batch=7)),
    ],
    # Not of the functions, which every process that runs tests would name otherwise.
    ids=[f"case {i}" for i in range(14)],
)  # fmt: skip
def test_a_damaged_description_is_one_kind_of_error(exported, tmp_path, member, change):
    file = changed(exported, tmp_path / "a.lw", member, change)
    with pytest.raises(BundleError, match=r"a\.lw cannot be used"):
        load_learner(file)


def test_a_model_that_no_longer_repeats_its_example_is_refused(exported, tmp_path):
    def other_activation(head):
        layers = head["model"]["$layers"]
        layers.insert(1, ["x", {"$type": "torch:nn.Tanh"}])

    file = changed(exported, tmp_path / "a.lw", "model.json", other_activation)
    with pytest.raises(BundleError, match="does not repeat the example"):
        load_learner(file)


def test_the_sum_of_the_whole_file_is_checked_where_it_is_given(exported):
    import hashlib

    right = hashlib.sha256(exported.read_bytes()).hexdigest()
    assert load_learner(exported, sha256=right).dls.vocab == ["cat", "dog", "emu"]
    with pytest.raises(BundleError, match="SHA-256"):
        load_learner(exported, sha256="0" * 64)


def test_needs23_a_pickle_is_refused(tmp_path):
    torch.save({"model": torch.ones(1)}, tmp_path / "a.pkl")
    with pytest.raises(BundleError, match=r"zip archive of something else|is a pickle"):
        load_learner(tmp_path / "a.pkl")


def test_a_bundle_is_a_zip_that_any_program_opens(exported):
    with zipfile.ZipFile(exported) as opened:
        assert opened.testzip() is None
        names = set(opened.namelist())
    assert names == {
        "manifest.json", "model.json", "pipeline.json", "vocab/0.json", "arrays.safetensors",
        "example.safetensors", "model.safetensors",
    }  # fmt: skip


# -- golden files ----------------------------------------------------------------------------

EXPECTED = {"0.1.0": [0.4023296, 0.2991537, 0.2985166]}


@pytest.mark.parametrize("version", EXPECTED)
def test_needs21_the_export_of_every_released_version_loads_for_ever(version):
    """Each file was written by `row_learner(path).export()` with that version."""
    learn = load_learner(GOLDEN / f"{version}.lw")
    label, index, probabilities = learn.predict((rows()[0][0], "?"))
    assert probabilities.tolist() == pytest.approx(EXPECTED[version], abs=1e-4)
    assert label == ["cat", "dog", "emu"][index]


def test_one_number_as_target_comes_back_decoded(tmp_path):
    block = DataBlock(
        (TransformBlock(type_tfms=RegressionSetup), RegressionBlock), get_x=ItemGetter(0),
        get_y=ItemGetter(1),
    )  # fmt: skip
    dls = block.dataloaders([([float(i)], 2.0 * i) for i in range(16)], bs=4, device="cpu")
    learn = Learner(dls, nn.Linear(1, 1), path=tmp_path)
    again = load_learner(learn.export())
    assert same(again.predict(([3.0], 0)), learn.predict(([3.0], 0)))


def test_only_the_first_of_several_processes_writes(tmp_path):
    class Second(Strategy):
        processes, rank = 2, 1

    learn = row_learner(tmp_path)
    learn.strategy = Second()
    learn.export()
    assert not (tmp_path / "export.lw").exists()
