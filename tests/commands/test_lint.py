"""``pillarbox lint``: no findings for the shop's emails, and a readable line for each finding."""

import shutil
from pathlib import Path

import pytest

from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import shop_settings, write_ini

SETTINGS = shop_settings("sqlite://", base_url="https://shop.example", domain="shop.example")


def test_a_shop_as_it_is_delivered_has_no_findings(tmp_path: Path, pillarbox: Pillarbox) -> None:
    result = pillarbox("lint", write_ini(tmp_path / "shop.ini", SETTINGS))
    assert "No findings." in result.output


def test_a_fault_in_every_email_is_told_once_and_ends_with_code_1(
    tmp_path: Path, pillarbox: Pillarbox
) -> None:
    ini = write_ini(
        tmp_path / "shop.ini", SETTINGS | {"site.support_email": "noreply@shop.example"}
    )
    result = pillarbox("lint", ini, code=1)
    told = [line for line in result.output.splitlines() if line.startswith("A")]
    assert told == [
        "A4: header Reply-To: nobody reads the replies. Name site.support_email.",
    ]
    assert "in test_message.short.en (both) and " in result.output
    assert "Error: Findings: 1, in " in result.output


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the emails' templates, which the command reads instead."""
    folder = tmp_path / "templates"
    shutil.copytree(Path(__file__).parents[2] / "templates", folder)
    monkeypatch.setattr("app.mail.templates_folder", lambda: folder)
    return folder / "email"


def replace(path: Path, old: str, new: str) -> int:
    """Change the template once. Returns the line of the change."""
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), "utf-8")
    return content[: content.index(old)].count("\n") + 1


def told(output: str) -> list[str]:
    """The findings, without the samples that they were found in."""
    return [line for line in output.splitlines() if line[:1] not in (" ", "") and ": " in line]


def test_a_broken_template_is_one_finding_and_the_other_kinds_are_checked(
    tmp_path: Path, pillarbox: Pillarbox, templates: Path
) -> None:
    line = replace(templates / "confirm_address.jinja2", '"), link)', '"), lnik)')
    syntax = replace(templates / "welcome.jinja2", "{% block content %}", "{% blokc content %}")
    replace(templates / "password_reset.jinja2", "parts.heading(", "parts.paragraph(")
    result = pillarbox("lint", write_ini(tmp_path / "shop.ini", SETTINGS), code=1)
    assert "Traceback" not in result.output
    confirm, *others = told(result.output)
    assert confirm.startswith(f"template: email/confirm_address.jinja2, line {line}; email/parts")
    assert "UndefinedError: 'lnik' is undefined. Correct the template." in confirm
    assert [each for each in others if each.startswith("template: ")] == [
        each for each in others if "welcome" in each or "password_reset" in each
    ]
    assert any(f"email/welcome.jinja2, line {syntax}: TemplateSyntax" in each for each in others)
    assert result.output.count("confirm_address.short.en (both)") == 1
    assert "Findings: 3, in " in result.output


def test_a_template_that_breaks_in_some_samples_is_one_finding(
    tmp_path: Path, pillarbox: Pillarbox, templates: Path
) -> None:
    replace(
        templates / "purchase_receipt.jinja2",
        "{% block content %}",
        "{% block content %}{{ lines[5].nmae }}{{ 1 // (lines | length - 1) }}",
    )
    result = pillarbox("lint", write_ini(tmp_path / "shop.ini", SETTINGS), code=1)
    assert [line[:9] for line in told(result.output)].count("template:") == 1


def test_a_text_without_a_translation_is_a_finding_of_its_own(
    tmp_path: Path, pillarbox: Pillarbox, templates: Path
) -> None:
    replace(
        templates / "welcome.jinja2",
        "{{ parts.button(",
        '{{ _("Nobody has translated this yet.") }}{{ parts.button(',
    )
    replace(templates / "layout.jinja2", "<!-- content -->", '<!-- content -->{{ _("Nor this.") }}')
    ini = write_ini(tmp_path / "shop.ini", SETTINGS)
    result = pillarbox("lint", ini, code=1)
    findings = [line for line in told(result.output) if line.startswith("A16")]
    assert len(findings) == 2
    assert any("'Nobody has translated this yet.' has no translation" in each for each in findings)
    assert "in welcome.short.de (both)" in result.output
    shown = pillarbox("preview", ini, "welcome", "--out", tmp_path / "out").output
    assert "Not translated into de: 'Nobody has translated this yet.', in welcome.short.de" in shown
    assert shown.count("Not translated") == 2


def test_a_broken_kind_keeps_no_other_preview_from_being_written(
    tmp_path: Path, pillarbox: Pillarbox, templates: Path
) -> None:
    replace(templates / "confirm_address.jinja2", '"), link)', '"), lnik)')
    ini, out = write_ini(tmp_path / "shop.ini", SETTINGS), tmp_path / "out"
    result = pillarbox("preview", ini, "--all", "--out", out, code=1)
    assert (
        "Kinds that cannot be rendered: 1.\nconfirm_address: template: email/conf" in result.output
    )
    assert (out / "welcome.short.de.eml").exists()
    assert not (out / "confirm_address.short.de.eml").exists()
