"""Where the templates are: beside `app` in a source tree, inside it once installed."""

from pathlib import Path


def templates_folder() -> Path:
    """The folder of `layout.jinja2`.

    setup.py puts `templates/` into the wheel as the package `app.templates`. An editable install
    cannot import a package by that name, so the folder itself is looked for, not the package.
    """
    package = Path(__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"
