"""A page to try a bundle in a browser: what it takes on one side, what it says on the other."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from html import escape
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from layerwise.core.errors import MissingDependencyError
from layerwise.core.serve.answers import Answer
from layerwise.core.serve.intake import Column, Intake
from layerwise.core.serve.limits import Limits, Refused
from layerwise.core.serve.page_guard import PageGuard
from layerwise.core.serve.worker import Found, Worker

__all__ = ["add_page", "make_page"]

_PATH = "/page"
_MOST_CHOICES = 1000  # categories that a list to choose from may have

Ask = Callable[[Any], Found]
"""From an item to what is found for it."""


def add_page(app: Any, worker: Worker, limits: Limits, name: str) -> Any:
    """`app` with the page at `/page`.

    Args:
        app: of FastAPI.
        worker: predicts.
        limits: of uploads, and of the time an answer may take.
        name: of the bundle.

    Raises:
        MissingDependencyError: without Gradio.
    """
    gradio = _gradio()

    def ask(item: Any) -> Found:
        checked = worker.intake.checked(item, worker.intake.one)
        try:
            return worker.submit([checked]).result(limits.timeout)
        except TimeoutError:
            raise Refused(503, f"there was no answer within {limits.timeout:g} seconds") from None

    uploads = import_module("gradio.utils").get_upload_folder()
    app.add_middleware(PageGuard, prefix=_PATH, uploads=uploads)
    mounted: Any = gradio.mount_gradio_app(
        app,
        make_page(ask, worker.intake, name),
        path=_PATH,
        max_file_size=limits.max_bytes,
        show_error=False,  # of what is refused there are errors of Gradio; others are not told
        theme=gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        enable_monitoring=False,
        footer_links=[],
    )
    return mounted


def make_page(ask: Ask, intake: Intake, name: str) -> Any:
    """The page as `Blocks` of Gradio.

    Args:
        ask: from an item to what is found for it.
        intake: what the items are.
        name: what stands above.

    Raises:
        MissingDependencyError: without Gradio.
    """
    gradio = _gradio()
    with gradio.Blocks(title=name, analytics_enabled=False) as page:
        gradio.Markdown(f"# {escape(name)}\nGive {_wanted(intake)}, and see what the model says.")
        with gradio.Row(equal_height=False):
            with gradio.Column(min_width=280):
                inputs, item_of = _inputs(gradio, intake)
                button = gradio.Button("Predict", variant="primary")
            with gradio.Column(min_width=280):
                label = gradio.Label(label="Prediction", num_top_classes=5)
                picture = gradio.Image(label="Picture", visible=False, interactive=False)
                rest = gradio.JSON(label="Answer", visible=False)

        def predict(*values: Any) -> tuple[Any, ...]:
            try:
                found = ask(item_of(*values))
            except Refused as refused:
                raise gradio.Error(refused.told, print_exception=False) from refused
            for note in found.notes:
                gradio.Info(escape(note))
            return _shown(gradio, found.answers[0])

        button.click(predict, inputs, [label, picture, rest], api_name=False)
    return page


def _gradio() -> Any:
    try:
        return import_module("gradio")
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "gradio", needed_for="pages", install="layerwise-core[demo]"
        ) from error


def _wanted(intake: Intake) -> str:
    if intake.kind != "file":
        return f"a {intake.kind}"
    kind = (intake.media_type or "").partition("/")[0]
    return {"image": "a picture", "audio": "a sound"}.get(kind, "a file")


# -- what goes in ------------------------------------------------------------------------------


def _inputs(gradio: Any, intake: Intake) -> tuple[list[Any], Callable[..., Any]]:
    """The fields of the page, and a function from their values to an item."""
    if intake.kind == "text":
        return [gradio.Textbox(label="Text", lines=5, max_length=100_000)], lambda text: text or ""
    if intake.kind == "row":
        fields = [_field(gradio, column) for column in intake.columns]
        names = [str(column.name) for column in intake.columns]
        return fields, lambda *values: dict(zip(names, map(_given, values), strict=True))
    kind = (intake.media_type or "").partition("/")[0]
    if kind == "image" and intake.media_type == "image/*":
        picture = gradio.Image(label="Picture", type="filepath", sources=["upload"], height=280)
        return [picture], _contents
    if kind == "audio":
        return [gradio.Audio(label="Sound", type="filepath")], _contents
    return [gradio.File(label="File", type="filepath")], _contents


def _field(gradio: Any, column: Column) -> Any:
    if column.is_number:
        return gradio.Number(label=str(column.name), value=None)
    if 0 < len(column.choices) <= _MOST_CHOICES:
        choices = [(str(choice), choice) for choice in column.choices]
        return gradio.Dropdown(choices, label=str(column.name), value=column.choices[0])
    return gradio.Textbox(label=str(column.name))


def _given(value: Any) -> Any:
    """The value of a field; None for one that was left empty."""
    return None if value == "" else value


def _contents(path: str | None) -> bytes:
    """The contents of the upload, of which `PageGuard` knows that it is one."""
    return b"" if path is None else Path(path).read_bytes()


# -- what comes out ----------------------------------------------------------------------------


def _shown(gradio: Any, answer: Answer) -> tuple[Any, ...]:
    """What the label, the picture and the rest show of an answer."""
    by_class = answer.get("probabilities")
    picture = answer.get("mask", answer.get("picture"))
    hidden = {"mask", "picture", "probability", "probabilities"}
    if by_class:
        hidden.add("label")
    rest = {key: value for key, value in answer.items() if key not in hidden}
    return (
        gradio.Label(value=by_class, visible=bool(by_class)),
        gradio.Image(value=_opened(picture, answer), visible=picture is not None),
        gradio.JSON(value=rest, visible=bool(rest)),
    )


def _opened(picture: str | None, answer: Answer) -> Any:
    """The pixels of a picture; the codes of a mask in colours that differ."""
    if picture is None:
        return None
    image = import_module("PIL.Image").open(BytesIO(b64decode(picture)))
    if "mask" in answer:
        image = image.convert("L").convert("P")
        image.putpalette(_palette())
        image = image.convert("RGB")
    return image


def _palette() -> Sequence[int]:
    """256 colours, those of neighbours far from each other; the first is a dark grey."""
    from colorsys import hsv_to_rgb

    colours = [(0.2, 0.2, 0.2)] + [hsv_to_rgb(i * 0.618 % 1, 0.65, 0.95) for i in range(255)]
    return [round(255 * part) for colour in colours for part in colour]
