"""What the webhooks of the services tell, read from calls as their documentation shows them."""

from datetime import UTC, datetime
from email import message_from_string
from typing import Any

import pytest

from app.mail.events.codes import enhanced_code
from app.mail.events.hearing import Heard
from app.mail.events.json_fields import BadBody
from app.mail.events.services import confirmation_link, events_of
from app.mail.events.tags import Tags, tag_header
from app.mail.outbox.event_tables import Event
from tests.support.service_events import (
    MESSAGE_ID,
    brevo_event,
    mailgun_event,
    postmark_event,
    sendgrid_event,
    ses_event,
    sns,
    sns_confirmation,
)

TAG = "1f-abcdefghij234567"
AT = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)
D, B = Event.DELIVERED, Event.BOUNCED


def the_one(service: str, body: Any) -> Heard:
    [heard] = events_of(service, body)
    assert heard is not None
    return heard


@pytest.mark.parametrize(
    ("service", "body", "event", "code", "words", "is_hard"),
    [
        ("ses", ses_event("Delivery", TAG), D, "2.6.0", "250 2.6.0 Message received", False),
        ("ses", sns(ses_event("Bounce", TAG)), B, "5.1.1", "550 5.1.1 user unknown", True),
        (
            "ses",
            ses_event("DeliveryDelay", TAG),
            Event.DEFERRED,
            "4.4.1",
            "421 4.4.1 Unable to connect to remote host",
            False,
        ),
        ("ses", ses_event("Complaint", TAG), Event.COMPLAINED, None, "abuse", False),
        ("ses", ses_event("Reject", TAG), Event.REJECTED, None, "Bad content", False),
        ("postmark", postmark_event("Delivery", TAG), D, "2.0.0", "250 2.0.0 OK", False),
        (
            "postmark",
            postmark_event("HardBounce", TAG),
            B,
            "5.1.1",
            "550 5.1.1 The email account does not exist.",
            True,
        ),
        (
            "postmark",
            postmark_event("SpamComplaint", TAG, Details=""),
            Event.COMPLAINED,
            None,
            "The server was unable to deliver your message.",
            False,
        ),
        ("mailgun", mailgun_event("delivered", TAG), D, None, "OK", False),
        (
            "mailgun",
            mailgun_event("failed", TAG, severity="temporary", reason="generic"),
            Event.DEFERRED,
            "5.1.1",
            None,
            False,
        ),
        ("mailgun", mailgun_event("failed", TAG), B, "5.1.1", None, True),
        ("mailgun", mailgun_event("complained", TAG), Event.COMPLAINED, None, "OK", False),
        ("sendgrid", [sendgrid_event("delivered", TAG)], D, "2.0.0", None, False),
        (
            "sendgrid",
            [sendgrid_event("bounce", TAG)],
            B,
            "5.1.1",
            "550 5.1.1 The email account does not exist.",
            True,
        ),
        (
            "sendgrid",
            [sendgrid_event("deferred", TAG)],
            Event.DEFERRED,
            "4.2.2",
            "452 4.2.2 mailbox full",
            False,
        ),
        ("sendgrid", [sendgrid_event("dropped", TAG)], B, "5.0.0", "Bounced Address", True),
        ("sendgrid", [sendgrid_event("spamreport", TAG)], Event.COMPLAINED, None, "", False),
        ("brevo", brevo_event("delivered", TAG), D, None, "", False),
        (
            "brevo",
            [brevo_event("hard_bounce", TAG)],
            B,
            "5.1.1",
            "550 5.1.1 The email account does not exist",
            True,
        ),
        ("brevo", brevo_event("spam", TAG), Event.COMPLAINED, None, "", False),
    ],
)
def test_an_event_is_read(
    service: str, body: Any, event: Event, code: str | None, words: str | None, is_hard: bool
) -> None:
    heard = the_one(service, body)
    assert (heard.event, heard.code, heard.tag, heard.is_hard) == (event, code, TAG, is_hard)
    assert words is None or heard.words == words
    assert heard.at is not None
    if service != "ses" or event is not Event.REJECTED:
        assert heard.at.replace(microsecond=0) == AT


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("ses", ses_event("Delivery", "")),
        ("mailgun", mailgun_event("delivered", "")),
        ("sendgrid", [sendgrid_event("delivered", "")]),
        ("brevo", brevo_event("delivered", "")),
    ],
)
def test_without_a_tag_our_message_id_names_the_email(service: str, body: Any) -> None:
    heard = the_one(service, body)
    assert (heard.tag, heard.message_id) == ("", MESSAGE_ID)


