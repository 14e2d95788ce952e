"""Settings of the documentation: `make docs` builds it with warnings as errors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for notebooks and public_names

project = "layerwise"
author = "the layerwise authors"
copyright = "the layerwise authors"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "notebooks",
    "public_names",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

html_theme = "furo"
html_title = "layerwise"
html_static_path = ["_static"]
html_css_files = ["pages.css"]

# Pages with {code-cell} blocks are run at each build, and a block that fails stops it.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True  # the lines of a table are one block
nb_ipywidgets_js: dict[str, object] = {}  # a page loads no scripts from elsewhere; bars need none
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# Docstrings write `name` for code, as the source does.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # a field described in the docstring and in the class is one object
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
