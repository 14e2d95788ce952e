"""Loaders of labelled files from names and tables, whatever the files hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.data.factories import refuse_settings
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.readers import OfName, RegexLabeller
from layerwise.core.errors import MissingDependencyError
from layerwise.core.types import PathLike

__all__ = ["FromNames", "FromTable"]


class FromTable(DataLoaders):
    """Loaders with `from_df` also have `from_csv`.

    A subclass defines `from_df`, which takes a frame of pandas and `path`, and may name the classes
    of its loaders, whose settings are known then.
    """

    from_df: ClassVar[Callable[..., Any]]
    _loaders: ClassVar[tuple[type, ...]] = (TfmdDL,)
    _pandas: ClassVar[str] = "pandas"  # what to install for tables

    @classmethod
    def from_csv(
        cls,
        path: PathLike,
        csv_fname: PathLike = "labels.csv",
        header: Any = "infer",
        delimiter: str | None = None,
        quoting: int = 0,
        **kwargs: Any,
    ) -> DataLoaders:
        """`from_df` of the table in `path / csv_fname`.

        Args:
            path: what the names of the table and of its files start from.
            csv_fname: name of the table.
            header: row of the column names, as pandas takes it; None where there is none.
            delimiter: what parts the columns; a comma when None.
            quoting: which quotes count, as pandas takes it.
            kwargs: arguments of `from_df`.

        Raises:
            MissingDependencyError: without pandas.
        """
        refuse_settings(kwargs, cls._loaders, cls.from_csv, cls.from_df)
        try:
            import pandas as pd
        except (ImportError, OSError) as error:
            raise MissingDependencyError.of(
                "pandas", needed_for="tables of labels", install=cls._pandas
            ) from error
        read: Any = pd.read_csv  # its stubs have no case for settings that are passed on
        table = Path(path) / csv_fname
        df = read(table, header=header, delimiter=delimiter or ",", quoting=quoting)
        return cls.from_df(df, path=path, **kwargs)  # type: ignore[no-any-return]


class FromNames(FromTable):
    """Loaders with `from_path_func` also have the other ways from a file's name to its label.

    A subclass defines `from_path_func`, which takes a folder, files and a function of their paths,
    and what `FromTable` asks for.
    """

    from_path_func: ClassVar[Callable[..., Any]]

    @classmethod
    def from_name_func(
        cls,
        path: PathLike,
        fnames: Sequence[PathLike],
        label_func: Callable[[Any], Any],
        **kwargs: Any,
    ) -> DataLoaders:
        """`from_path_func` with a function of the file's name, without its folder."""
        return cls._named(cls.from_name_func, path, fnames, OfName(label_func), kwargs)

    @classmethod
    def from_path_re(
        cls, path: PathLike, fnames: Sequence[PathLike], pat: str, **kwargs: Any
    ) -> DataLoaders:
        """`from_path_func` with the first group of a regular expression that fits the path."""
        return cls._named(cls.from_path_re, path, fnames, RegexLabeller(pat), kwargs)

    @classmethod
    def from_name_re(
        cls, path: PathLike, fnames: Sequence[PathLike], pat: str, **kwargs: Any
    ) -> DataLoaders:
        """`from_name_func` with the first group of a regular expression that fits the name."""
        return cls._named(cls.from_name_re, path, fnames, OfName(RegexLabeller(pat)), kwargs)

    @classmethod
    def _named(
        cls,
        called: Callable[..., Any],
        path: PathLike,
        fnames: Sequence[PathLike],
        labeller: Callable[[Any], Any],
        settings: dict[str, Any],
    ) -> DataLoaders:
        refuse_settings(settings, cls._loaders, called, cls.from_path_func)
        return cls.from_path_func(path, fnames, labeller, **settings)  # type: ignore[no-any-return]
