"""What keeps requests of the page from naming files of the server.

A page of Gradio sends a file first, gets a path for it, and asks with that path. One that is
mounted in another application does not look whether the path is of an upload (Gradio 6.31), and
fetches what looks like an address. So this looks before: no request comes through that names
anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layerwise.core.errors import BundleError
from layerwise.core.files.plain import from_json

__all__ = ["PageGuard"]

_MOST_BYTES = 1 << 20  # of a request to the page that is no upload


class PageGuard:
    """An ASGI application that lets through what names uploads only.

    Args:
        app: the application behind it.
        prefix: of the paths that are looked at.
        uploads: the folder of the uploads.
    """

    def __init__(self, app: Any, prefix: str, uploads: str | Path) -> None:
        self.app, self.prefix = app, prefix
        self.uploads = Path(uploads).resolve()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 422 to a request that names another file, 413 to one that is too large."""
        if not self._is_looked_at(scope):
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= _MOST_BYTES:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        told = self._refusal(body)
        if told is not None:
            await _refuse(scope, receive, send, *told)
            return
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(parts, None) or await receive()

        await self.app(scope, again, send)

    def _is_looked_at(self, scope: Any) -> bool:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if not is_post or not scope["path"].startswith(f"{self.prefix}/"):
            return False
        return not scope["path"].endswith("/upload")  # which Gradio limits and names itself

    def _refusal(self, body: bytes) -> tuple[int, str] | None:
        if len(body) > _MOST_BYTES:
            return 413, "the request is too large"
        try:
            found = from_json(body) if body else None
        except BundleError as error:
            return 422, str(error)
        for named in _named(found):
            if not isinstance(named, str) or not self._is_upload(named):
                return 422, f"{named!r:.100} is no file that was uploaded"
        return None

    def _is_upload(self, named: str) -> bool:
        return "://" not in named and Path(named).resolve().is_relative_to(self.uploads)


def _named(plain: Any) -> Iterator[Any]:
    """What is named as a path, anywhere in a request."""
    members: Any = ()
    if isinstance(plain, dict):
        members = plain.values()
        if plain.get("path") is not None:
            yield plain["path"]
    elif isinstance(plain, list):
        members = plain
    for member in members:
        yield from _named(member)


async def _refuse(scope: Any, receive: Any, send: Any, status: int, told: str) -> None:
    from starlette.responses import JSONResponse

    await JSONResponse({"detail": told}, status)(scope, receive, send)
