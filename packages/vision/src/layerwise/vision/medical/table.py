"""The tags of many DICOM files as a table, without those that say whose pictures they are."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from os import cpu_count, fspath
from typing import TYPE_CHECKING, Any

from layerwise.core.errors import BadItemError, MissingDependencyError, names_nearest
from layerwise.core.types import PathLike
from layerwise.vision.medical.dataset import DcmDataset
from layerwise.vision.medical.reading import pydicom_of, read_dataset
from layerwise.vision.medical.tags import check_keep
from layerwise.vision.medical.windows import Window, dicom_windows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_dicoms"]

_WORTH_PROCESSES = 200  # files; starting them takes as long as reading so many
_GROUPS = ("patient", "study", "series")


@names_nearest
def from_dicoms(
    fns: Iterable[PathLike],
    px_summ: bool = True,
    window: Window = dicom_windows.brain,
    *,
    keep: Sequence[str] = (),
    n_workers: int | None = None,
    on_bad_item: str = "raise",
) -> "pd.DataFrame":
    """A frame of pandas with a row for each DICOM file: what can be known without knowing whose.

    The columns are `fname`; `patient`, `study` and `series`, which number those that the files
    belong to, 0 for the first that comes, so that a split can keep them together; the tags of
    `SAFE_TAGS` that are there, of several values each in a column of its own (`PixelSpacing`,
    `PixelSpacing1`); and with `px_summ` a summary of the pixels. Names of files are kept as they
    are, so look at what they tell before you pass the table on.

    Args:
        fns: the files.
        px_summ: decode the pixels and add `img_min`, `img_max`, `img_mean`, `img_std` of their
            values in units of the modality, and `img_pct_window`, the share in `window`. Files
            without pixels have none of them.
        window: (width, level).
        keep: names of tags that are wanted besides, such as "PatientID".
        n_workers: processes that read; by default one a core, and none for less than 200 files.
        on_bad_item: "raise" for the first file that cannot be read, "skip" to leave such out and
            warn.

    Raises:
        BadItemError: for a file that cannot be read.
        ValueError: for a name in `keep` that is that of no tag, or of a sequence.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> table = from_dicoms([get_testdata_file("CT_small.dcm")])
        >>> table[["Modality", "Rows", "img_min"]].to_csv(index=False).split()
        ['Modality,Rows,img_min', 'CT,128,-896.0']
        >>> "PatientName" in table, "PatientID" in table
        (False, False)
    """
    if on_bad_item not in ("raise", "skip"):
        raise ValueError(f"on_bad_item={on_bad_item!r}; give 'raise' or 'skip'")
    try:
        import pandas as pd
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "pandas", needed_for="tables of DICOM files", install="layerwise-vision[medical]"
        ) from error
    pydicom_of("tables of DICOM files")
    names = [fspath(fn) for fn in fns]
    read = partial(_row, px_summ=px_summ, window=window, keep=check_keep(keep))
    rows, bad = [], []
    for found in _all(read, names, n_workers):
        if not isinstance(found, BadItemError):
            rows.append(found)
        elif on_bad_item == "raise":
            raise found
        else:
            bad.append(found)
    if bad:
        warnings.warn(
            f"{len(bad)} of {len(names)} files were left out; the first: {bad[0]}", stacklevel=3
        )
    table = pd.DataFrame(rows)
    for group in _GROUPS:
        if group in table:
            table[group] = pd.factorize(table[group])[0]
    return table


def _all(read: Any, names: list[str], n_workers: int | None) -> Iterator[Any]:
    if n_workers is None:
        n_workers = (cpu_count() or 1) if len(names) >= _WORTH_PROCESSES else 0
    if n_workers < 2:
        yield from map(read, names)
        return
    # Here, since importing it changes the package multiprocessing.
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(n_workers) as pool:
        yield from pool.map(read, names, chunksize=16)


def _row(name: str, px_summ: bool, window: Window, keep: Sequence[str]) -> Any:
    """The row of one file, or the error that it made."""
    try:
        dcm = DcmDataset(read_dataset(name, header=not px_summ), name)
        has_pixels = any(f"{kind}PixelData" in dcm for kind in ("", "Float", "DoubleFloat"))
        tags = dcm.as_dict(px_summ and has_pixels, window, keep)
    except BadItemError as error:
        return error
    study = str(dcm.get("StudyInstanceUID") or name)
    patient = str(dcm.get("PatientID") or study)
    series = str(dcm.get("SeriesInstanceUID") or name)
    return {"fname": name, "patient": patient, "study": study, "series": series, **tags}
