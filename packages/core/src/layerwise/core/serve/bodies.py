"""From the body of a request to items: read up to a limit, and of the one kind that is taken.

Nothing of a request is unpickled, run, or opened as a path; JSON is read as strictly as that of a
bundle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from layerwise.core.errors import BundleError, nearest
from layerwise.core.files.plain import from_json
from layerwise.core.serve.intake import Intake
from layerwise.core.serve.limits import Limits, Refused

__all__ = ["items_of"]

_FORM, _JSON, _BYTES = "multipart/form-data", "application/json", "application/octet-stream"


async def items_of(request: Any, intake: Intake, limits: Limits, *, several: bool) -> list[Any]:
    """The items that a request brings, checked.

    Files come as parts of a form, named `file`, or `files` for several; one may also be the whole
    body. Texts and rows come as JSON: `{"text": ...}`, `{"texts": [...]}`, and likewise rows.

    Args:
        request: of Starlette.
        intake: what is taken.
        limits: what is taken at most.
        several: whether it is a request of several items.

    Raises:
        Refused: 408 if it does not arrive in time, 413 if it is too large, 415 for content of
            another type, 422 if there is something else in it; says what to do.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    _check_type(content_type, intake, several=several)
    body = await _whole(request, limits)
    name = intake.several if several else intake.one
    if intake.kind != "file":
        items = _of_json(body, name, several=several)
    elif content_type == _FORM:
        items = await _of_form(request, body, intake, name, limits)
    else:
        items = [body]
    _check_count(items, name, limits, several=several)
    return [
        intake.checked(item, f"{name}[{i}]" if several else name) for i, item in enumerate(items)
    ]


async def _whole(request: Any, limits: Limits) -> bytes:
    """The body; refused before it is read whole if it is too large."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limits.max_bytes:
        raise _too_large(limits)
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.timeout):
            async for part in request.stream():
                size += len(part)
                if size > limits.max_bytes:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        raise Refused(
            408, f"the request did not arrive within {limits.timeout:g} seconds; send it again"
        ) from None
    return b"".join(parts)


def _too_large(limits: Limits) -> Refused:
    return Refused(
        413, f"the request is larger than {limits.max_mb:g} MB; send a smaller file, or fewer"
    )


def _check_type(content_type: str, intake: Intake, *, several: bool) -> None:
    if intake.kind != "file":
        if content_type != _JSON:
            name, value = intake.one, '"..."' if intake.kind == "text" else "{...}"
            example = f'{{"{name}s": [{value}]}}' if several else f'{{"{name}": {value}}}'
            raise Refused(
                415,
                f"the content is of type {content_type or 'none'!r:.80}; send {example} as {_JSON}",
            )
        return
    form = f"a form ({_FORM}) with {'parts' if several else 'a part'} named "
    form += repr(intake.several if several else intake.one)
    if content_type == _FORM or (not several and _is_media(content_type, intake)):
        return
    body = "" if several else f", or the contents of a file as {intake.media_type or _BYTES}"
    raise Refused(415, f"the content is of type {content_type or 'none'!r:.80}; send {form}{body}")


def _is_media(content_type: str, intake: Intake) -> bool:
    """Whether a file of this type may be what is taken."""
    if content_type in ("", _BYTES):
        return content_type == _BYTES
    wanted = (intake.media_type or "").partition("/")[0]
    return content_type.partition("/")[0] == wanted


def _check_count(items: list[Any], name: str, limits: Limits, *, several: bool) -> None:
    if not items:
        raise Refused(422, f"there is nothing in {name!r}; send at least one")
    if not several and len(items) > 1:
        raise Refused(
            422, f"{len(items)} parts named {name!r}; send one, or several to /predict/batch"
        )
    if len(items) > limits.max_items:
        raise _too_many(name, limits)


def _too_many(name: str, limits: Limits) -> Refused:
    return Refused(413, f"too many items in {name!r}; send at most {limits.max_items} at once")


def _of_json(body: bytes, name: str, *, several: bool) -> list[Any]:
    try:
        found = from_json(body)
    except BundleError as error:
        raise Refused(422, f"the body is not as it should be: {error}") from error
    if not isinstance(found, dict):
        raise Refused(422, f"the body is no object; send one with the key {name!r}")
    for key in found:
        if key != name:
            told = nearest(key, [name])
            raise Refused(422, f"unknown key {key!r:.100}.{told} The key is {name!r}")
    if name not in found:
        raise Refused(422, f"the body has no key {name!r}")
    value = found[name]
    if several and not isinstance(value, list):
        raise Refused(422, f"{name!r} is no list; for one item, use /predict")
    return value if several else [value]


async def _of_form(
    request: Any, body: bytes, intake: Intake, name: str, limits: Limits
) -> list[bytes]:
    from starlette.formparsers import MultiPartException, MultiPartParser

    async def content() -> AsyncGenerator[bytes, None]:
        yield body

    most = limits.max_items
    parser = MultiPartParser(
        request.headers, content(), max_files=most, max_fields=most, max_part_size=limits.max_bytes
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise _too_many(name, limits) from error
        raise Refused(422, f"the form cannot be read: {error.message}") from error
    try:
        return [
            await _file_of(key, value, intake, name).read() for key, value in form.multi_items()
        ]
    finally:
        await form.close()


def _file_of(key: str, value: Any, intake: Intake, name: str) -> Any:
    """A part of a form, if it is a file of the kind that is taken."""
    if key != name:
        told = nearest(key, [name])
        raise Refused(422, f"unknown part {key!r:.100}.{told} The name is {name!r}")
    if not hasattr(value, "read"):
        raise Refused(
            422, f"{name!r} is a text; send the file itself (with curl: -F {name}=@its_name)"
        )
    own = (value.content_type or _BYTES).partition(";")[0].lower()
    if intake.media_type is not None and not _is_media(own, intake):
        raise Refused(
            415, f"{name!r} is of type {own!r:.80}; send files of type {intake.media_type}"
        )
    return value
