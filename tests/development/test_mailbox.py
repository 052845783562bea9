"""The development mailbox: its list, search, JSON, email pages, downloads and clearing."""

import os
import re
from pathlib import Path

import pytest
from pyramid.router import Router
from webtest import Form, TestApp, TestResponse

from app.development import mailbox
from app.development.mailbox import KEPT
from app.development.read_marks import MOST_IDS, ReadMarks
from app.mail import Attachment
from app.mail.outbox.tables import EmailAttachment, EmailAttempt, OutboxEmail, State
from tests.development.conftest import Put
from tests.support.accounts import sign_up
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
        ("body=hello%202", ["100% off_paper"]),
        ("body=A%3D1%26b", ["Grüße an dich", "100% off_paper", "For Ada"]),
        ("body=the%20html%20alone", ["Grüße an dich"]),
        ("body=%25", []),
        ("body=hello&kind=parcel", ["100% off_paper"]),
    ],
)
def test_a_search_narrows_the_list_and_its_json_alike(
    browser: TestApp, put: Put, query: str, found: list[str]
) -> None:
    put("ada@example.org", subject="For Ada")
    put("bob@example.org", subject="100% off_paper", of="parcel")
    put("grace@example.org", subject="Grüße an dich", html="<p>The HTML alone, a=1&amp;b</p>")
    assert listed(browser.get(f"/dev/mailbox?{query}")) == found
    assert [email["subject"] for email in browser.get(f"/dev/mailbox.json?{query}").json] == found


@on_sqlite
def test_the_search_keeps_what_was_asked(browser: TestApp, put: Put) -> None:
    put()
    form = browser.get("/dev/mailbox").forms["search"]
    form["to"], form["kind"], form["subject"], form["body"] = "nobody", "note", "x", "y"
    page = form.submit()
    assert "No emails match your search" in page.text
    assert {
        name: page.forms["search"][name].value for name in ("to", "kind", "subject", "body")
    } == {
        "to": "nobody",
        "kind": "note",
        "subject": "x",
        "body": "y",
    }
    assert listed(page.click("Show all emails", index=0)) == ["Note 1 for you"]


@on_sqlite
def test_the_list_keeps_itself_up_to_date_when_asked_to(browser: TestApp, put: Put) -> None:
    put()
    page = browser.get("/dev/mailbox?to=ada")
    assert "Refresh" not in page.headers
    page = page.click("Keep this list up to date")
    assert page.headers["Refresh"] == "5"
    assert page.request.GET["to"] == "ada"
    page = page.click("Stop reloading")
    assert "Refresh" not in page.headers
    assert page.request.GET["to"] == "ada"


@on_sqlite
@pytest.mark.parametrize("seconds", ["", "-1", "0", "x", "5;url=//evil.example", "1e3", "99999"])
def test_another_refresh_is_none(browser: TestApp, seconds: str) -> None:
    page = browser.get("/dev/mailbox", {"refresh": seconds})
    assert "Refresh" not in page.headers
    assert page.html.find("meta", attrs={"http-equiv": "refresh"}) is None


def test_a_script_counts_what_has_come_since_for_the_same_search(
    browser: TestApp, put: Put
) -> None:
    put("ada@example.org")
    page = browser.get("/dev/mailbox?to=ada")
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
    link = page.html.select_one("a[data-count]")
    assert link.has_attr("hidden")
    assert browser.get(link["data-count"]).json == {"count": 0}
    for address in ("ada", "bob", "ada"):
        put(f"{address}@example.org")
    assert browser.get(link["data-count"]).json == {"count": 2}
    assert browser.get("/dev/mailbox/new.json?after=x").json == {"count": 4}


# Pages


def all_pages(browser: TestApp, path: str, step: str) -> list[list[str]]:
    """The subjects of each page, from one to the next."""
    page = browser.get(path)
    pages = [listed(page)]
    while link := page.html.select_one(f".pages a[rel={step}]"):
        page = browser.get(link["href"])
        pages.append(listed(page))
    return pages


