"""A learner of a table as a file: the same predictions elsewhere, and none of its rows."""

import subprocess
import sys
import textwrap

import pandas as pd
import pytest
import torch

from layerwise.core.metrics.classification import accuracy
from layerwise.core.restore import load_learner
from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.learner import tabular_learner


def people(count=200):
    names = ["Zebulon the only", "clerk", "smith", "cook", "weaver", "miller", "tailor"]
    df = pd.DataFrame({
        "job": [names[min(i, 1) + i % 6] if i else names[0] for i in range(count)],
        "sex": ["f" if i % 3 else "m" for i in range(count)],
        "age": [20.0 + i % 50 for i in range(count)],
    })  # fmt: skip
    df["pay"] = ["high" if age > 45 else "low" for age in df["age"]]
    df.loc[5, "age"] = None
    return df


@pytest.mark.parametrize("arch", ["mlp", "resnet", "ft_transformer"])
def test_each_model_goes_to_another_process(tmp_path, arch):
    df = people()
    dls = TabularDataLoaders.from_df(df, tmp_path, y_names="pay", bs=32, seed=1)
    learn = tabular_learner(dls, arch=arch, metrics=accuracy)
    with learn.no_logging():
        learn.fit_one_cycle(2, 1e-2)
    path = learn.export("pay.lw")
    new = people(30).drop(columns="pay")
    expected, _ = learn.get_preds(dl=dls.test_dl(new))
    row, label, probabilities = learn.predict(new.iloc[7])
    assert torch.allclose(expected[7], probabilities, atol=1e-6)
    new.to_csv(tmp_path / "new.csv", index=False)
    script = f"""
        import pandas as pd, torch
        from layerwise.core.restore import load_learner
        learn = load_learner({str(path)!r})
        new = pd.read_csv({str(tmp_path / "new.csv")!r})
        preds, _ = learn.get_preds(dl=learn.dls.test_dl(new[new.columns[::-1]]))
        torch.save(preds, {str(tmp_path / "preds.pt")!r})
        row, label, _ = learn.predict(new.iloc[7].to_dict())
        print(row.items["pay"].item(), int(label))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert torch.equal(torch.load(tmp_path / "preds.pt"), expected)
    assert done.stdout.split() == [row.items["pay"].item(), str(int(label))]
    content = path.read_bytes()
    assert str(tmp_path).encode() not in content
    assert b"pandas" not in content


def test_rows_are_not_in_the_file(tmp_path):
    df = people()
    with pytest.warns(UserWarning, match=r"'job': 'Zebulon the only' \(1\)"):
        dls = TabularDataLoaders.from_df(df, tmp_path, y_names="pay", bs=32, valid_idx=[0, 1, 2])
    learn = tabular_learner(dls)
    path = learn.export("pay.lw")
    # A category of the validation rows alone is in no vocabulary.
    assert b"Zebulon" not in path.read_bytes()
    assert path.stat().st_size < 1_000_000
    assert len(load_learner(path).dls.train_ds) == 0
