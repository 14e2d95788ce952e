"""Where warnings point."""

from pathlib import Path

from layerwise.core.errors import warn_user
from layerwise.core.transforms.category import Categorize
from layerwise.core.transforms.pipeline import Pipeline


def test_a_warning_points_at_the_users_line_through_any_number_of_ours(recwarn):
    Pipeline([Categorize()]).setup(["cat"] * 20)
    warn_user("said here")
    assert [Path(told.filename).name for told in recwarn] == ["test_errors.py"] * 2
