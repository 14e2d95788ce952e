"""What recommendations are about: a user and an item by their ids, and a rating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from layerwise.core.display.titled import ShowTitle, show_title

__all__ = ["Rating", "UserItem"]


@dataclass(frozen=True)
class UserItem(ShowTitle):
    """A user and an item, by their ids; shown as two entries of a row.

    Args:
        user: id of the user; `#na#` for one that the model does not know.
        item: id of the item, likewise.
        names: of the columns that the ids stand in.

    Example:
        >>> UserItem(196, "Kolya (1996)", ("user", "title")).show(ctx={})
        {'user': 196, 'title': 'Kolya (1996)'}
    """

    user: Any
    item: Any
    names: tuple[str, str] = ("user", "item")

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Show both ids on `ctx`: axes, a row of a table, or None to print them."""
        for name, value in zip(self.names, (self.user, self.item), strict=True):
            ctx = show_title(value, ctx=ctx, **{"label": name, **kwargs})
        return ctx


class Rating(ShowTitle, float):
    """What a user thinks of an item, or how much a model would recommend it; shown as a number.

    Example:
        >>> Rating(3.5).show(ctx={})
        {'rating': '3.5'}
    """

    _show_args: ClassVar[dict[str, Any]] = {"label": "rating"}
