"""The server of one bundle: `POST /predict`, `POST /predict/batch`, `GET /health`, `GET /info`."""

# Annotations are read by FastAPI while the app is made, so they are not kept as text here.

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from layerwise.core.errors import MissingDependencyError
from layerwise.core.restore import load_learner
from layerwise.core.serve.answers import Answer
from layerwise.core.serve.bodies import items_of
from layerwise.core.serve.limits import Limits, Refused
from layerwise.core.serve.openapi import request_schema, schema_of
from layerwise.core.serve.worker import Found, Worker
from layerwise.core.testing.install import installed_facts

__all__ = ["create_app"]

_log = logging.getLogger(__name__)

_REASONS = {
    408: "The request did not arrive in time.",
    413: "Larger than is taken, or more items.",
    415: "Content of another type.",
    422: "Content that cannot be used; `detail` says why and what to do.",
    500: "The prediction failed; the log of the server says why.",
    503: "Too much to do; try again.",
}


def create_app(
    bundle: Any, limits: Limits | None = None, *, page: bool = False, sha256: str | None = None
) -> Any:
    """An application of FastAPI that predicts with a bundle, for uvicorn and other servers.

    | request | brings | is answered by |
    |---|---|---|
    | `POST /predict` | one file, text or row | what `answer_of` tells |
    | `POST /predict/batch` | several | `{"predictions": [...]}`, in their order |
    | `GET /health` | | `{"status": "ok"}`, also while predictions are under way |
    | `GET /info` | | what the bundle takes, its classes, limits and versions |
    | `GET /openapi.json` | | all of this for programs |

    Answers have `notes` besides where there is something to say, such as that training has not seen
    a user. Errors are `{"detail": "what is wrong and what to do"}`.

    Args:
        bundle: a file of `Learner.export`, or a learner.
        limits: what is taken at most; `Limits()` when None.
        page: show a page to try it at `/page`, made by Gradio.
        sha256: of the file, got from whom you trust; see `load_learner`.

    Raises:
        BundleError: if the file cannot be used.
        ConfigError: if nothing says what the bundle takes.
        MissingDependencyError: if FastAPI, or Gradio for the page, is missing.

    Example:
        >>> import torch
        >>> from layerwise.core.data.block import DataBlock
        >>> from layerwise.core.learner import Learner
        >>> def size(content: bytes) -> torch.Tensor: return torch.tensor([float(len(content))])
        >>> block = DataBlock(get_x=size, get_y=size)
        >>> learn = Learner(block.dataloaders([b"a", b"bc"] * 4, bs=2), torch.nn.Identity(),
        ...                 torch.nn.MSELoss())
        >>> create_app(learn).title
        'Learner'
    """
    fastapi = _fastapi()
    found = limits or Limits()
    is_file = isinstance(bundle, str | Path)
    worker = Worker(load_learner(bundle, sha256=sha256) if is_file else bundle)
    served = _Served(worker, found, Path(bundle).name if is_file else type(bundle).__name__)
    app = fastapi.FastAPI(
        title=served.name,
        description="Predictions of a model that was trained with layerwise.",
        version=str(installed_facts().get("layerwise.core", "")),
        docs_url=None,  # these two pages fetch their scripts from elsewhere
        redoc_url=None,
        lifespan=served.lifespan,
    )
    _add_predictions(app, served)
    _add_facts(app, served)
    app.add_exception_handler(Refused, _told_refusal)
    for status in (404, 405):
        app.add_exception_handler(status, _told_unknown(app))
    if page:
        from layerwise.core.serve.page import add_page

        app = add_page(app, worker, found, served.name)
    return app


def _fastapi() -> Any:
    try:
        import fastapi
        import python_multipart  # noqa: F401 - FastAPI reads forms with it
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "fastapi, with python-multipart", needed_for="servers", install="layerwise-core[serve]"
        ) from error
    return fastapi


class _Served:
    """A worker, and how many requests are under way.

    Args:
        worker: predicts.
        limits: how many may be under way, and how long.
        name: of the bundle.
    """

    def __init__(self, worker: Worker, limits: Limits, name: str) -> None:
        self.worker, self.limits, self.name = worker, limits, name
        self._under_way = 0

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:  # noqa: ARG002 - as FastAPI calls it
        """Ends the worker after the last request."""
        yield
        self.worker.close()

    async def found(self, request: Any, *, several: bool) -> Found:
        """What is found for the items that a request brings."""
        if self._under_way >= self.limits.max_waiting:
            raise Refused(503, f"{self._under_way} requests are under way; try again in a second")
        self._under_way += 1
        try:
            items = await items_of(request, self.worker.intake, self.limits, several=several)
            return await self._predicted(items)
        finally:
            self._under_way -= 1

    async def _predicted(self, items: Sequence[Any]) -> Found:
        try:
            async with asyncio.timeout(self.limits.timeout):
                return await asyncio.wrap_future(self.worker.submit(items))
        except TimeoutError:
            raise Refused(
                503, f"there was no answer within {self.limits.timeout:g} seconds; try again later"
            ) from None


