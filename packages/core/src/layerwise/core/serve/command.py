"""`layerwise serve`: a bundle over the web."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from layerwise.core.errors import ConfigError, LayerwiseError, MissingDependencyError
from layerwise.core.serve.app import create_app
from layerwise.core.serve.limits import Limits

__all__ = ["serve"]


def serve(
    bundle: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    page: bool = False,
    max_mb: float = 10,
    max_items: int = 64,
    max_waiting: int = 64,
    timeout: float = 60,
    sha256: str | None = None,
) -> int:
    """Answer requests for predictions until SIGTERM or Ctrl-C; what is under way is finished.

    Args:
        bundle: a file that `Learner.export` wrote.
        host: the address to listen at; 0.0.0.0 for all of this computer's.
        port: the port there.
        page: show a page to try it at /page; needs Gradio (`layerwise-core[demo]`).
        max_mb: megabytes of one request.
        max_items: items of one request.
        max_waiting: requests that may be under way at the same moment.
        timeout: seconds that a request may take to arrive, and then to be answered.
        sha256: of the file, got from whom you trust.

    Returns:
        The exit code: 0, or 1 if the bundle cannot be served or the port not be listened at. After
        SIGTERM the process ends by that signal, as shells and containers expect (143).
    """
    try:
        if not 0 <= port <= 65535:
            raise ConfigError(f"port={port}; give a number from 0 to 65535")
        uvicorn = _uvicorn()
        limits = Limits(max_mb, max_items, max_waiting, timeout)
        app = create_app(bundle, limits, page=page, sha256=sha256)
    except (LayerwiseError, ValueError) as error:
        print(f"layerwise serve: {error}", file=sys.stderr)
        return 1
    name = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host  # noqa: S104 - compared only
    paths = [*(("/page",) if page else ()), "/predict", "/predict/batch", "/info", "/openapi.json"]
    print(f"{bundle} at http://{name}:{port} with {', '.join(paths)}", flush=True)
    try:
        uvicorn.run(
            app, host=host, port=port, log_level="info", server_header=False,
            timeout_graceful_shutdown=int(timeout) + 1,
        )  # fmt: skip
    except SystemExit as left:  # how uvicorn says that it could not listen
        return int(bool(left.code))
    except KeyboardInterrupt:  # by which uvicorn passes on Ctrl-C after its end
        return 0
    return 0


def _uvicorn() -> Any:
    try:
        import uvicorn
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "uvicorn", needed_for="servers", install="layerwise-core[serve]"
        ) from error
    return uvicorn