@pytest.mark.parametrize(
    ("service", "body", "event", "is_hard"),
    [
        ("ses", ses_event("Bounce", TAG, bounceType="Transient"), B, False),
        ("ses", ses_event("Bounce", TAG, bounceType="Undetermined"), B, False),
        (
            "ses",
            ses_event("Complaint", TAG, complaintSubType="OnAccountSuppressionList"),
            Event.REJECTED,
            False,
        ),
        (
            "ses",
            ses_event("Bounce", TAG, bounceType="Transient", bouncedRecipients=[{}]),
            Event.AUTORESPONDED,
            False,
        ),
        ("postmark", postmark_event("BadEmailAddress", TAG), B, True),
        ("postmark", postmark_event("SoftBounce", TAG), B, False),
        ("postmark", postmark_event("Blocked", TAG), B, False),
        ("postmark", postmark_event("Transient", TAG), Event.DEFERRED, False),
        ("postmark", postmark_event("AutoResponder", TAG), Event.AUTORESPONDED, False),
        ("postmark", postmark_event("SMTPApiError", TAG), Event.REJECTED, False),
        ("mailgun", mailgun_event("rejected", TAG), Event.REJECTED, False),
        ("mailgun", mailgun_event("failed", TAG, reason="generic"), B, False),
        ("mailgun", mailgun_event("failed", TAG, reason="suppress-bounce"), B, True),
        (
            "mailgun",
            mailgun_event("failed", TAG, reason="suppress-complaint"),
            Event.REJECTED,
            False,
        ),
        ("sendgrid", [sendgrid_event("bounce", TAG, type="blocked")], B, False),
        (
            "sendgrid",
            [sendgrid_event("dropped", TAG, reason="Unsubscribed Address")],
            Event.REJECTED,
            False,
        ),
        ("brevo", brevo_event("soft_bounce", TAG), B, False),
        ("brevo", brevo_event("invalid_email", TAG), B, True),
        ("brevo", brevo_event("deferred", TAG), Event.DEFERRED, False),
        ("brevo", brevo_event("blocked", TAG), Event.REJECTED, False),
        ("brevo", brevo_event("error", TAG), Event.REJECTED, False),
    ],
)
def test_each_class_of_a_service_is_known(
    service: str, body: Any, event: Event, is_hard: bool
) -> None:
    heard = the_one(service, body)
    assert (heard.event, heard.is_hard) == (event, is_hard)


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("ses", {"eventType": "Open", "mail": {}}),
        ("ses", ses_event("Complaint", TAG, complaintFeedbackType="not-spam")),
        ("ses", sns("Successfully validated SNS topic for Amazon SES event publishing.")),
        ("ses", sns("{}")),
        ("ses", sns({"notificationType": "AmazonSnsSubscriptionSucceeded"})),
        ("postmark", {"RecordType": "Open"}),
        ("postmark", postmark_event("Unsubscribe", TAG)),
        ("mailgun", mailgun_event("opened", TAG)),
        ("sendgrid", [sendgrid_event("processed", TAG)]),
        ("brevo", brevo_event("unique_opened", TAG)),
    ],
)
def test_what_says_nothing_about_delivery_is_no_event(service: str, body: Any) -> None:
    assert events_of(service, body) == [None]


@pytest.mark.parametrize("service", ["ses", "postmark", "mailgun", "sendgrid", "brevo"])
@pytest.mark.parametrize("body", [None, 1, "event", [1], [[]]])
def test_what_is_no_event_is_refused(service: str, body: Any) -> None:
    with pytest.raises(BadBody):
        events_of(service, body)


@pytest.mark.parametrize("service", ["ses", "postmark", "mailgun", "sendgrid", "brevo"])
@pytest.mark.parametrize("body", [{}, [{}], {"event": 1}, {"Type": 1}, {"RecordType": [1]}])
def test_an_event_without_a_type_is_counted_as_one_that_says_nothing(
    service: str, body: Any
) -> None:
    assert events_of(service, body) == [None]


def test_a_good_event_is_heard_beside_one_without_a_type() -> None:
    good, *rest = events_of("sendgrid", [sendgrid_event("delivered", TAG), {"x": 1}, 7])
    assert good is not None
    assert rest == [None, None]


