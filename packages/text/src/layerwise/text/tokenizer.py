"""`Tokenizer`: texts to tokens as a step of a pipeline, one by one or all of them before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from layerwise.core.data.readers import ColReader
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.display.titled import TitledStr
from layerwise.core.errors import DataError
from layerwise.core.items import L, listify
from layerwise.core.transforms.transform import Transform
from layerwise.core.types import PathLike
from layerwise.text.reading import read_text
from layerwise.text.rules import Rule
from layerwise.text.tokenized_folder import (
    load_counter,
    load_lengths,
    read_tokens,
    tokenize_folder,
)
from layerwise.text.tokenized_frame import join_fields, tokenize_df
from layerwise.text.tokenizers.base import TextTokenizer
from layerwise.text.tokenizers.regex import RegexTokenizer
from layerwise.text.tokenizers.with_rules import TokenizeWithRules, set_up

__all__ = ["Tokenizer"]


class Tokenizer(Transform):
    """A text, a file of text or a row of a table to its tokens, and tokens to a text.

    Lists pass: they are tokens already.

    Args:
        tok: the tokeniser, any function from texts to lists of tokens; `RegexTokenizer()` when
            None.
        rules: see `TokenizeWithRules`.
        sep: what stands between tokens where they are shown as a text.
        text_cols: of rows, the column of the texts, or several that make up one text.
        mark_fields: see `join_fields`.
        tok_text_col: the column of tokens that `setup` adds to a frame.
        n_workers: processes for that.
        encoding: of files.
        errors: of bytes that have no meaning in it; see `read_text`.

    Attributes:
        counter: how often each token comes in the folder, or in the rows of the frame that train;
            None where texts are cut one by one.

    Example:
        >>> tokenize = Tokenizer()
        >>> tokenize("It isn't GOOD."), tokenize.decode(["so", "good"])
        ((#8) ['xxbos', 'xxmaj', 'it', 'is', "n't", 'xxup', 'good', '.'], 'so good')
    """

    takes_text = True  # to a server: a string is a text and never the name of a file

    encodes = Dispatch(unchanged)
    decodes = Dispatch(unchanged)

    def __init__(
        self,
        tok: TextTokenizer | None = None,
        rules: Sequence[Rule] | None = None,
        sep: str = " ",
        *,
        text_cols: str | int | Sequence[str | int] | None = None,
        mark_fields: bool | None = None,
        tok_text_col: str = "text",
        n_workers: int | None = None,
        encoding: str = "utf8",
        errors: str = "strict",
    ) -> None:
        super().__init__()
        self.tok: TextTokenizer = RegexTokenizer() if tok is None else _tokeniser(tok)
        self.rules, self.sep = rules, sep
        self.text_cols = None if text_cols is None else listify(text_cols)
        self.mark_fields, self.tok_text_col, self.n_workers = mark_fields, tok_text_col, n_workers
        self.encoding, self.errors = encoding, errors
        self.counter: Counter[str] | None = None
        self._cut = TokenizeWithRules(self.tok, rules)
        self._source: Path | None = None  # a folder of texts, and that of their tokens
        self._target: Path | None = None
        self._lengths: dict[str, int] = {}

    @classmethod
    def from_df(
        cls,
        text_cols: str | int | Sequence[str | int],
        tok: TextTokenizer | None = None,
        rules: Sequence[Rule] | None = None,
        sep: str = " ",
        *,
        n_workers: int | None = None,
        mark_fields: bool | None = None,
        tok_text_col: str = "text",
    ) -> Tokenizer:
        """One for frames: all texts are cut when it is set up, see `tokenize_df`.

        Data that were set up have the tokens in the column `tok_text_col`, from which a reader
        before this step takes them (`get_x=ColReader("text")`).

        Args:
            text_cols: the column of the texts, or several that make up one text.
            tok: see the class, as are all that follow.
            rules: what is done to each text.
            sep: what stands between tokens.
            n_workers: processes.
            mark_fields: whether fields are marked.
            tok_text_col: the column of tokens.
        """
        return cls(
            tok, rules, sep, text_cols=text_cols, mark_fields=mark_fields,
            tok_text_col=tok_text_col, n_workers=n_workers,
        )  # fmt: skip

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        tok: TextTokenizer | None = None,
        rules: Sequence[Rule] | None = None,
        *,
        extensions: str | Iterable[str] | None = None,
        folders: str | Iterable[str] | None = None,
        output_dir: PathLike | None = None,
        skip_if_exists: bool = True,
        output_names: Sequence[str] | None = None,
        n_workers: int | None = None,
        encoding: str = "utf8",
        errors: str = "strict",
    ) -> Tokenizer:
        """One for files: all below `path` are cut now, see `tokenize_folder`.

        Args:
            path: the folder of the texts.
            tok: see the class.
            rules: see the class.
            extensions: see `tokenize_folder`, as are all that follow.
            folders: which folders to take.
            output_dir: where tokens go.
            skip_if_exists: keep what is there.
            output_names: names of the files of tokens; tokens with names of their own are not found
                again here, and such files are cut once more when they are read.
            n_workers: processes.
            encoding: of the files.
            errors: of bytes that have no meaning in it.
        """
        made = cls(tok, rules, encoding=encoding, errors=errors)
        made._source = Path(path)
        made._target = tokenize_folder(
            path, extensions, folders, output_dir, skip_if_exists, output_names=output_names,
            n_workers=n_workers, rules=rules, tok=made.tok, encoding=encoding, errors=errors,
        )  # fmt: skip
        made.counter, made._lengths = load_counter(made._target), load_lengths(made._target)
        return made

    def setup(self, items: Any = None, train_setup: bool = False) -> None:
        """Cut all texts of a frame, or let a tokeniser that learns do so.

        Args:
            items: what the transform sees. If they are rows of a frame and `text_cols` are known,
                their `items` become those of a frame with tokens.
            train_setup: count, and learn, on the training split alone.
        """
        frame = getattr(items, "items", None)
        if self.text_cols is not None and hasattr(frame, "columns"):
            self._cut_frame(items, frame, train_setup)
        else:
            super().setup(items, train_setup)

    def _cut_frame(self, items: Any, frame: Any, train_setup: bool) -> None:
        made, _ = tokenize_df(
            frame, self.text_cols or (), self.n_workers, self.rules, self.mark_fields, self.tok,
            self.tok_text_col,
        )  # fmt: skip
        # Columns of the texts stay, unless that of the tokens has the name of one.
        for name in frame.columns:
            if name not in made.columns:
                made[name] = frame[name]
        items.items = made
        splits = items.splits if train_setup else None
        rows = made if splits is None else made.iloc[list(splits[0])]
        self.counter = Counter[str]()
        for tokens in rows[self.tok_text_col]:
            self.counter.update(tokens)

    def setups(self, dsets: Any) -> None:
        """Let the tokeniser learn from the texts, if it does and has not."""
        if dsets is not None and self._target is None:
            set_up(self.tok, _Texts(dsets, self), self.rules)

    @encodes.register
    def _(self, o: str) -> L:
        return L(next(iter(self._cut([o]))))

    @encodes.register
    def _(self, o: Path) -> L:
        tokens = self._tokens_of(o)
        if tokens is not None and tokens.is_file():
            return L(read_tokens(tokens))
        return L(next(iter(self._cut([self.text_of(o)]))))

    @encodes.register
    def _(self, o: object) -> Any:
        if isinstance(o, list) or self.text_cols is None:
            return o
        return L(next(iter(self._cut([self.text_of(o)]))))

    @decodes.register
    def _(self, o: list) -> TitledStr:  # type: ignore[type-arg]  # dispatch is by the class alone
        decode = getattr(self.tok, "decode", self.sep.join)
        return TitledStr(decode(o))

    def text_of(self, item: Any) -> str:
        """The text of an item: itself, what is in the file, or the fields of the row, as one."""
        if isinstance(item, str):
            return item
        if isinstance(item, Path):
            return read_text(item, self.encoding, self.errors)
        fields = [ColReader(name)(item) for name in self.text_cols or ()]
        for name, field in zip(self.text_cols or (), fields, strict=True):
            if not isinstance(field, str):
                raise DataError(
                    f"{field!r:.60} in the column {name!r} is a {type(field).__name__} and no text"
                )
        return join_fields(fields, self.mark_fields)

    def get_lengths(self, items: Any) -> list[int] | None:
        """How many tokens each of `items` has, where that is known without cutting them.

        Args:
            items: files of the folder, or a frame that was set up.
        """
        column = f"{self.tok_text_col}_length"
        if hasattr(items, "columns"):
            return list(items[column]) if column in items.columns else None
        if self._target is None:
            return None
        names = [self._name_of(Path(item)) for item in items]
        lengths = [self._lengths.get(name) if name else None for name in names]
        return None if None in lengths else [n for n in lengths if n is not None]

    def _name_of(self, path: Path) -> str | None:
        """The name of a file below the folder of texts."""
        if self._source is None or not path.is_relative_to(self._source):
            return None
        return path.relative_to(self._source).as_posix()

    def _tokens_of(self, path: Path) -> Path | None:
        name = self._name_of(path)
        return None if name is None or self._target is None else self._target / name

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one for new texts; folders and counts are not of it."""
        kept = ("tok", "rules", "sep", "text_cols", "mark_fields", "tok_text_col",
                "encoding", "errors")  # fmt: skip
        return {name: getattr(self, name) for name in kept}

    def __repr__(self) -> str:
        return f"Tokenizer({self.tok!r})"


class _Texts:
    """The texts of items, as often as asked for."""

    def __init__(self, items: Any, tokenizer: Tokenizer) -> None:
        self.items, self.tokenizer = items, tokenizer

    def __iter__(self) -> Iterator[str]:
        return map(self.tokenizer.text_of, self.items)


def _tokeniser(tok: Any) -> TextTokenizer:
    """`tok`, if it can be called with texts."""
    if isinstance(tok, type):
        raise TypeError(f"{tok.__name__} is a class; make one of it: {tok.__name__}()")
    if not callable(tok):
        raise TypeError(
            f"{tok!r:.60} is no tokeniser; give one, such as RegexTokenizer(), SpacyTokenizer() or "
            "any function from texts to lists of tokens"
        )
    made: TextTokenizer = tok
    return made