def test_no_email_is_left_out_however_many_there_are(
    browser: TestApp, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "PAGE_SIZE", 3)
    for number in range(1, 9):
        put("ada@example.org" if number != 4 else "bob@example.org", subject=f"Email {number}")
    whole = [f"Email {number}" for number in range(8, 0, -1)]
    assert all_pages(browser, "/dev/mailbox", "next") == [whole[:3], whole[3:6], whole[6:]]
    assert all_pages(browser, "/dev/mailbox?before=3", "prev") == [
        whole[6:], whole[3:6], whole[:3],
    ]  # fmt: skip
    found = all_pages(browser, "/dev/mailbox?to=ada", "next")
    assert [subject for subjects in found for subject in subjects] == [
        subject for subject in whole if subject != "Email 4"
    ]
    assert "No emails match" in browser.get("/dev/mailbox?before=1").text
    assert listed(browser.get("/dev/mailbox?before=x&after=")) == whole[:3]


def test_the_json_has_pages_too(
    browser: TestApp, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "JSON_SIZE", 2)
    for number in range(5):
        put(subject=f"Email {number}")
    path, found = "/dev/mailbox.json?subject=email", []
    while path:
        response = browser.get(path)
        found += [email["subject"] for email in response.json]
        link = re.fullmatch('<(.+)>; rel="next"', response.headers.get("Link", ""))
        path = link[1] if link else ""
    assert found == [f"Email {number}" for number in (4, 3, 2, 1, 0)]


# Read and unread


def unread(page: TestResponse) -> list[str]:
    return [link.get_text() for link in page.html.select(".letters .unread a")]


@on_sqlite
def test_an_email_is_unread_until_it_is_opened(browser: TestApp, app: Router, put: Put) -> None:
    for number in range(3):
        put(subject=f"Email {number}")
    page = browser.get("/dev/mailbox")
    assert unread(page) == ["Email 2", "Email 1", "Email 0"]
    page.click("Email 1")
    assert unread(browser.get("/dev/mailbox")) == ["Email 2", "Email 0"]
    browser.head("/dev/mailbox/3")
    browser.get("/dev/mailbox/3/html")
    assert unread(browser.get("/dev/mailbox")) == ["Email 2", "Email 0"]
    assert len(unread(another_browser(app).get("/dev/mailbox"))) == 3


@on_sqlite
def test_all_emails_can_be_marked_as_read(browser: TestApp, put: Put) -> None:
    put(subject="Email 0")
    page = browser.get("/dev/mailbox?to=ada")
    put(subject="Email 1")
    page = page.forms["read"].submit("action").follow()
    assert page.request.GET["to"] == "ada"
    assert unread(page) == ["Email 1"], "it came after the list was shown"


@on_sqlite
@pytest.mark.parametrize("cookie", ["", "x", "...", "-1", "1.x.2", "9" * 50, "\u0661"])
def test_a_cookie_that_cannot_be_read_marks_nothing_wrongly(
    browser: TestApp, put: Put, cookie: str
) -> None:
    for _ in range(3):
        put()
    headers = {"Cookie": f"pillarbox-mailbox={cookie}".encode().decode("latin-1")}
    assert len(unread(browser.get("/dev/mailbox", headers=headers))) in (1, 3)


def test_the_marks_stay_small() -> None:
    marks = ReadMarks()
    for number in range(1000, 0, -1):
        marks.add(number)
    assert len(marks.single) <= MOST_IDS
    assert all(number in marks for number in range(1, 1001))
    assert 1001 not in marks


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


# The lint, the spam score and copies


def test_a_captured_email_is_checked_as_its_preview_is(browser: TestApp, app: Router) -> None:
    sign_up(browser)
    page = browser.get("/dev/mailbox/1")
    assert "The lint found no problems." in page.text
    with app.registry.database.transaction(write=True) as session:
        session.get_one(OutboxEmail, 1).subject = "Pillarbox: {{ subject }}"
    found = [item.get_text() for item in browser.get("/dev/mailbox/1").html.select(".findings li")]
    assert any("{{" in finding for finding in found)


@on_sqlite
def test_an_email_of_an_unknown_kind_is_shown_unchecked(browser: TestApp, put: Put) -> None:
    put()
    page = browser.get("/dev/mailbox/1")
    assert page.html.find(id="checks") is None
    assert page.html.find(id="send") is None


