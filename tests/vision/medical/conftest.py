"""DICOM files for the tests, made here, and those that pydicom carries."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


@pytest.fixture(scope="session")
def carried():
    """A function from a name to the path of a file that pydicom carries."""

    def found(name):
        path = Path(pydicom.__file__).parent / "data" / "test_files" / name
        assert path.is_file(), name
        return path

    return found


@pytest.fixture(scope="session")
def head():
    """The slices of a head that come with the repository, from base to top."""
    folder = Path(__file__).parents[3] / "examples" / "data" / "ct_head"
    return sorted(folder.glob("*.dcm"))


def dataset_of(pixels, **tags):
    """A dataset of pydicom around an array of whole numbers, (H, W), (N, H, W) or (H, W, 3)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.Modality = "CT"
    is_colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    frames = pixels.shape[0] if pixels.ndim == 3 and not is_colour else None
    made.Rows, made.Columns = pixels.shape[:2] if is_colour else pixels.shape[-2:]
    if frames:
        made.NumberOfFrames = frames
    made.SamplesPerPixel = 3 if is_colour else 1
    made.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        made.PlanarConfiguration = 0
    depth = pixels.dtype.itemsize * 8
    made.BitsAllocated, made.BitsStored, made.HighBit = depth, depth, depth - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OB" if depth == 8 else "OW"
    for name, value in tags.items():
        setattr(made, name, value)
    return made


@pytest.fixture(scope="session")
def make_dataset():
    """A function from an array, and tags, to a dataset of pydicom."""
    return dataset_of


@pytest.fixture
def make_dicom(tmp_path):
    """A function from an array, and tags, to the path of a DICOM file."""

    def made(pixels, name="made.dcm", **tags):
        path = tmp_path / name
        dataset_of(pixels, **tags).save_as(path, enforce_file_format=True)
        return path

    return made


@pytest.fixture
def series(tmp_path):
    """A function that writes slices of a series at given places, and returns their paths."""

    def made(places, *, value=lambda i: i, normal=(0, 0, 1), uid="1.2.3", **tags):
        paths = []
        for i, place in enumerate(places):
            own = {
                "SeriesInstanceUID": uid,
                "PixelSpacing": [0.5, 0.25],
                "SliceThickness": 2,
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "ImagePositionPatient": [place * n for n in normal],
                "InstanceNumber": i + 1,
                "RescaleSlope": 1,
                "RescaleIntercept": -1000,
                **tags,
            }
            own = {name: tag for name, tag in own.items() if tag is not None}
            pixels = np.full((4, 6), value(i), np.int16)
            # Names that do not tell the order.
            paths.append(tmp_path / f"{(i * 7) % 10}_{uid}.dcm")
            dataset_of(pixels, **own).save_as(paths[-1], enforce_file_format=True)
        return paths

    return made
