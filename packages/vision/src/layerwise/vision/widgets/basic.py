"""Anything that a notebook shows as a widget, and many widgets in a row that scrolls."""

from collections.abc import Iterable, Mapping
from typing import Any

from layerwise.core.errors import MissingDependencyError, refuse_unknown

__all__ = ["carousel", "widget"]


def ipywidgets_module() -> Any:
    """The library ipywidgets.

    Raises:
        MissingDependencyError: if it is not there.
    """
    try:
        import ipywidgets
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "ipywidgets", needed_for="widgets", install="layerwise-vision[widgets]"
        ) from error
    return ipywidgets


def _layout(caller: str, given: Mapping[str, Any]) -> Any:
    """A layout of ipywidgets, which itself only warns of a property that it does not know."""
    layout = ipywidgets_module().Layout
    known = [name for name in layout.class_trait_names() if name[0] != "_"]
    refuse_unknown(caller, set(given) - set(known), known)
    return layout(**given)


def widget(im: Any, **layout: Any) -> Any:
    """A widget that shows whatever a notebook can: a picture, a figure, a table.

    Args:
        im: what is shown.
        layout: properties of the layout by the names that ipywidgets has for them (`width="50%"`).

    Raises:
        TypeError: for a property that is none.

    Example:
        >>> widget({"a": 1}, width="3em").outputs[0]["data"]
        {'text/plain': "{'a': 1}"}
    """
    output = ipywidgets_module().Output(layout=_layout("widget", layout))
    # ipywidgets brings IPython.
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    formatter = getattr(shell, "display_formatter", None) or DisplayFormatter()
    data, metadata = formatter.format(im)
    output.outputs = ({"output_type": "display_data", "data": data, "metadata": metadata},)
    return output


def carousel(children: Iterable[Any] = (), **layout: Any) -> Any:
    """A box with widgets in one row, which scrolls where they need more width than there is.

    Args:
        children: widgets.
        layout: properties of the layout, in place of those that make it scroll.

    Example:
        >>> len(carousel([widget(1), widget(2)]).children)
        2
    """
    row = {"overflow": "scroll hidden", "flex_flow": "row", "display": "flex"}
    layout_of_box = _layout("carousel", {**row, **layout})
    return ipywidgets_module().Box(children=tuple(children), layout=layout_of_box)
