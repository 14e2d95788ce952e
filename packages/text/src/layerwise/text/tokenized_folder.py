"""Text files to files of tokens, by several processes, taken up again where it was left.

Each text has a file of its tokens, at the same place below another folder. There stand besides:
`counter.json`, how often each token comes; `lengths.json`, how many tokens each file has; and
`tokenizer.json`, by what tokeniser and rules all this was made.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from layerwise.core.data.parallel import parallel_gen
from layerwise.core.data.source import get_files
from layerwise.core.errors import DataError, warn_user
from layerwise.core.files.atomic import write_whole
from layerwise.core.types import PathLike
from layerwise.text.progress import bar
from layerwise.text.reading import REPLACED, read_text
from layerwise.text.rules import Rule
from layerwise.text.tokenizers.base import TextTokenizer
from layerwise.text.tokenizers.regex import RegexTokenizer
from layerwise.text.tokenizers.subwords import SentencePieceTokenizer
from layerwise.text.tokenizers.with_rules import TokenizeWithRules, rules_for
from layerwise.text.told import told

__all__ = [
    "fn_counter",
    "fn_lengths",
    "load_counter",
    "load_lengths",
    "read_tokens",
    "tokenize_files",
    "tokenize_folder",
]

fn_counter = "counter.json"
"""How often each token comes, most frequent first."""

fn_lengths = "lengths.json"
"""How many tokens each file has, by its name below the folder."""

_SETTINGS, _MODEL = "tokenizer.json", "spm.model"
_TOGETHER = 32  # files that a process does before it reports

Job = tuple[str, str]
"""A file, and the name of that of its tokens."""


class _Done(NamedTuple):
    """What a process says of a few files."""

    lengths: list[int]
    counter: Counter[str]
    replaced: list[str]  # files with bytes that were not of the encoding


def tokenize_folder(
    path: PathLike,
    extensions: str | Iterable[str] | None = None,
    folders: str | Iterable[str] | None = None,
    output_dir: PathLike | None = None,
    skip_if_exists: bool = True,
    *,
    output_names: Sequence[str] | None = None,
    n_workers: int | None = None,
    rules: Sequence[Rule] | None = None,
    tok: TextTokenizer | None = None,
    encoding: str = "utf8",
    errors: str = "strict",
) -> Path:
    """The folder with the tokens of all text files below `path`; see `tokenize_files`.

    Args:
        path: the folder of the texts.
        extensions: endings of the files to take; ".txt" when None.
        folders: of the folders directly below, take these alone.
        output_dir: where tokens go; beside `path`, with `_tok` added to its name, when None.
        skip_if_exists: see `tokenize_files`, as are all that follow.
        output_names: names of the files of tokens.
        n_workers: processes.
        rules: what is done to each text.
        tok: the tokeniser.
        encoding: of the files.
        errors: of bytes that have no meaning in it.

    Raises:
        DataError: if there is no such file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     texts = Path(folder, "texts")
        ...     texts.mkdir()
        ...     _ = (texts / "a.txt").write_text("So good!")
        ...     made = tokenize_folder(texts)
        ...     made.name, (made / "a.txt").read_text(), load_lengths(made)
        ('texts_tok', 'xxbos xxmaj so good !', {'a.txt': 5})
    """
    path = Path(path)
    wanted = ".txt" if extensions is None else extensions
    target = path.parent / f"{path.name}_tok" if output_dir is None else Path(output_dir)
    found = get_files(path, extensions=wanted, folders=folders)
    files = [file for file in found if not file.is_relative_to(target)]
    if not files:
        raise DataError(
            f"there is no file that ends in {wanted} below {path}; say with extensions= and "
            "folders= what to take"
        )
    return tokenize_files(
        files, path, target, output_names, n_workers=n_workers, rules=rules, tok=tok,
        encoding=encoding, errors=errors, skip_if_exists=skip_if_exists,
    )  # fmt: skip


def tokenize_files(
    files: Iterable[PathLike],
    path: PathLike,
    output_dir: PathLike,
    output_names: Sequence[str] | None = None,
    *,
    n_workers: int | None = None,
    rules: Sequence[Rule] | None = None,
    tok: TextTokenizer | None = None,
    encoding: str = "utf8",
    errors: str = "strict",
    skip_if_exists: bool = True,
) -> Path:
    """The folder with the tokens of `files`, joined by spaces, and their counts.

    The tokens are the same for any number of processes, and no more than a few texts of each
    process are in memory. What was interrupted is taken up again by the same call: files whose
    tokens are there, and not older than the text, are counted and not cut again. With another
    tokeniser or other rules all is done anew; so it is with rules that have no name (a lambda),
    since nothing tells whether they are the same.

    Args:
        files: text files, below `path`.
        path: what the names of the files of tokens start from.
        output_dir: where they go.
        output_names: their names, one for each of `files`; by default those of the texts.
        n_workers: processes; 0 does the work here, None takes one for each core.
        rules: see `TokenizeWithRules`.
        tok: the tokeniser; `RegexTokenizer()` when None.
        encoding: of the files.
        errors: "strict" raises where bytes have no meaning in `encoding`; "replace" puts `�` for
            them and "ignore" leaves them out. Files with such bytes are counted in a warning.
        skip_if_exists: keep what is there; otherwise do all anew.

    Raises:
        DataError: for bytes that are not of the encoding; names the file.
        ValueError: for names that are not one for each file, come twice or leave the folder.
    """
    target = Path(output_dir)
    tok = RegexTokenizer() if tok is None else tok
    jobs = _jobs([Path(file) for file in files], Path(path), target, output_names)
    settings = {"tok": told(tok), "rules": told(rules_for(tok, rules)), "encoding": encoding}
    is_same = skip_if_exists and _read_json(target / _SETTINGS) == settings
    if is_same and _is_complete(jobs, target):
        return target
    for name in (fn_counter, fn_lengths):
        (target / name).unlink(missing_ok=True)
    if not is_same:
        (target / _MODEL).unlink(missing_ok=True)
        _write_json(target / _SETTINGS, settings)  # what is older than this file is out of date
    _learn(tok, jobs, rules, encoding, errors, target / _MODEL)
    counter, lengths = Counter[str](), dict[str, int]()
    replaced: list[str] = []
    batches = [jobs[i : i + _TOGETHER] for i in range(0, len(jobs), _TOGETHER)]
    made = parallel_gen(
        _FileCutter, batches, 0 if len(batches) < 2 and n_workers is None else n_workers,
        chunk_size=1, target=str(target), tok=tok, rules=rules, encoding=encoding, errors=errors,
    )  # fmt: skip
    with bar(len(jobs), "tokenize") as step:
        for batch, done in zip(batches, made, strict=True):
            lengths.update(zip((name for _, name in batch), done.lengths, strict=True))
            counter.update(done.counter)
            replaced += done.replaced
            step(len(batch))
    _write_json(target / fn_lengths, lengths)
    _write_json(target / fn_counter, dict(sorted(counter.items(), key=lambda o: (-o[1], o[0]))))
    if replaced:
        warn_user(
            f"{len(replaced)} of {len(jobs)} files have bytes that are not of {encoding}, the "
            f"first is {replaced[0]}; they were replaced or left out (errors={errors!r})"
        )
    return target


def load_counter(folder: PathLike) -> Counter[str]:
    """How often each token comes in a folder of tokens."""
    return Counter(_of_folder(Path(folder), fn_counter))


def load_lengths(folder: PathLike) -> dict[str, int]:
    """How many tokens each file of a folder of tokens has, by its name below the folder."""
    return dict(_of_folder(Path(folder), fn_lengths))


def read_tokens(path: PathLike) -> list[str]:
    """The tokens in a file that `tokenize_files` wrote."""
    text = Path(path).read_bytes().decode("utf8")
    return text.split(" ") if text else []


def _of_folder(folder: Path, name: str) -> dict[str, int]:
    found = _read_json(folder / name)
    if found is None:
        raise DataError(
            f"there is no {name} in {folder}; tokenize_folder writes it when it has done all files"
        )
    return dict(found)


def _jobs(files: list[Path], path: Path, target: Path, names: Sequence[str] | None) -> list[Job]:
    if names is None:
        start = os.path.join(path, "")  # noqa: PTH118 - texts, since there may be many
        names = [
            text.removeprefix(start) if text.startswith(start) else os.path.relpath(text, path)
            for text in map(str, files)
        ]
    if len(names) != len(files):
        raise ValueError(f"{len(names)} output_names for {len(files)} files; give one for each")
    own = {_SETTINGS, fn_counter, fn_lengths, _MODEL}
    for name, count in Counter(names).items():
        # Texts again, for the same reason.
        leaves = os.path.isabs(name) or os.pardir in name.split(os.sep)  # noqa: PTH117, PTH206
        if count > 1 or name in own or leaves:
            raise ValueError(
                f"the name {name!r} for tokens comes twice, belongs to this library, or leaves the "
                f"folder {target}; give other output_names, or the path= that all files are below"
            )
    plain = (name.replace(os.sep, "/") for name in names)
    return list(zip(map(str, files), plain, strict=True))


def _learn(
    tok: TextTokenizer, jobs: list[Job], rules: Any, encoding: str, errors: str, model: Path
) -> None:
    """Let the tokeniser learn from the files; what it learnt for this folder before is kept."""
    learns = isinstance(tok, SentencePieceTokenizer) and tok.sp_model is None
    if learns and model.is_file():
        tok.sp_model = model.read_bytes()  # type: ignore[attr-defined]  # it is one
    elif hasattr(tok, "setup"):
        tok.setup(_Texts(jobs, encoding, errors), rules_for(tok, rules))
    if isinstance(tok, SentencePieceTokenizer) and tok.sp_model is not None:
        write_whole(model, [tok.sp_model])


def _is_complete(jobs: list[Job], target: Path) -> bool:
    """Whether all was done, and no text has changed since."""
    lengths, counted = _read_json(target / fn_lengths), target / fn_counter
    if not lengths or not counted.is_file() or lengths.keys() != {name for _, name in jobs}:
        return False
    since, root = counted.stat().st_mtime_ns, os.path.join(target, "")  # noqa: PTH118 - as below
    return all(
        # Paths would cost more than what they do here.
        os.path.exists(root + name) and os.stat(file).st_mtime_ns <= since  # noqa: PTH110, PTH116
        for file, name in jobs
    )


class _Texts:
    """The texts of files, read one after the other, as often as asked for."""

    def __init__(self, jobs: list[Job], encoding: str, errors: str) -> None:
        self.jobs, self.encoding, self.errors = jobs, encoding, errors

    def __iter__(self) -> Iterator[str]:
        return (read_text(file, self.encoding, self.errors) for file, _ in self.jobs)


class _FileCutter:
    """What each process does: files of texts to files of tokens, and their counts."""

    def __init__(
        self, target: str, tok: TextTokenizer, rules: Any, encoding: str, errors: str
    ) -> None:
        self.root = os.path.join(target, "")  # noqa: PTH118 - texts, as paths cost more
        self.since = os.stat(self.root + _SETTINGS).st_mtime_ns  # noqa: PTH116 - as above
        self.cut = TokenizeWithRules(tok, rules)
        self.encoding, self.errors = encoding, errors

    def __call__(self, batches: Iterable[list[Job]]) -> Iterator[_Done]:
        return map(self._batch, batches)

    def _batch(self, jobs: list[Job]) -> _Done:
        replaced: list[str] = []
        lengths, counter = [], Counter[str]()
        for file, name in jobs:
            tokens = self._up_to_date(file, self.root + name)
            if tokens is None:
                text = self._read(file, replaced)
                tokens = self._written(next(iter(self.cut([text]))), self.root + name)
            lengths.append(len(tokens))
            counter.update(tokens)
        return _Done(lengths, counter, replaced)

    def _read(self, file: str, replaced: list[str]) -> str:
        text = read_text(file, self.encoding, self.errors)
        if REPLACED in text or (self.errors == "ignore" and not _is_clean(file, self.encoding)):
            replaced.append(file)
        return text

    def _written(self, tokens: list[str], target: str) -> list[str]:
        text = " ".join(tokens)
        if text.count(" ") >= len(tokens) > 0:  # of rules of the user's; nothing could part them
            tokens = [token.replace(" ", "▁") for token in tokens]
            text = " ".join(tokens)
        # Renamed when it is whole, so that what is there after an interruption is good.
        unfinished = f"{target}.{os.getpid()}.tmp"
        try:
            file = open(unfinished, "wb")  # noqa: PTH123, SIM115 - closed below
        except FileNotFoundError:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            file = open(unfinished, "wb")  # noqa: PTH123, SIM115 - as above
        with file:
            file.write(text.encode("utf8", "replace"))
        os.replace(unfinished, target)  # noqa: PTH105 - as above
        return tokens

    def _up_to_date(self, file: str, target: str) -> list[str] | None:
        """The tokens that are there, if they are younger than the text and the settings."""
        try:
            made = os.stat(target).st_mtime_ns  # noqa: PTH116 - as above
            if made <= self.since or made < os.stat(file).st_mtime_ns:  # noqa: PTH116 - as above
                return None
            return read_tokens(target)
        except FileNotFoundError:
            return None


def _is_clean(file: str, encoding: str) -> bool:
    try:
        Path(file).read_bytes().decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # none yet, or not of ours: made anew
        return None


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    write_whole(path, [text.encode("utf8", "replace")])