def _add_predictions(app: Any, served: _Served) -> None:
    from fastapi import Request

    intake, limits = served.worker.intake, served.limits
    answer = schema_of(served.worker.example)
    batch = {"type": "object", "properties": {"predictions": {"type": "array", "items": answer}}}
    errors = {status: {"description": told} for status, told in _REASONS.items()}

    def described(schema: dict[str, Any], *, several: bool) -> dict[str, Any]:
        content = {"application/json": {"schema": schema}}
        responses = {200: {"description": "What the model says.", "content": content}, **errors}
        body = request_schema(intake, limits.max_items, several=several)
        return {"responses": responses, "openapi_extra": {"requestBody": body}}

    async def predict(request: Request) -> Any:
        return await _answered(lambda: served.found(request, several=False), _one)

    async def predict_batch(request: Request) -> Any:
        return await _answered(lambda: served.found(request, several=True), _several)

    one, many = described(answer, several=False), described(batch, several=True)
    post = {"methods": ["POST"]}
    app.add_api_route("/predict", predict, summary="Predict one item", **one, **post)
    app.add_api_route("/predict/batch", predict_batch, summary="Predict several", **many, **post)


async def _answered(found: Callable[[], Any], told: Callable[[Found], Answer]) -> Any:
    """The answer to a request; whatever goes wrong in a model is logged and not told."""
    from fastapi.responses import JSONResponse

    try:
        return JSONResponse(told(await found()))
    except Refused:
        raise
    except Exception as error:
        number = uuid4().hex[:8]
        _log.exception("prediction %s failed", number, exc_info=error)
        return JSONResponse(
            {"detail": f"the prediction failed; the log of the server says why, under {number}"},
            status_code=500,
        )


def _one(found: Found) -> Answer:
    return {**found.answers[0], **_notes(found)}


def _several(found: Found) -> Answer:
    return {"predictions": found.answers, **_notes(found)}


def _notes(found: Found) -> Answer:
    return {"notes": found.notes} if found.notes else {}


def _add_facts(app: Any, served: _Served) -> None:
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    async def info() -> dict[str, Any]:
        return facts

    app.add_api_route("/health", health, summary="Whether the server is awake")
    app.add_api_route("/info", info, summary="What is served")

    intake, limits, example = served.worker.intake, served.limits, served.worker.example or {}
    names = example.get("probabilities", example.get("scores", {}))
    facts = {
        "bundle": served.name,
        "takes": intake.kind,
        "media_type": intake.media_type,
        "columns": [str(column.name) for column in intake.columns],
        "classes": list(names) if isinstance(names, dict) else [],
        "limits": {
            "megabytes": limits.max_mb,
            "items": limits.max_items,
            "waiting": limits.max_waiting,
            "seconds": limits.timeout,
        },
        "versions": {key: value for key, value in installed_facts().items() if _is_ours(key)},
    }


def _is_ours(library: str) -> bool:
    return library.startswith("layerwise.") or library == "torch"


async def _told_refusal(request: Any, refused: Any) -> Any:  # noqa: ARG001 - as FastAPI calls it
    from fastapi.responses import JSONResponse

    headers = {"Retry-After": "1"} if refused.status == 503 else {}
    if refused.status in (408, 413):  # the rest of what is being sent is not waited for
        headers["Connection"] = "close"
    return JSONResponse({"detail": refused.told}, status_code=refused.status, headers=headers)


def _told_unknown(app: Any) -> Callable[..., Any]:
    async def told(request: Any, error: Any) -> Any:
        from fastapi.responses import JSONResponse

        known = [
            f"{' '.join(sorted(route.methods - {'HEAD'}))} {route.path}"
            for route in app.routes
            if getattr(route, "methods", None)
        ]
        asked = f"{request.method} {request.url.path}"
        detail = f"there is no {asked:.100}; there are {', '.join(known)}"
        return JSONResponse({"detail": detail}, error.status_code)

    return told
