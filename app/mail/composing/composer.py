"""Composing: a kind and its context become a message. Pure: nothing is stored and nothing is sent
here.

One template is rendered once, as HTML. The subject is its title and the plain text is made from its
content, so the two bodies cannot tell different stories.
"""

import logging
from collections.abc import Callable
from dataclasses import fields, replace
from gettext import NullTranslations
from html import unescape
from typing import Any

import css_inline
from jinja2 import BaseLoader, Environment, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

from app.i18n import formats
from app.i18n.languages import Languages, direction
from app.mail.composing.palette import palette
from app.mail.composing.plaintext import plain_text
from app.mail.kinds import Kind
from app.mail.message import Attachment, BodyFormat, Message, Recipient
from app.settings.declarations import Brand, Site

log = logging.getLogger(__name__)

CONTENT_BEGINS = "<!-- content -->"
CONTENT_ENDS = "<!-- /content -->"
"""Between these two comments of the layout stands what people read, and so what the plain text is
made of.
"""


class Composer:
    """Turns kinds and contexts into messages. One per application: its templates are compiled
    once.
    """

    raises = False
    """Raise what cannot be rendered instead of recording it: for tests."""

    def __init__(
        self,
        site: Site,
        brand: Brand,
        loader: BaseLoader,
        languages: Languages | None = None,
        *,
        reload: bool = False,
    ) -> None:
        """``languages`` are those that emails can be written in, or English alone. ``reload`` sees
        templates that change while the application runs, at the price of a look at each file for
        each email.
        """
        self._languages = languages or Languages()
        self._templates = _environment(site, brand, loader, reload)
        self._inliner = css_inline.CSSInliner(
            load_remote_stylesheets=False, keep_at_rules=True, minify_css=True
        )

    def compose(
        self,
        kind: Kind,
        context: Any,
        *,
        to: Recipient,
        about: str,
        attachments: tuple[Attachment, ...] = (),
    ) -> Message:
        """Compose one email.

        ``context`` is an instance of the kind's dataclass; ``about`` names what the email is about,
        such as ``account:7``. The language is the one nearest to ``to.locale``, and the message's
        ``to`` names it. A kind that cannot be rendered becomes a message that carries the
        problem instead of bodies, so that the act it reports still stands; the error is logged.
        (With ``raises``, as in tests, it is raised.)
        """
        if not isinstance(context, kind.context):
            raise TypeError(
                f"{kind.name} needs a {kind.context.__name__}, not {type(context).__name__}"
            )
        try:
            return self.compose_strictly(kind, context, to=to, about=about, attachments=attachments)
        except Exception as error:
            if self.raises:
                raise
            log.exception("email kind %s could not be composed", kind.name)
            problem = f"could not be composed: {type(error).__name__}"
            return Message(kind, to, about, "", None, None, (), problem)

    def compose_strictly(
        self,
        kind: Kind,
        context: Any,
        *,
        to: Recipient,
        about: str,
        attachments: tuple[Attachment, ...] = (),
    ) -> Message:
        """The same, but whatever is wrong with the template is raised: for previews."""
        to = replace(to, locale=self._languages.nearest(to.locale))
        page = self._render(kind, context, to)
        subject = _between(page, "<title>", "</title>")
        html = text = None
        if to.body_format is not BodyFormat.TEXT:
            html = self._inliner.inline(page)
        if to.body_format is not BodyFormat.HTML:
            text = plain_text(_between(page, CONTENT_BEGINS, CONTENT_ENDS))
        return Message(
            kind=kind,
            to=to,
            about=about,
            subject=" ".join(unescape(subject).split()),
            html=html,
            text=text,
            attachments=attachments,
        )

    def _render(self, kind: Kind, context: Any, to: Recipient) -> str:
        template = self._templates.get_template(f"email/{kind.name}.jinja2")
        values = {field.name: getattr(context, field.name) for field in fields(context)}
        words = _words(self._languages.translations(to.locale))
        return template.render(values, locale=to.locale, **words)


def _environment(site: Site, brand: Brand, loader: BaseLoader, reload: bool) -> Environment:
    environment = Environment(
        loader=loader,
        auto_reload=reload,
        # Settings took no colour and no font that a style sheet would have to escape.
        autoescape=select_autoescape((), disabled_extensions=("css",), default=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        site=site,
        brand_name=brand.name,
        palette=palette(brand.color, brand.page),
        font=brand.font,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters.update(
        money=_localized(formats.money),
        percent=_localized(formats.percent),
        date=_localized(formats.date),
        date_time=_localized(formats.date_time),
        duration=_localized(formats.duration),
        direction=direction,
    )
    return environment


def _words(translations: NullTranslations) -> dict[str, Callable[..., str]]:
    """What a template calls to say something in the recipient's language.

    What is translated is text and never HTML, so autoescape sees to it as to all other text.
    Jinja2's own callables take it for HTML, and most of the time that rendering takes.
    """

    def gettext(text: str, **values: Any) -> str:
        return translations.gettext(text) % values

    def ngettext(singular: str, plural: str, count: int, **values: Any) -> str:
        return translations.ngettext(singular, plural, count) % {"num": count, **values}

    return {"_": gettext, "gettext": gettext, "ngettext": ngettext}


def _localized(function: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def format_for_recipient(context: Context, *values: Any) -> str:
        return function(*values, context["locale"])

    return format_for_recipient


def _between(page: str, begin: str, end: str) -> str:
    start = page.index(begin) + len(begin)
    return page[start : page.index(end, start)]
