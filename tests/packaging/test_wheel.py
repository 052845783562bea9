"""The wheel holds everything the shop needs, and works without the source tree."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
NO_INDEX = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")


def pip(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


def files(folder: Path) -> set[str]:
    """The files below `folder`, without the caches that Python writes."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree."""
    source = tmp_path_factory.mktemp("wheel") / "source"
    ignored = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__")
    return shutil.copytree(PROJECT, source, ignore=ignored)


@pytest.fixture(scope="module")
def environment(source: Path) -> Path:
    """A fresh virtual environment with the wheel. Its dependencies come from ours."""
    folder = source.parent
    pip("wheel", *NO_INDEX, "--no-build-isolation", "--wheel-dir", folder, source)

    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin/python"
    [wheel] = folder.glob("*.whl")
    pip("--python", python, "install", *NO_INDEX, wheel)
    # Python searches a path that a .pth file names, but reads no .pth file in it. So an editable
    # install, in which the tests may run, stays out of sight.
    borrowed = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (site_packages(environment) / "borrowed.pth").write_text("\n".join(borrowed))
    return environment


def site_packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(environment)}))


def test_the_wheel_holds_the_application_and_its_templates(source: Path, environment: Path) -> None:
    installed = site_packages(environment)
    templates = {f"templates/{name}" for name in files(source / "templates")}
    assert files(installed / "app") == files(source / "app") | templates
    assert not (installed / "tests").exists()


def test_an_installed_shop_renders_every_template(
    source: Path, environment: Path, tmp_path: Path
) -> None:
    seen = subprocess.run(
        [environment / "bin/python", "-I", Path(__file__).with_name("render_everything.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    templates = [name for name in files(source / "templates") if name.endswith(".jinja2")]
    assert re.fullmatch(rf"{len(templates)} templates, [1-9]\d* emails, 1 stylesheet\n", seen)
