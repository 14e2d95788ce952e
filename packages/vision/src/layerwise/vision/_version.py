"""The version of this distribution; all packages of a release carry the same."""

__all__ = ["__version__"]

__version__ = "0.1.0"
