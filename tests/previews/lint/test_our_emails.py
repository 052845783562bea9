"""The lint finds nothing wrong with our emails, whatever people write in them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mail import BodyFormat
from app.mail.smtp.mime import message_bytes
from app.previews.lint import Expected, lint
from app.previews.preview import Preview, compose_preview, findings_of, previews_of
from app.shop.emails import Statement
from tests.previews.lint.broken import REGISTRY

PREVIEWS = [
    replace(preview, body_format=body_format)
    for kind in REGISTRY.email_kinds
    for preview in previews_of(REGISTRY, kind)
    for body_format in BodyFormat
]


@pytest.mark.parametrize("preview", PREVIEWS, ids=lambda one: f"{one.name}-{one.body_format}")
def test_our_emails_keep_the_standards(preview: Preview) -> None:
    findings = findings_of(REGISTRY, preview, compose_preview(REGISTRY, preview))
    assert [str(finding) for finding in findings] == []


LOOKS_BAD = r"""
None {{ x }} %(y)s %s &amp; &#39; Decimal( ** __ [a](b) \. | # 1. - --- ------------ <b> </td> <!--
https://evil.example www.evil.example a@b.example mailto:x € 12 12 EUR 1,000.00 <https://a.example>
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 語語語語語語語語語語語語語語語 דברים 😀
"""
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80),
    st.lists(st.sampled_from([*LOOKS_BAD.split(), "\u202egnirts\u202c", 90 * "-"])).map(" ".join),
)


def in_receipt(sample: Any, words: list[str]) -> Any:
    lines = tuple(replace(sample.lines[0], name=name, format=name) for name in words)
    buyer = replace(sample.buyer, address=tuple(words))
    seller = replace(sample.seller, register=words[0])
    return replace(sample, lines=lines, buyer=buyer, seller=seller)


def in_refund(sample: Any, words: list[str]) -> Any:
    buyer = replace(sample.buyer, address=tuple(words))
    return replace(sample, lines=tuple(words), buyer=buyer, reason=words[0])


def in_downloads(sample: Any, words: list[str]) -> Any:
    return replace(sample, files=tuple(words))


def in_withdrawal(sample: Any, words: list[str]) -> Any:
    return replace(sample, statement=Statement(words[0], "anna@example.org", tuple(words)))


def in_notice(sample: Any, words: list[str]) -> Any:
    return replace(sample, reason=words[0])


@pytest.mark.parametrize(
    ("name", "containing"),
    [
        ("purchase_receipt", in_receipt),
        ("refund_receipt", in_refund),
        ("download_ready", in_downloads),
        ("withdrawal_received", in_withdrawal),
        ("shop_notice", in_notice),
    ],
)
@settings(max_examples=40, deadline=None)
@given(words=st.lists(WORDS, min_size=1, max_size=4))
def test_whatever_people_write_is_no_finding(
    name: str, containing: Callable[[Any, list[str]], Any], words: list[str]
) -> None:
    """People may write anything in names. Only text from our templates can be wrong."""
    kind = REGISTRY.email_kinds.get(name)
    context = containing(kind.samples["short"], words)
    preview = Preview(replace(kind, samples={"short": context}), "short", "en")
    written = compose_preview(REGISTRY, preview)
    pillarbox = REGISTRY.pillarbox
    sender = pillarbox.email.sender.address
    expected = Expected(kind, context, preview.to, pillarbox.site, sender)
    findings = lint(message_bytes(written), expected)
    # A8 limits the size, and long names make a large email.
    assert [finding for finding in findings if finding.rule != "A8"] == []
