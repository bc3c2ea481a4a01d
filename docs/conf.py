"""Settings of the documentation as a site (`make docs`): the pages as they are, with a table of
contents and a search. Its source is the whole checkout, so that links between folders hold."""

project = "filterd"
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "docs/**.md",
    "models/README.md",
    "packaging/README.md",
]
extensions = ["myst_parser"]
# Links to headings, as GitHub makes them.
myst_heading_anchors = 4
html_theme = "furo"
html_title = "filterd"
html_show_sphinx = False
html_copy_source = False
nitpicky = True
