"""Tags: what an event or report names an email by. A service brings it back in its webhook, and an
email server sends its report to an address that holds it.
"""

import hmac
import json
import re

_FORM = re.compile(r"([0-9a-f]{1,8})-([0-9a-f]{20})")
_ANYWHERE = re.compile(rf"(?=({_FORM.pattern}))")
"""Each place at which a tag may begin. Hexadecimal digits may stand before the tag."""
_LARGEST_ID = 2**31 - 1


class Tags:
    """Makes and reads the tags of one shop. Nobody else can make them, because they are signed.

    A tag has at most 29 characters: hexadecimal digits and a hyphen. Upper and lower case are the
    same, because an email server may change the case of an address.
    """

    def __init__(self, secret: str) -> None:
        """``secret`` is the setting of that name."""
        self._key = hmac.digest(secret.encode(), b"tags of emails", "sha256")

    def of(self, email_id: int) -> str:
        """The tag of the email with this id."""
        return f"{email_id:x}-{self._signature(email_id)}"

    def email_id(self, tag: str) -> int | None:
        """The id of the email that ``tag`` names. None when the tag is not one of this shop."""
        parts = _FORM.fullmatch(tag.lower())
        if parts is None:
            return None
        email_id = int(parts[1], 16)
        if email_id > _LARGEST_ID or not hmac.compare_digest(parts[2], self._signature(email_id)):
            return None
        return email_id

    def find(self, text: str) -> int | None:
        """The id of the email that the first tag of this shop in ``text`` names, if there is one.
        Where a tag stands does not matter, because nobody else can make it.
        """
        ids = (self.email_id(form[1]) for form in _ANYWHERE.finditer(text.lower()))
        return next((email_id for email_id in ids if email_id is not None), None)

    def _signature(self, email_id: int) -> str:
        return hmac.digest(self._key, str(email_id).encode(), "sha256")[:10].hex()


def tag_header(service: str | None, tag: str) -> tuple[str, str] | None:
    """The name and value of the header in which ``service`` brings ``tag`` back in its webhook.
    None without a service.
    """
    match service:
        case "ses":
            return "X-SES-MESSAGE-TAGS", f"tag={tag}"
        case "postmark":
            return "X-PM-Metadata-tag", tag
        case "mailgun":
            return "X-Mailgun-Variables", json.dumps({"tag": tag})
        case "sendgrid":
            return "X-SMTPAPI", json.dumps({"unique_args": {"tag": tag}})
        case "brevo":
            return "X-Mailin-custom", tag
        case _:
            return None
