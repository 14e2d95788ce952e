"""Serve a small learner with its page: python serve_page.py texts|files PORT MAX_MB."""

import sys

if __name__ == "__main__":
    import uvicorn

    from conftest import WordCount, made, share_of_zeros
    from layerwise.core.serve.app import create_app
    from layerwise.core.serve.limits import Limits

    texts = (WordCount(), ["a", "b c"] * 4)
    files = (share_of_zeros, [b"\0a", b"\0bc"] * 4)
    learn = made(*{"texts": texts, "files": files}[sys.argv[1]])
    app = create_app(learn, Limits(max_mb=float(sys.argv[3])), page=True)
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
