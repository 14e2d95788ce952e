"""The page with all that the demo drew: one file, which needs no other and no network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from section import Picture, Section, captioned, html_table

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1e21; --pale: #5f6670;
  --line: #d8dce1; --panel: #f4f5f7; --wrong: #b3261e; --link: #0b57b0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15171a; --ink: #e4e6ea; --pale: #9aa2ad; --line: #363b42;
    --panel: #1f2226; --wrong: #ff8a80; --link: #8ab8f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 3rem; font-size: 1.35rem; }
a { color: var(--link); }
p, figure, details { margin: 0 0 1.4rem; }
figcaption { padding-bottom: .35rem; color: var(--pale); font-size: .9rem; }
audio { display: block; max-width: 100%; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
.wide, pre { overflow-x: auto; }
pre { margin: 0; padding: .7rem .9rem; background: var(--panel); border-radius: 6px;
  font: .85rem/1.45 ui-monospace, monospace; }
figure > pre { white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .3rem 0; color: var(--link); }
table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.long { min-width: 15rem; }
.wrong { color: var(--wrong); font-weight: 600; }
"""


def page(title: str, lead: str, sections: Sequence[Section], notes: Sequence[str]) -> str:
    """The HTML of the page.

    Args:
        title: its heading.
        lead: the paragraph below.
        sections: what each task showed, in order.
        notes: of tasks that are not there.
    """
    rows = [section.row for section in sections]
    table = html_table(rows, "Every task on data that it was not trained on.") if rows else ""
    links = " · ".join(
        f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections
    )
    body = "\n".join(_section(section) for section in sections)
    told = "\n".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n{table}\n{told}\n<nav>{links}</nav>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    blocks = "\n".join(
        _figure(each) if isinstance(each, Picture) else each for each in section.blocks
    )
    problem = f'<p class="wrong">{escape(section.problem)}</p>\n' if section.problem else ""
    return (
        f'<section id="{section.name}">\n<h2>{escape(section.title)}</h2>\n{problem}{blocks}\n'
        "</section>"
    )


def _figure(picture: Picture) -> str:
    """The picture inside the page, which needs no file beside it."""
    width, height = picture.size
    data = b64encode(picture.path.read_bytes()).decode()
    image = (
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{escape(picture.alt)}">'
    )
    return captioned(image, picture.caption)
