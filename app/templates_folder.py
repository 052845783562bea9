"""Where the templates are: beside `app` in a source tree, inside it once installed."""

from pathlib import Path


def templates_folder() -> Path:
    """The folder of `layout.jinja2`.

    setup.py puts `templates/` into the wheel as the package `app.templates`. In an editable install
    that package cannot be imported, so this function looks for the folder instead.
    """
    package = Path(__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"
