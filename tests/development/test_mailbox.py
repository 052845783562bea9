"""The development mailbox: its list, search, JSON, email pages, downloads and clearing."""

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.development.mailbox import KEPT
from app.mail import Attachment
from app.mail.outbox.tables import EmailAttachment, EmailAttempt, OutboxEmail, State
from tests.development.conftest import Put
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite

ZIP = Attachment("Übersicht & mehr.zip", "application/zip", b"PK\x00\xff")


def listed(page: TestResponse) -> list[str]:
    """The subjects of the list."""
    return [link.get_text() for link in page.html.select(".letters a")]


def links(page: TestResponse) -> list[str]:
    """The links that are listed beside an email."""
    return [link["href"] for link in page.html.select(".links a")]


def facts(page: TestResponse) -> dict[str, str]:
    """Labels and values of a page."""
    return {
        " ".join(dt.get_text().split()): " ".join(dt.find_next("dd").get_text().split())
        for dt in page.html.find_all("dt")
    }


# The list


@on_sqlite
def test_an_empty_mailbox_says_what_fills_it(browser: TestApp) -> None:
    page = browser.get("/dev/mailbox")
    assert "No emails yet" in page.text
    assert page.click("Sign up", index=0).status_int == 200


def test_emails_are_listed_the_newest_first(browser: TestApp, put: Put) -> None:
    for number in range(3):
        put(subject=f"Email {number}")
    assert listed(browser.get("/dev/mailbox")) == ["Email 2", "Email 1", "Email 0"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Grüße an dich", "100% off_paper", "For Ada"]),
        ("to=ADA", ["For Ada"]),
        ("to=%40example.org", ["Grüße an dich", "100% off_paper", "For Ada"]),
        ("to=grace&kind=note", ["Grüße an dich"]),
        ("kind=parcel", ["100% off_paper"]),
        ("kind=parce", []),
        ("subject=for", ["For Ada"]),
        ("subject=100%25", ["100% off_paper"]),
        ("subject=f_p", ["100% off_paper"]),
        ("subject=r_a", []),
        ("subject=%20%20gr%C3%BC%C3%9Fe%20", ["Grüße an dich"]),
        ("to=nobody", []),
    ],
)
def test_a_search_narrows_the_list_and_its_json_alike(
    browser: TestApp, put: Put, query: str, found: list[str]
) -> None:
    put("ada@example.org", subject="For Ada")
    put("bob@example.org", subject="100% off_paper", of="parcel")
    put("grace@example.org", subject="Grüße an dich")
    assert listed(browser.get(f"/dev/mailbox?{query}")) == found
    assert [email["subject"] for email in browser.get(f"/dev/mailbox.json?{query}").json] == found


@on_sqlite
def test_the_search_keeps_what_was_asked(browser: TestApp, put: Put) -> None:
    put()
    form = browser.get("/dev/mailbox").forms["search"]
    form["to"], form["kind"], form["subject"] = "nobody", "note", "x"
    page = form.submit()
    assert "No emails match your search" in page.text
    assert {name: page.forms["search"][name].value for name in ("to", "kind", "subject")} == {
        "to": "nobody",
        "kind": "note",
        "subject": "x",
    }
    assert listed(page.click("Show all emails", index=0)) == ["Note 1 for you"]


@on_sqlite
def test_the_list_keeps_itself_up_to_date_when_asked_to(browser: TestApp, put: Put) -> None:
    put()
    page = browser.get("/dev/mailbox?to=ada")
    assert page.html.find("meta", attrs={"http-equiv": "refresh"}) is None
    page = page.click("Keep this list up to date")
    assert page.html.find("meta", attrs={"http-equiv": "refresh"})["content"] == "5"
    assert page.request.GET["to"] == "ada"
    page = page.click("Stop reloading")
    assert page.html.find("meta", attrs={"http-equiv": "refresh"}) is None
    assert page.request.GET["to"] == "ada"


@on_sqlite
@pytest.mark.parametrize("seconds", ["", "-1", "0", "x", "5;url=//evil.example", "1e3", "99999"])
def test_another_refresh_is_none(browser: TestApp, seconds: str) -> None:
    page = browser.get("/dev/mailbox", {"refresh": seconds})
    assert page.html.find("meta", attrs={"http-equiv": "refresh"}) is None


# The JSON


def test_the_json_says_all_about_an_email(browser: TestApp, put: Put) -> None:
    put("ada@example.org", name="Ada Löwe", subject="Grüße")
    [email] = browser.get("/dev/mailbox.json").json
    assert list(email) == [
        "id",
        "kind",
        "from",
        "to",
        "subject",
        "state",
        "created_at",
        "text",
        "html",
        "headers",
        "links",
    ]
    assert (email["kind"], email["to"], email["state"]) == ("note", "ada@example.org", "captured")
    assert email["from"] == "Pillarbox <shop@example.org>"
    assert email["created_at"] == "2026-11-22T12:00:00+00:00"
    assert email["headers"]["To"] == "Ada Löwe <ada@example.org>"
    assert email["headers"]["Subject"] == "Grüße"
    assert email["links"] == ["http://localhost/x?a=1&b=2"]


