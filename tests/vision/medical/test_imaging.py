"""One import for all of it, under the name that readers of books know."""

import importlib
import subprocess
import sys

STAR = """
import sys
before = set(globals())
from layerwise.vision.medical.imaging import *
names = {name for name in globals() if not name.startswith("_")} - before - {"before"}
print("pydicom" in sys.modules, "pandas" in sys.modules, *sorted(names))
"""


def test_its_star_brings_all_medical_names_and_no_library(request):
    done = subprocess.run([sys.executable, "-c", STAR], capture_output=True, text=True, check=True)
    pydicom, pandas, *names = done.stdout.split()
    assert (pydicom, pandas) == ("False", "False")
    folder = request.config.rootpath / "packages/vision/src/layerwise/vision/medical"
    modules = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    listed = [
        importlib.import_module(f"layerwise.vision.medical.{name}").__all__ for name in modules
    ]
    assert sorted(names) == sorted(name for each in listed for name in each)
    assert {"dcmread", "dicom_windows", "from_dicoms", "TensorDicom", "DcmDataset"} <= set(names)


def test_the_folder_itself_brings_the_same():
    medical = importlib.import_module("layerwise.vision.medical")
    imaging = importlib.import_module("layerwise.vision.medical.imaging")
    for name in ("PILDicom", "mask2bbox", "volume", "DicomSegmentationDataLoaders"):
        assert getattr(medical, name) is getattr(imaging, name)
