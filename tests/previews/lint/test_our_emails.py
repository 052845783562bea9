"""The lint finds nothing wrong with our emails, whatever people write in them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mail import BodyFormat
from app.mail.smtp.mime import message_bytes
from app.previews.lint import Expected, lint
from app.previews.preview import Preview, compose_preview, findings_of, previews_of
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


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4))
def test_whatever_people_write_is_no_finding(words: list[str]) -> None:
    """People may write anything in names. Only text from our templates can be wrong."""
    receipt = REGISTRY.email_kinds.get("purchase_receipt")
    preview = Preview(receipt, "short", "en")
    sample = preview.context
    lines = tuple(replace(sample.lines[0], name=name) for name in words)
    context = replace(sample, lines=lines, buyer_address=tuple(words))
    kind = replace(receipt, samples={"short": context})
    written = compose_preview(REGISTRY, replace(preview, kind=kind))
    pillarbox = REGISTRY.pillarbox
    sender = pillarbox.email.sender.address
    expected = Expected(kind, context, preview.to, pillarbox.site, sender)
    findings = lint(message_bytes(written), expected)
    # A8 limits the size, and long names make a large email.
    assert [finding for finding in findings if finding.rule != "A8"] == []
