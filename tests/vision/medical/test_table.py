"""Tables of tags, and that no file of ours says whose pictures they are."""

import io
import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import parent_label
from layerwise.core.errors import BadItemError
from layerwise.core.learner import Learner
from layerwise.core.nn.sized import cnn_for
from layerwise.vision.medical.blocks import DicomBlock
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.reading import get_dicom_files
from layerwise.vision.medical.table import from_dicoms
from layerwise.vision.medical.tags import SAFE_TAGS, DcmMultiValue, DcmTag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SECRETS = ("Turing", "19120623", "1.99.1954", "Wilmslow", "Enigma", "Hut8", "Bombe", "Delilah")


@pytest.fixture
def secret(make_dataset, tmp_path):
    """A folder of files that tell whose they are, in standard, private and nested tags."""

    def item(**tags):
        made = pydicom.Dataset()
        for name, value in tags.items():
            setattr(made, name, value)
        return made

    nested = {"ReferencedStudySequence": Sequence([item(PatientID="Bombe")])}
    rng = np.random.default_rng(0)
    folder = tmp_path / "files"
    for label in "ab":
        (folder / label).mkdir(parents=True)
    for i in range(8):
        pixels = rng.integers(-1000, 1000, (16, 16)).astype(np.int16)
        made = make_dataset(
            pixels,
            PatientName="Turing^Alan",
            PatientID=f"Turing{i // 4}",
            PatientBirthDate="19120623",
            StudyDate="19120623",
            PatientAddress="Wilmslow",
            InstitutionName="Hut8",
            StudyDescription="Enigma",
            ImageComments="Turing, at Wilmslow",
            StudyInstanceUID="1.99.1954",
            SeriesInstanceUID=f"1.99.1954.{i // 2}",
            ReferencedPatientSequence=Sequence([item(PatientName="Turing", **nested)]),
            RequestAttributesSequence=Sequence([item(RequestingPhysician="Delilah")]),
            WindowCenter=0,
            WindowWidth=500,
        )
        block = made.private_block(0x0019, "Bombe", create=True)
        block.add_new(0x01, "LO", "Turing")
        block.add_new(0x02, "SQ", Sequence([item(PatientName="Delilah")]))
        made.save_as(folder / "ab"[i % 2] / f"{i}.dcm", enforce_file_format=True)
    return folder


