"""Values that show themselves as text: a title over axes, an entry in a table, a printed line."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, ClassVar, Self

__all__ = ["ShowTitle", "TitledFloat", "TitledInt", "TitledStr", "TitledTuple", "show_title"]


def show_title(
    o: Any, ax: Any = None, ctx: Any = None, label: str | None = None, color: str = "black"
) -> Any:
    """The context with `o` on it: axes with a title, or a row of a table with an entry.

    A title that is there already is kept, with `o` on a line below. Over axes, numbers have 4
    significant digits and long text is wrapped to the width of the axes, to four lines at most.
    Without a context `o` is printed.

    Args:
        o: what to show, as text.
        ax: axes, or a row: a mapping or a series of pandas.
        ctx: the same as `ax`, as the show methods call it.
        label: the column of the entry, "text" when not given; an underscore is added while the
            row has such an entry.
        color: of the title.

    Raises:
        TypeError: if the context is of another kind.

    Example:
        >>> show_title("cat")
        cat
        >>> show_title("cat", ctx={"input": 3}, label="category")
        {'input': 3, 'category': 'cat'}
    """
    ctx = ctx if ax is None else ax
    if ctx is None:
        print(o)
        return None
    if hasattr(ctx, "set_title"):
        before = ctx.get_title()
        text = _wrapped(_readable(o), _room(ctx))
        ctx.set_title(f"{before}\n{text}" if before else text, color=color)
        return ctx
    if not isinstance(ctx, MutableMapping):
        if not (hasattr(ctx, "loc") and hasattr(ctx, "index")):
            raise TypeError(
                f"a title cannot be shown on {type(ctx).__name__}; the context is axes of "
                "matplotlib, a dict or a series"
            )
        # A copy, for a row may share the memory of its frame; of objects, to take any entry.
        ctx = ctx.astype(object)
    key = label or "text"
    while key in ctx:
        key += "_"
    ctx[key] = o
    return ctx


_MOST_LINES = 4  # of one title; more would leave no room for the picture below
_LEAST_ROOM = 12  # characters, for figures as small as a digit


def _readable(o: Any) -> str:
    """`o` as text, its numbers with 4 significant digits, or all that stand before the point."""
    if isinstance(o, float):
        return f"{o:.0f}" if 1e3 <= abs(o) < 1e15 else f"{o:.4g}"
    if type(o) in (tuple, list, TitledTuple):
        inside = ", ".join(_readable(x) if isinstance(x, float) else repr(x) for x in o)
        if isinstance(o, list):
            return f"[{inside}]"
        return f"({inside},)" if len(o) == 1 else f"({inside})"
    return str(o)


def _room(ax: Any) -> int:
    """How many characters of a title fit over `ax`, by the mean width of a character."""
    inches = ax.get_position().width * ax.figure.get_figwidth()
    return max(_LEAST_ROOM, int(inches * 72 / (0.6 * ax.title.get_fontsize())))


def _wrapped(text: str, width: int) -> str:
    """`text` in lines of at most `width`, broken behind separators wherever there are some."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in re.split(r"(?<=[;,/ ])", paragraph):
            if line and len(line) + len(piece.rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece
            while len(line.rstrip()) > width:
                cut = 1 + max(line.rfind("_", 0, width), line.rfind("-", 0, width)) or width
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line.rstrip())
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][: width - 1] + "…"]
    return "\n".join(lines)


class ShowTitle:
    """A base that adds `show`, which shows the text of the value as a title.

    A subclass sets in `_show_args` what `show_title` is called with.
    """

    _show_args: ClassVar[dict[str, Any]] = {"label": "text"}

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Show the value on `ctx`: axes, a row of a table, or None to print it.

        Args:
            ctx: see `show_title`.
            **kwargs: `label` and `color` of `show_title`.
        """
        return show_title(_readable(self), ctx=ctx, **{**self._show_args, **kwargs})


class TitledInt(ShowTitle, int):
    """An `int` that shows itself as a title.

    Example:
        >>> TitledInt(3).show()
        3
    """


class TitledFloat(ShowTitle, float):
    """A `float` that shows itself as a title.

    Example:
        >>> TitledFloat(0.5).show(ctx={})
        {'text': '0.5'}
    """


class TitledStr(ShowTitle, str):
    """A `str` that shows itself as a title.

    Example:
        >>> TitledStr("a film like no other").truncate(2).show()
        a film
    """

    __slots__ = ()

    def truncate(self, n: int) -> Self:
        """The first `n` words, separated by single spaces as they were."""
        return type(self)(" ".join(self.split(" ")[:n]))


class TitledTuple(ShowTitle, tuple[Any, ...]):
    """A tuple that shows itself as a title.

    Example:
        >>> TitledTuple((1, 2)).show()
        (1, 2)
    """

    __slots__ = ()
