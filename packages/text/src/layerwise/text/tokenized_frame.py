"""Texts in lists and in the columns of frames to tokens, by several processes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from layerwise.core.errors import DataError, MissingDependencyError, nearest
from layerwise.core.files.atomic import write_whole
from layerwise.core.items import L, listify
from layerwise.core.types import PathLike
from layerwise.text.progress import bar
from layerwise.text.rules import Rule
from layerwise.text.tokenizers.base import TextTokenizer
from layerwise.text.tokenizers.with_rules import parallel_tokenize
from layerwise.text.tokens import FLD

__all__ = [
    "join_fields",
    "load_tokenized_csv",
    "tokenize_csv",
    "tokenize_df",
    "tokenize_texts",
]

Columns = str | int | Sequence[str | int]


def tokenize_texts(
    texts: Iterable[str],
    n_workers: int | None = None,
    rules: Sequence[Rule] | None = None,
    tok: TextTokenizer | None = None,
) -> L[list[str]]:
    """The tokens of each of `texts`.

    Args:
        texts: the texts.
        n_workers: processes; 0 does the work here, None takes one for each core.
        rules: see `TokenizeWithRules`.
        tok: the tokeniser; `RegexTokenizer()` when None.

    Example:
        >>> tokenize_texts(["So good!", "so bad"])
        (#2) [['xxbos', 'xxmaj', 'so', 'good', '!'], ['xxbos', 'so', 'bad']]
    """
    total = len(texts) if isinstance(texts, Sequence) else None
    found: list[list[str]] = []
    with bar(total, "tokenize") as step:
        for tokens in parallel_tokenize(texts, tok, rules, n_workers):
            found.append(tokens)
            step(1)
    return L(found)


def join_fields(fields: Sequence[str], mark_fields: bool | None = None) -> str:
    """Several texts as one; each begins with `xxfld` and its number.

    Args:
        fields: the texts.
        mark_fields: whether they do; when None, where there are several.

    Example:
        >>> join_fields(["A title", "and what follows"])
        'xxfld 1 A title xxfld 2 and what follows'
    """
    if not (len(fields) > 1 if mark_fields is None else mark_fields):
        return " ".join(fields)
    return " ".join(f"{FLD} {i} {field}" for i, field in enumerate(fields, 1))


def tokenize_df(
    df: Any,
    text_cols: Columns,
    n_workers: int | None = None,
    rules: Sequence[Rule] | None = None,
    mark_fields: bool | None = None,
    tok: TextTokenizer | None = None,
    tok_text_col: str = "text",
) -> tuple[Any, Counter[str]]:
    """A frame with the tokens of its texts, and how often each token comes.

    Args:
        df: a frame of pandas; it stays as it is.
        text_cols: the column of the texts, or several that make up one text.
        n_workers: processes; 0 does the work here, None takes one for each core.
        rules: see `TokenizeWithRules`.
        mark_fields: see `join_fields`.
        tok: the tokeniser; `RegexTokenizer()` when None.
        tok_text_col: name of the column of tokens; that of their number is called
            `<tok_text_col>_length`.

    Returns:
        The frame: without `text_cols`, with the two new columns at its end. The counts.

    Raises:
        DataError: if there is no such column, or a cell is no text; names the row.

    Example:
        >>> import pandas as pd
        >>> df, counter = tokenize_df(pd.DataFrame({"review": ["So good"], "y": [1]}), "review")
        >>> df.columns.tolist(), df["text"][0], counter["good"]
        (['y', 'text', 'text_length'], ['xxbos', 'xxmaj', 'so', 'good'], 1)
    """
    columns = _columns(df, text_cols)
    tokens = tokenize_texts(_joined(df, columns, mark_fields), n_workers, rules, tok)
    made = df[[name for name in df.columns if name not in columns]].copy()
    made[tok_text_col] = list(tokens)
    made[f"{tok_text_col}_length"] = [len(each) for each in tokens]
    counter = Counter[str]()
    for each in tokens:
        counter.update(each)
    return made, counter


def _columns(df: Any, text_cols: Columns) -> list[Any]:
    found = []
    for name in listify(text_cols):
        if name in df.columns:
            found.append(name)
        elif isinstance(name, int) and -len(df.columns) <= name < len(df.columns):
            found.append(df.columns[name])
        else:
            known = [str(column) for column in df.columns]
            raise DataError(
                f"the frame has no column {name!r}.{nearest(str(name), known)} It has "
                f"{', '.join(known) or 'none'}"
            )
    return found


def _joined(df: Any, columns: list[Any], mark_fields: bool | None) -> list[str]:
    for name in columns:
        for i, value in enumerate(df[name]):
            if not isinstance(value, str):
                raise DataError(
                    f"row {df.index[i]!r} (number {i}) has {value!r:.60} in the column {name!r}, a "
                    f"{type(value).__name__} and no text. Leave such rows out (dropna), or make "
                    "them texts (fillna(''), astype(str))"
                )
    rows = zip(*(df[name] for name in columns), strict=True)
    return [join_fields(row, mark_fields) for row in rows]


def tokenize_csv(
    fname: PathLike,
    text_cols: Columns,
    outname: PathLike | None = None,
    n_workers: int | None = None,
    rules: Sequence[Rule] | None = None,
    mark_fields: bool | None = None,
    tok: TextTokenizer | None = None,
    header: Any = "infer",
    chunksize: int = 50000,
) -> Path:
    """The table `fname` with tokens, joined by spaces, in place of its texts, as a table beside it.

    So many rows as `chunksize` says are in memory at a time. The counts are written beside the
    table; both are there when all is done, or not at all.

    Args:
        fname: a table of comma-separated values.
        text_cols: see `tokenize_df`.
        outname: the table to write; with `_tok` at the end of its name when None.
        n_workers: processes; 0 does the work here, None takes one for each core.
        rules: see `TokenizeWithRules`.
        mark_fields: see `join_fields`.
        tok: the tokeniser; `RegexTokenizer()` when None. One that has to learn is set up before,
            since no part of the table is all of it.
        header: the row of the column names, as pandas takes it.
        chunksize: rows at a time.

    Raises:
        ValueError: for a tokeniser that was not set up.
    """
    pandas = _pandas()
    source = Path(fname)
    target = source.with_name(f"{source.stem}_tok.csv") if outname is None else Path(outname)
    if getattr(tok, "sp_model", b"") is None:
        raise ValueError(
            f"{tok!r} has to learn from all texts before; call its setup(texts) first, or pass "
            "sp_model="
        )
    unfinished = target.with_name(f".{target.name}.tmp")
    counter = Counter[str]()
    try:
        with (
            bar(None, "tokenize") as step,
            pandas.read_csv(source, header=header, chunksize=chunksize) as parts,
        ):
            for i, part in enumerate(parts):
                done, count = tokenize_df(part, text_cols, n_workers, rules, mark_fields, tok)
                done["text"] = done["text"].str.join(" ")
                mode = "w" if i == 0 else "a"
                done.to_csv(unfinished, header=i == 0, index=False, mode=mode)
                counter.update(count)
                step(len(part))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    text = json.dumps(dict(counter.most_common()), ensure_ascii=False)
    write_whole(_counter_of(target), [text.encode("utf8", "replace")])
    return target


def load_tokenized_csv(fname: PathLike) -> tuple[Any, Counter[str]]:
    """The frame that `tokenize_csv` wrote, with lists of tokens, and how often each token comes.

    Args:
        fname: what `tokenize_csv` returned.
    """
    frame = _pandas().read_csv(Path(fname), keep_default_na=False)
    frame["text"] = [text.split(" ") if text else [] for text in frame["text"]]
    return frame, Counter(json.loads(_counter_of(Path(fname)).read_bytes()))


def _counter_of(path: Path) -> Path:
    return path.with_suffix(".counter.json")


def _pandas() -> Any:
    try:
        import pandas
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "pandas", needed_for="tables of texts", install="layerwise-text[tables]"
        ) from error
    return pandas