def written_below(folder):
    return [(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]


def test_the_planted_names_are_in_the_files(secret):
    for _, content in written_below(secret):
        assert all(word.encode() in content for word in SECRETS)


def test_nothing_that_is_written_says_whose_pictures_they_are(secret, tmp_path):
    files, out = get_dicom_files(secret), tmp_path / "out"
    out.mkdir()
    table = from_dicoms(files)
    table.drop(columns="fname").to_csv(out / "table.csv")
    table.to_json(out / "table.json")
    first = dcmread(files[0])
    first.save_jpg(out / "a", [(80, 40)], 0)
    first.save_tif16(out / "b")
    block = DataBlock((DicomBlock((80, 40), hist=True), CategoryBlock), get_y=parent_label)
    dls = block.dataloaders(files, bs=2, num_workers=0, device="cpu", path=out)
    learn = Learner(dls, cnn_for(dls), path=out)
    with learn.no_logging():
        learn.fit(1)
    learn.save("weights")
    with zipfile.ZipFile(learn.export("model.lw")) as bundle:
        bundle.extractall(out / "opened")
    found = written_below(out)
    assert {path.suffix for path, _ in found} >= {".csv", ".json", ".jpg", ".tif", ".lw"}
    for path, content in found:
        for word in SECRETS:
            assert word.encode() not in content, f"{word} is in {path.name}"


def test_columns_are_safe_tags_groups_and_a_summary(secret):
    table = from_dicoms(get_dicom_files(secret))
    # Files 0, 2, 4, 6 lie in one folder, 1, 3, 5, 7 in the other.
    assert table["patient"].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert table["study"].tolist() == [0] * 8
    assert table["series"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    own = {"fname", "patient", "study", "series"}
    others = {name.removeprefix("Multi").rstrip("0123456789") for name in set(table) - own}
    assert {name for name in others if not name.startswith("img_")} <= set(SAFE_TAGS)


def test_what_is_asked_for_by_name_is_kept(secret):
    table = from_dicoms(get_dicom_files(secret), keep=["PatientID", "StudyDate"])
    assert table["PatientID"].tolist() == ["Turing0", "Turing0", "Turing1", "Turing1"] * 2
    assert set(table["StudyDate"]) == {"19120623"}
    assert "PatientName" not in table
    with pytest.raises(ValueError, match="Did you mean 'PatientID'"):
        from_dicoms([], keep=["PatientId"])
    with pytest.raises(ValueError, match="is a sequence"):
        from_dicoms([], keep=["ReferencedPatientSequence"])
    with pytest.raises(ValueError, match="Private"):
        dcmread(get_dicom_files(secret)[0]).as_dict(keep=["[Detector Channel]"])


def test_the_summary_is_that_of_the_values(head):
    table = from_dicoms(head[:3], window=(100, 50))
    for i, path in enumerate(head[:3]):
        px = pydicom.dcmread(path).pixel_array.astype(np.float64)
        row = table.iloc[i]
        assert row["img_min"] == px.min()
        assert row["img_max"] == px.max()
        assert row["img_mean"] == pytest.approx(px.mean())
        assert row["img_std"] == pytest.approx(px.std())
        assert row["img_pct_window"] == pytest.approx(((px > 0) & (px < 100)).mean())
        assert row["fname"] == str(path)
    assert table["PixelSpacing1"].tolist() == [1.9531248] * 3
    assert table["MultiPixelSpacing"].tolist() == [1] * 3


def test_without_a_summary_no_pixels_are_read(head, tmp_path, carried):
    headless = tmp_path / "cut.dcm"
    headless.write_bytes(carried("MR_small.dcm").read_bytes()[:-6000])
    table = from_dicoms([headless], px_summ=False)
    assert table.loc[0, "Modality"] == "MR"
    assert not [name for name in table if name.startswith("img_")]


def test_processes_read_what_one_reads_in_the_same_order(head):
    one, two = from_dicoms(head, n_workers=0), from_dicoms(head, n_workers=2)
    assert one.equals(two)


def test_files_without_pixels_have_their_tags_and_no_summary(carried, head):
    table = from_dicoms([carried("test-SR.dcm"), head[0]])
    assert table["Modality"].tolist() == ["SR", "CT"]
    assert table["img_mean"].isna().tolist() == [True, False]


def test_a_bad_file_ends_it_or_is_left_out_and_counted(head, tmp_path):
    bad = tmp_path / "bad.dcm"
    bad.write_text("no")
    with pytest.raises(BadItemError, match=r"bad\.dcm"):
        from_dicoms([head[0], bad])
    with pytest.warns(UserWarning, match=r"1 of 3 files were left out; the first: .*bad\.dcm"):
        table = from_dicoms([head[0], bad, head[1]], on_bad_item="skip")
    assert len(table) == 2
    with pytest.raises(ValueError, match="'raise' or 'skip'"):
        from_dicoms([], on_bad_item="ignore")
    with pytest.raises(TypeError, match="Did you mean 'px_summ'"):
        from_dicoms([], px_sum=False)  # type: ignore[call-arg]  # on purpose


def test_as_dict_is_the_row_of_a_file(head):
    row = from_dicoms(head[:1]).iloc[0]
    found = dcmread(head[0]).as_dict()
    assert {name: row[name] for name in found} == found
    assert "img_min" not in dcmread(head[0]).as_dict(px_summ=False)


def test_every_safe_tag_is_a_tag():
    from pydicom.datadict import keyword_dict

    assert set(SAFE_TAGS) <= set(keyword_dict)
    assert list(SAFE_TAGS) == sorted(SAFE_TAGS)


def test_the_classes_that_stand_for_those_of_pydicom(head):
    dcm = dcmread(head[0])
    assert isinstance(dcm["PatientID"].tag, DcmTag)
    assert isinstance(dcm.PixelSpacing, DcmMultiValue)
    assert not isinstance(dcm.Rows, DcmMultiValue)
    assert not isinstance([0.5, 0.5], DcmMultiValue)
    assert DcmTag(0x0010, 0x0020) == dcm["PatientID"].tag


def test_a_value_reads_back_from_a_csv_as_it_was(head):
    import pandas as pd

    table = from_dicoms(head[:2])
    again = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert again["PixelSpacing"].tolist() == table["PixelSpacing"].tolist()
    assert again["InstanceNumber"].tolist() == [1, 2]
