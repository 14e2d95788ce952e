"""`python -m layerwise.core.cli`: the command `layerwise` where its script is not on the path."""

import sys

from layerwise.core.cli.command import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
