"""The settings of what is heard after "sent": the webhook of a service, the return path's tag, and
the token of the metrics.
"""

import pytest

from tests.settings.test_settings import DEVELOPMENT, PRODUCTION, problems, read

LONG = "thirty-two characters that nobody guesses"
MAILGUN = {"email.events": "mailgun", "email.events_secret": LONG}


def test_nothing_is_heard_unless_set() -> None:
    email = read(PRODUCTION).email
    assert (email.events, email.events_secret, email.events_key) == (None, None, None)
    assert read(PRODUCTION).metrics.token is None


@pytest.mark.parametrize("service", ["ses", "postmark", "mailgun", "sendgrid", "brevo"])
def test_each_service_needs_a_password(service: str) -> None:
    settings = read({**PRODUCTION, "email.events": service, "email.events_secret": LONG})
    assert (settings.email.events, settings.email.events_secret) == (service, LONG)
    assert LONG not in repr(settings)
    [line] = problems({**PRODUCTION, "email.events": service})
    assert line.startswith("email.events_secret: is not set, but email.events is")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"email.events": "sparkpost", "email.events_secret": LONG}, "email.events: "),
        ({"email.events_secret": LONG}, "email.events: is not set, but email.events_secret is"),
        (
            {"email.events": "ses", "email.events_secret": LONG[:31]},
            "email.events_secret: is too short for production",
        ),
        (
            {"email.events": "ses", "email.events_secret": LONG, "email.events_key": "key"},
            "email.events_key: is for email.events = mailgun alone",
        ),
        ({"email.events_key": "key"}, "email.events_key: is for email.events = mailgun alone"),
        ({"metrics.token": LONG[:31]}, "metrics.token: is too short for production"),
    ],
)
def test_what_does_not_fit_together_is_told_with_its_cure(
    changes: dict[str, str], problem: str
) -> None:
    [line] = problems({**PRODUCTION, **changes})
    assert line.startswith(problem)
    assert LONG[:31] not in line


def test_mailgun_may_sign_its_calls() -> None:
    assert read({**PRODUCTION, **MAILGUN, "email.events_key": "key"}).email.events_key == "key"
    assert read({**PRODUCTION, **MAILGUN}).email.events_key is None


def test_a_short_secret_is_fine_in_development() -> None:
    values = {
        **DEVELOPMENT,
        "email.events": "ses",
        "email.events_secret": "s",
        "metrics.token": "t",
    }
    settings = read(values)
    assert (settings.email.events_secret, settings.metrics.token) == ("s", "t")


def test_the_return_path_may_hold_the_tag_once_before_the_at() -> None:
    for value in ("bounces+{tag}@shop.example.org", "{tag}@example.org", "b-{tag}-x@example.org"):
        assert read({**DEVELOPMENT, "email.return_path": value}).email.return_path == value


@pytest.mark.parametrize(
    "value",
    [
        "bounces+{tag}{tag}@example.org",
        "bounces@{tag}.example.org",
        "bounces+{tag}",
        "bounces+{TAG}@example.org",
        "bounces+{id}@example.org",
        # With the tag, the part before the @ has more than 64 characters (RFC 5321 4.5.3.1.1).
        "b" * 36 + "{tag}@example.org",
    ],
)
def test_a_return_path_that_no_report_could_be_sent_to_is_refused(value: str) -> None:
    [line] = problems({**DEVELOPMENT, "email.return_path": value})
    assert line.startswith("email.return_path: ")
