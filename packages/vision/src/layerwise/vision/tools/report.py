"""`FilesReport`: what became of each of many files."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from layerwise.core.items import L

__all__ = ["FilesReport"]

_SHOWN = 3  # reasons that a message lists


@dataclass
class FilesReport:
    """What became of each of many files.

    Args:
        done: files that were written.
        kept: files that were there already, or needed nothing.
        failed: what could not be done (a path, an address), with the reason.

    Example:
        >>> FilesReport(L([Path("a.jpg")]), failed={"b.jpg": "the file is empty"})
        1 done, 0 kept, 1 failed
          b.jpg: the file is empty
    """

    done: L[Path] = field(default_factory=L)
    kept: L[Path] = field(default_factory=L)
    failed: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        counts = f"{len(self.done)} done, {len(self.kept)} kept, {len(self.failed)} failed"
        return "\n".join([counts, *self._reasons()])

    def warn(self, what: str) -> None:
        """Warn if something failed; `what` was to be done with the files."""
        if self.failed:
            total = len(self.done) + len(self.kept) + len(self.failed)
            first = f"{len(self.failed)} of {total} pictures could not be {what}:"
            warnings.warn("\n".join([first, *self._reasons()]), stacklevel=3)

    def _reasons(self) -> list[str]:
        lines = [f"  {name}: {reason}" for name, reason in list(self.failed.items())[:_SHOWN]]
        more = len(self.failed) - _SHOWN
        return [*lines, f"  and {more} more, in `failed`"] if more > 0 else lines