@on_sqlite
def test_the_json_has_what_was_erased_or_cannot_be_written_too(browser: TestApp, put: Put) -> None:
    put(html=None, text=None)
    put(subject="Two\nlines")
    for email in browser.get("/dev/mailbox.json").json:
        assert (email["headers"], email["links"]) == ({}, [])


# One email


def test_an_email_is_shown_in_full(browser: TestApp, put: Put) -> None:
    put("ada@example.org", name="Ada Löwe", subject="Grüße")
    page = browser.get("/dev/mailbox").click("Grüße")
    shown = facts(page)
    assert shown["To"] in ("Ada Löwe ada@example.org", "Ada Löwe <ada@example.org>")
    assert shown["State"] == "captured: email.debug is on"
    assert shown["Auto-Submitted"] == "auto-generated"
    assert (
        page.html.select_one("section[aria-labelledby=text] pre").get_text().startswith("Hello 1")
    )
    assert links(page) == ["http://localhost/x?a=1&b=2"]
    assert "Subject: =?utf-8?b?" in page.html.find_all("pre")[-1].get_text()


def test_the_next_and_the_previous_stay_within_the_search(browser: TestApp, put: Put) -> None:
    for address in ("ada", "bob", "ada", "bob", "ada"):
        put(f"{address}@example.org", subject=f"For {address}")
    page = browser.get("/dev/mailbox?to=ada").click("For ada", index=0)
    assert page.html.find("a", rel="prev") is None
    page = page.click("Older").click("Older")
    assert page.request.path == "/dev/mailbox/1"
    assert page.html.find("a", rel="next") is None
    page = page.click("Newer")
    assert page.request.path == "/dev/mailbox/3"
    assert listed(page.click("All emails")) == ["For ada"] * 3


@on_sqlite
def test_what_is_chosen_for_one_email_stays_for_the_next(browser: TestApp, put: Put) -> None:
    put()
    put()
    page = browser.get("/dev/mailbox/2?width=phone").click("Dark", index=0).click("Older")
    assert dict(page.request.GET) == {"width": "phone", "scheme": "dark"}
    assert len(page.html.find_all("iframe")) == 1


@on_sqlite
@pytest.mark.parametrize(
    "path",
    [
        "1",
        "999999999999999",
        "1.eml",
        "1/html",
        "1/attachment?position=0",
        "0",
        "%D9%A1",
    ],
)
def test_what_is_not_there_is_not_found(browser: TestApp, path: str) -> None:
    browser.get(f"/dev/mailbox/{path}", status=404)


def test_an_email_without_bodies_says_so(browser: TestApp, put: Put) -> None:
    put(html=None, text=None, state="sent")
    page = browser.get("/dev/mailbox/1")
    assert "has no content" in page.text
    assert page.html.find("iframe") is None
    browser.get("/dev/mailbox/1/html", status=410)
    browser.get("/dev/mailbox/1.eml", status=410)


@on_sqlite
def test_an_email_of_text_alone_is_shown_too(browser: TestApp, put: Put) -> None:
    put(html=None)
    page = browser.get("/dev/mailbox/1")
    assert page.html.find("iframe") is None
    assert links(page) == ["http://localhost/x?a=1&b=2"]
    browser.get("/dev/mailbox/1.eml")


def test_attachments_are_listed_and_handed_out_as_they_are(browser: TestApp, put: Put) -> None:
    put(attachments=(ZIP,))
    page = browser.get("/dev/mailbox/1")
    assert "application/zip, 4 bytes" in page.text
    response = page.click("bersicht")
    assert response.body == ZIP.content
    assert response.content_type == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (
        response.headers["Content-Disposition"]
        == "attachment; filename*=utf-8''%C3%9Cbersicht%20%26%20mehr.zip"
    )
    browser.get("/dev/mailbox/1/attachment?position=1", status=404)


# Clearing


@pytest.mark.parametrize("state", list(State))
def test_clearing_leaves_what_waits_and_what_really_went_out(
    browser: TestApp, app: Router, put: Put, state: State
) -> None:
    put(attachments=(ZIP,), state=state)
    with app.registry.database.transaction(write=True) as session:
        session.add(
            EmailAttempt(
                email_id=1, at=app.registry.clock(), outcome="", phase="", reply="", duration_ms=1
            )
        )
    page = browser.get("/dev/mailbox").forms["clear"].submit().follow()
    assert "The mailbox has been cleared" in page.text
    kept = 1 if state in KEPT else 0
    with app.registry.database.transaction(write=False) as session:
        for model in (OutboxEmail, EmailAttachment, EmailAttempt):
            assert session.query(model).count() == kept


@on_sqlite
def test_only_our_own_form_clears(browser: TestApp, put: Put) -> None:
    put()
    browser.post("/dev/mailbox", {}, status=400)
    assert len(listed(browser.get("/dev/mailbox"))) == 1


# Where it is


@on_sqlite
@pytest.mark.parametrize("debug", ["true", "false"])
def test_it_is_there_in_debug_mode_only(
    make_app: MakeApp, settings_values: dict[str, str], debug: str
) -> None:
    values = settings_values | {"email.debug": debug, "email.smtp_server": "relay.example.org"}
    browser = another_browser(make_app(values))
    for path in ("/dev/mailbox", "/dev/mailbox.json", "/dev/emails", "/dev/emails/test_message"):
        browser.get(path, status=200 if debug == "true" else 404)