@on_sqlite
def test_the_spam_score_is_asked_for_on_demand(
    browser: TestApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "spamassassin"
    program.write_text(
        "#!/bin/sh\ncat >/dev/null\n"
        "echo 'X-Spam-Status: No, score=1.5 required=5.0 tests=A'\n"
        "echo 'Content analysis details: (1.5 points)'\n"
        "echo ' 1.5 A_RULE             What it says'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    sign_up(browser)
    for path in ("/dev/mailbox/1", "/dev/emails/welcome?sample=long"):
        page = browser.get(path)
        assert "points" not in page.text
        page = page.click("Ask SpamAssassin")
        assert "1.5 points; 5.0 or more are spam." in page.text
        assert "A_RULE What it says" in " ".join(page.html.select_one(".spam").text.split())
    program.write_text("#!/bin/sh\nexit 1\n")
    assert "SpamAssassin gave no score" in browser.get("/dev/mailbox/1?spam=1").text
    monkeypatch.setenv("PATH", "/nowhere")
    assert "Install SpamAssassin" in browser.get("/dev/mailbox/1?spam=1").text


@pytest.fixture
def allowing(make_app: MakeApp, settings_values: dict[str, str]) -> TestApp:
    """A browser in a shop whose developers get email."""
    values = {
        "email.debug_recipients": "*@team.example, dev@example.com",
        "email.smtp_server": "relay.example.org",
    }
    browser = another_browser(make_app(settings_values | values))
    sign_up(browser)
    return browser


def send_form(page: TestResponse) -> Form:
    return next(
        form for form in page.forms.values() if "to" in form.fields and form.method == "post"
    )


@pytest.mark.parametrize("path", ["/dev/mailbox/1", "/dev/emails/welcome?sample=long&language=de"])
def test_a_developer_gets_a_copy(allowing: TestApp, path: str) -> None:
    page = allowing.get(path)
    form = send_form(page)
    assert form["to"].value == "dev@example.com"
    page = form.submit().follow()
    assert page.request.path_qs == path
    assert "A copy is on its way to dev@example.com." in page.text
    copy, *others = allowing.get("/dev/mailbox.json").json
    assert (copy["to"], copy["state"], copy["subject"]) == (
        "dev@example.com", "queued", page.html.h1.text,
    )  # fmt: skip
    assert [email["state"] for email in others] == ["captured"]
    form["to"] = " Anna@Team.example "
    assert "on its way to Anna@Team.example" in form.submit().follow().text


@on_sqlite
@pytest.mark.parametrize("path", ["/dev/mailbox/1", "/dev/emails/welcome"])
@pytest.mark.parametrize(
    "address",
    ["ada@example.org", "x@sub.team.example", "", "dev", "a b@team.example", "a@b@team.example"],
)
def test_nobody_else_gets_a_copy(allowing: TestApp, path: str, address: str) -> None:
    form = send_form(allowing.get(path))
    form["to"] = address
    page = form.submit(status=422)
    assert page.html.title.text.startswith("Error: ")
    assert page.html.select_one(".error-summary a")["href"] == "#to"
    assert page.html.find(id="to")["value"] == address
    assert len(allowing.get("/dev/mailbox.json").json) == 1


@on_sqlite
def test_a_copy_over_the_limit_says_so(allowing: TestApp) -> None:
    form = send_form(allowing.get("/dev/emails/password_reset"))
    for _ in range(20):
        page = form.submit().follow()
    assert "The copy to dev@example.com is throttled: over the limit" in page.text


@on_sqlite
def test_without_allowed_recipients_the_page_says_how_to_get_a_copy(browser: TestApp) -> None:
    sign_up(browser)
    page = browser.get("/dev/mailbox/1")
    assert "write your address into email.debug_recipients" in page.text
    token = page.forms["delete"]["csrf_token"].value
    fields = {"csrf_token": token, "to": "ada@example.org"}
    browser.post("/dev/mailbox/1", fields, status=422)


# Deleting and clearing


@pytest.mark.parametrize("state", list(State))
def test_one_email_can_be_deleted_unless_it_waits_or_went_out(
    browser: TestApp, app: Router, put: Put, state: State
) -> None:
    put(attachments=(ZIP,))
    put()
    page = browser.get("/dev/mailbox/1?to=ada")
    form = page.forms["delete"]
    with app.registry.database.transaction(write=True) as session:
        session.get_one(OutboxEmail, 1).state = state
    page = form.submit("action").follow()
    assert page.request.path_qs == "/dev/mailbox?to=ada"
    kept = state in KEPT
    assert ("was not deleted" if kept else "has been deleted") in page.text
    assert listed(page) == (["Note 2 for you", "Note 1 for you"] if kept else ["Note 2 for you"])
    if kept:
        assert "delete" not in browser.get("/dev/mailbox/1").forms


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