def test_a_message_in_a_notification_is_read_with_the_same_care() -> None:
    for message in ['{"eventType": NaN}', "{" + '"a":{' * 10_000, "{"]:
        with pytest.raises(BadBody):
            events_of("ses", sns(message))


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("ses", {"eventType": "Bounce"}),
        ("ses", {"eventType": "Bounce", "mail": [], "bounce": "5.1.1"}),
        ("ses", ses_event("Bounce", TAG, bouncedRecipients="all", timestamp={}) | {"mail": {}}),
        ("postmark", {"RecordType": "Bounce", "ID": {}, "Metadata": 7, "BouncedAt": "yesterday"}),
        ("mailgun", {"event-data": {"event": "failed", "timestamp": 1e300, "message": "no"}}),
        ("sendgrid", {"event": "bounce", "timestamp": "soon", "reason": ["5.1.1"], "status": 5}),
        ("brevo", {"event": "hard_bounce", "ts_epoch": -(10**40), "message-id": "a@b@c <d>"}),
    ],
)
def test_what_is_missing_or_of_another_type_counts_as_not_told(service: str, body: Any) -> None:
    heard = the_one(service, body)
    assert (heard.event, heard.at, heard.message_id) == (Event.BOUNCED, None, "")


def test_brevo_tells_milliseconds_or_seconds() -> None:
    for at in ({"ts_event": 1795348805 - 3600}, {"ts_epoch": 1795348805}, {"ts_epoch": None}):
        assert the_one("brevo", brevo_event("delivered", TAG, **at)).at == AT


def test_two_events_of_one_email_have_two_ids_and_one_told_twice_has_one() -> None:
    later = {"timestamp": "2026-11-22T13:00:00.000Z"}
    for service, one, other in [
        ("ses", ses_event("DeliveryDelay", TAG), ses_event("DeliveryDelay", TAG, **later)),
        ("postmark", postmark_event("Transient", TAG), postmark_event("Transient", TAG, ID=7)),
        ("mailgun", mailgun_event("failed", TAG), mailgun_event("failed", TAG, id="another")),
        (
            "sendgrid",
            sendgrid_event("deferred", TAG),
            sendgrid_event("deferred", TAG, sg_event_id="another"),
        ),
        ("brevo", brevo_event("deferred", TAG), brevo_event("deferred", TAG, ts_event=1)),
    ]:
        ids = [the_one(service, body).source_id for body in (one, other, one)]
        assert ids[0] == ids[2] != ids[1]


def test_a_long_id_stays_unique_when_it_is_shortened() -> None:
    one, other = (sendgrid_event("deferred", TAG, sg_event_id="x" * 300 + end) for end in "ab")
    ids = [the_one("sendgrid", event).source_id for event in (one, other)]
    assert ids[0] != ids[1]
    assert all(len(told) <= 200 for told in ids)


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("ses", "X-SES-MESSAGE-TAGS", f"tag={TAG}"),
        ("postmark", "X-PM-Metadata-tag", TAG),
        ("mailgun", "X-Mailgun-Variables", f'{{"tag": "{TAG}"}}'),
        ("sendgrid", "X-SMTPAPI", f'{{"unique_args": {{"tag": "{TAG}"}}}}'),
        ("brevo", "X-Mailin-custom", TAG),
    ],
)
def test_the_header_of_each_service_carries_a_tag(service: str, name: str, value: str) -> None:
    assert tag_header(service, TAG) == (name, value)
    assert message_from_string(f"{name}: {value}\n\n")[name] == value


def test_a_tag_has_only_what_amazon_takes_in_a_tag() -> None:
    tag = Tags("secret").of(2**31 - 1)
    assert tag.isascii()
    assert tag.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("smtp; 550 5.1.1 user unknown", "5.1.1"),
        ("5.0.0 | 550-5.7.26 unauthenticated", "5.7.26"),
        ("5.0.0", "5.0.0"),
        ("no route to 5.188.10.4 from 15.1.1", None),
        ("version 4.2.1.7, or 3.1.1", None),
        ("4.2.2.", "4.2.2"),
        ("5.1.1111", None),
        ("", None),
    ],
)
def test_a_code_is_found_in_words(words: str, code: str | None) -> None:
    assert enhanced_code(words) == code


def test_a_confirmation_is_a_link_of_amazon_alone() -> None:
    for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        body = sns_confirmation(kind)
        assert confirmation_link(body) == body["SubscribeURL"]
    assert confirmation_link(sns(ses_event("Delivery", TAG))) is None
    assert confirmation_link([sns_confirmation()]) is None
    for link in [
        "https://sns.eu-west-1.amazonaws.com.evil.example/?Action=ConfirmSubscription",
        "https://sns.evil.example/?https://sns.eu-west-1.amazonaws.com/?",
        "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://evil@sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com/?" + "x" * 3000,
        "https://sns.eu-west-1.amazonaws.com/?\x1b[31m",
        None,
        7,
    ]:
        with pytest.raises(BadBody):
            confirmation_link(sns_confirmation(SubscribeURL=link))
