"""What the services send to a webhook, as their documentation shows it. ``tag`` names the email."""

import json
from typing import Any

Json = dict[str, Any]

MESSAGE_ID = "<0123456789abcdef0123456789abcdef@example.org>"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:pillarbox"
SES_DETAILS: dict[str, tuple[str, Json]] = {
    "Delivery": (
        "delivery",
        {
            "timestamp": "2026-11-22T12:00:05.750Z",
            "processingTimeMillis": 11893,
            "recipients": ["ada@example.net"],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": "a8-70.smtp-out.amazonses.com",
        },
    ),
    "Bounce": (
        "bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {
                    "emailAddress": "ada@example.net",
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                }
            ],
            "timestamp": "2026-11-22T12:00:05.669Z",
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
            "reportingMTA": "dsn; mta.example.com",
        },
    ),
    "Complaint": (
        "complaint",
        {
            "complainedRecipients": [{"emailAddress": "ada@example.net"}],
            "timestamp": "2026-11-22T12:00:05.123Z",
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000001",
            "complaintSubType": None,
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
        },
    ),
    "DeliveryDelay": (
        "deliveryDelay",
        {
            "timestamp": "2026-11-22T12:00:05.095Z",
            "delayType": "TransientCommunicationFailure",
            "expirationTime": "2026-11-23T12:00:05.914Z",
            "delayedRecipients": [
                {
                    "emailAddress": "ada@example.net",
                    "status": "4.4.1",
                    "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host",
                }
            ],
        },
    ),
    "Reject": ("reject", {"reason": "Bad content"}),
}


def ses_event(kind: str, tag: str, **changes: Any) -> Json:
    """An event as SNS passes it on raw. ``changes`` are of what is special to its kind."""
    name, detail = SES_DETAILS[kind]
    return {
        "eventType": kind,
        "mail": {
            "timestamp": "2026-11-22T12:00:02.012Z",
            "source": "Pillarbox <shop@example.org>",
            "sendingAccountId": "111122223333",
            "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "destination": ["ada@example.net"],
            "headersTruncated": False,
            "headers": [{"name": "Message-ID", "value": MESSAGE_ID}],
            "commonHeaders": {"messageId": MESSAGE_ID, "subject": "Your receipt"},
            "tags": {"ses:configuration-set": ["pillarbox"], "tag": [tag]} if tag else {},
        },
        name: {**detail, **changes},
    }


def sns(message: str | Json, topic: str = TOPIC) -> Json:
    """A notification of SNS with this message."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": topic,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-22T12:00:06.123Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN==",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }


def sns_confirmation(kind: str = "SubscriptionConfirmation", **changes: Any) -> Json:
    """SNS asks whether it may call."""
    return {
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37",
        "TopicArn": TOPIC,
        "Message": f"You have chosen to subscribe to the topic {TOPIC}.",
        "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
        f"&TopicArn={TOPIC}&Token=2336412f37",
        "Timestamp": "2026-11-22T12:00:06.123Z",
        **changes,
    }


def postmark_event(kind: str, tag: str, **changes: Any) -> Json:
    """``Delivery``, ``SpamComplaint``, or a bounce of the type ``kind``."""
    event = {
        "RecordType": "Delivery",
        "ServerID": 23,
        "MessageStream": "outbound",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": "ada@example.net",
        "Tag": "",
        "DeliveredAt": "2026-11-22T12:00:05.2735393Z",
        "Details": "smtp;250 2.0.0 OK",
        "Metadata": {"tag": tag},
    }
    if kind != "Delivery":
        del event["DeliveredAt"], event["Recipient"]
        event |= {
            "RecordType": kind if kind == "SpamComplaint" else "Bounce",
            "ID": 4323372036854775807,
            "Type": kind,
            "TypeCode": 1,
            "Name": "Hard bounce",
            "Description": "The server was unable to deliver your message.",
            "Details": "smtp;550 5.1.1 The email account does not exist.",
            "Email": "ada@example.net",
            "From": "shop@example.org",
            "BouncedAt": "2026-11-22T13:00:05.3963933+01:00",
            "DumpAvailable": True,
            "Inactive": True,
            "CanActivate": True,
            "Subject": "Your receipt",
        }
    return event | changes


def mailgun_event(kind: str, tag: str, **changes: Any) -> Json:
    """An event without its signature. ``changes`` are of ``event-data``."""
    event = {
        "event": kind,
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1795348805.389832,
        "log-level": "info",
        "envelope": {"sender": "shop@example.org", "targets": "ada@example.net"},
        "recipient": "ada@example.net",
        "user-variables": {"tag": tag} if tag else {},
        "message": {
            "headers": {"message-id": MESSAGE_ID.strip("<>"), "subject": "Your receipt"},
            "attachments": [],
            "size": 809,
        },
        "delivery-status": {"code": 250, "message": "OK", "description": "", "attempt-no": 1},
    }
    if kind == "failed":
        event |= {
            "severity": "permanent",
            "reason": "bounce",
            "delivery-status": {
                "code": 550,
                "message": "5.1.1 The email account does not exist. Please try\n"
                "5.1.1 double-checking the recipient's email address",
                "description": "",
            },
        }
    return {"event-data": event | changes}


def sendgrid_event(kind: str, tag: str, **changes: Any) -> Json:
    """One event of the list that a call holds."""
    event = {
        "event": kind,
        "email": "ada@example.net",
        "timestamp": 1795348805,
        "smtp-id": MESSAGE_ID,
        "sg_event_id": "nOSv8m0eTQ-vxvwNwt3fZQ",
        "sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA.filter0425p1mdw1.13037.57168B4A1D.0",
        "ip": "198.51.100.17",
        "tls": 1,
    }
    if tag:
        event["tag"] = tag
    match kind:
        case "delivered":
            event |= {"response": "250 2.0.0 OK 1461095248 m143si2210036ioe.159 - gsmtp "}
        case "deferred":
            event |= {"response": "452 4.2.2 mailbox full", "attempt": "1"}
        case "bounce":
            event |= {
                "type": "bounce",
                "status": "5.0.0",
                "reason": "550 5.1.1 The email account does not exist.",
            }
        case "dropped":
            event |= {"reason": "Bounced Address", "status": "5.0.0"}
    return event | changes


def brevo_event(kind: str, tag: str, **changes: Any) -> Json:
    """An event of the transactional webhook."""
    event = {
        "event": kind,
        "email": "ada@example.net",
        "id": 26224,
        "date": "2026-11-22 13:00:05",
        "ts": 1795348805,
        "ts_event": 1795348805,
        "ts_epoch": 1795348805000,
        "message-id": MESSAGE_ID,
        "subject": "Your receipt",
        "sending_ip": "198.51.100.17",
        "template_id": 0,
    }
    if tag:
        event["X-Mailin-custom"] = tag
    if kind not in ("delivered", "spam"):
        event["reason"] = "550 5.1.1 The email account does not exist"
    return event | changes
