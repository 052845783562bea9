"""Plain text from an email's HTML, by html2text.

html2text writes Markdown, but the recipient sees the text as it is. So ``preparation`` reduces the
HTML first: links and data tables become marks that neither html2text nor wrapping can break.
Afterwards the text is wrapped to 76 columns, and each mark is replaced by its table or link.
"""

import re

from html2text import HTML2Text

from app.mail.composing.columns import WIDTH, wrapped
from app.mail.composing.preparation import (
    END,
    FORBIDDEN,
    LABEL,
    LABEL_END,
    NBSP,
    SPACE,
    TABLE,
    URL,
    Preparation,
)

_LINK = re.compile(f"{LABEL}([^{LABEL_END}]*){LABEL_END}{URL}(\\d+){END}")
_ITEM = re.compile(r"( *)(- |-?\d+\. )")
"""A list's item, as html2text writes it: its depth in spaces, then its bullet or number."""


def plain_text(html: str) -> str:
    """The plain text of a piece of HTML, with every visible word, link and table row of it.

    Lines are at most 76 columns wide, but an address is never broken. A link in prose becomes
    ``text <url>``. For a link that is alone in its paragraph, the address has a line of its own.
    """
    prepared = Preparation()
    source = prepared.prepare(FORBIDDEN.sub("", html))
    converted = _Converter(bodywidth=0).handle(source)
    blocks = [
        _block_text(block.strip(), prepared) for block in converted.split("\n\n") if block.strip()
    ]
    text = "\n\n".join(blocks).replace(NBSP, "\N{NO-BREAK SPACE}")
    return re.sub(" +$", "", text.replace(SPACE, " "), flags=re.MULTILINE) + "\n"


class _Converter(HTML2Text):
    """html2text without Markdown: no emphasis, no links, no tables, no escapes."""

    def __init__(self, bodywidth: int) -> None:
        super().__init__(bodywidth=bodywidth)
        self.unicode_snob = True
        self.ignore_links = True
        self.ignore_images = True
        self.ignore_emphasis = True
        self.ignore_tables = True
        self.ul_item_mark = "-"

    def handle_tag(self, tag: str, attrs: dict[str, str | None], start: bool) -> None:
        if tag == "li" and start and self.list and (number := attrs.get("value")):
            self.list[-1].num = int(number) - 1
        super().handle_tag(tag, attrs, start)

    def handle_data(self, data: str, entity_char: bool = False) -> None:
        # html2text escapes text for Markdown, such as "1\\.", but not the character of an entity.
        super().handle_data(data, entity_char=True)


def _block_text(block: str, prepared: Preparation) -> str:
    table = re.fullmatch(f"{TABLE}(\\d+){END}", block)
    if table:
        return _with_links(prepared.tables[int(table[1])], prepared.urls)
    alone = _LINK.fullmatch(block)
    if alone:
        url = prepared.urls[int(alone[2])]
        return "\n".join([*wrapped(f"{alone[1]}:", WIDTH), url]) if alone[1] else url
    lines: list[str] = []
    for line in block.splitlines():
        lines += _paragraph_lines(line, prepared.urls)
    return "\n".join(lines)


def _paragraph_lines(line: str, urls: list[str]) -> list[str]:
    text = _with_links(line.rstrip(), urls)
    item = _ITEM.match(text)
    if item is None:
        return wrapped(text, WIDTH)
    # html2text moves every list by two spaces. Ours stand at the margin, and those in them deeper.
    margin = item[1][2:]
    lines = wrapped(text.lstrip(), WIDTH - len(margin), indent=" " * len(item[2]))
    return [margin + line for line in lines]


def _with_links(text: str, urls: list[str]) -> str:
    def link(match: re.Match[str]) -> str:
        label, url = match[1], urls[int(match[2])]
        return f"{label} <{url}>" if label else url

    return _LINK.sub(link, text)
