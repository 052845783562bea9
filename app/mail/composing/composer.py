"""Composer: makes a message from a kind of email and its context.

The kind's template is rendered once, as HTML. The subject is its title, and the plain text is made
from its content, so both bodies say the same.
"""

import logging
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from gettext import NullTranslations
from html import unescape
from typing import Any

import css_inline
from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    TemplateError,
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context

from app.i18n import formats
from app.i18n.languages import Languages, direction
from app.mail.composing.head_image import head_image
from app.mail.composing.palette import palette
from app.mail.composing.plaintext import plain_text
from app.mail.composing.template_errors import message_of, places_of, public_message_of
from app.mail.kinds import Kind
from app.mail.message import Attachment, BodyFormat, Message, Recipient
from app.settings.declarations import Brand, Site

log = logging.getLogger(__name__)

CONTENT_BEGINS = "<!-- content -->"
CONTENT_ENDS = "<!-- /content -->"
"""The layout's comments around the content of an email, from which the plain text is made."""


class NotAnEmail(TemplateError):
    """A template was rendered, and lacks what every email has."""


class Composer:
    """Makes messages. An application has one composer, which compiles each template once."""

    raises = False
    """Whether ``compose`` raises the error of a template instead of recording it, as in tests."""

    def __init__(
        self,
        site: Site,
        brand: Brand,
        loader: BaseLoader,
        languages: Languages | None = None,
        *,
        postal_address: tuple[str, ...] = (),
        reload: bool = False,
    ) -> None:
        """``languages`` are those that emails can be written in; None means English only. The lines
        of ``postal_address`` stand in the footer.

        With ``reload``, as in development, a changed template is used without a restart, but each
        email checks the files of its templates. The ``problem`` of a message then quotes every
        error in full, although its text may hold a value of the context.
        """
        self._languages = languages or Languages()
        self._templates = _environment(site, brand, loader, reload)
        self._error_message = message_of if reload else public_message_of
        self._templates.globals["postal_address"] = postal_address
        self._logos = [
            head_image(name, logo, site)
            for name, logo in (("logo", brand.logo), ("logo-dark", brand.logo_dark))
            if logo is not None
        ]
        self._templates.globals["logos"] = self._logos
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
        strictly: bool = False,
    ) -> Message:
        """Compose one email.

        ``context`` is an instance of the kind's dataclass, and ``about`` names what the email is
        about, such as ``account:7``. The email is written in the language nearest to ``to.locale``,
        and the message's ``to.locale`` is that language.

        If the template raises an error, the error is logged, and the message has a ``problem``
        instead of bodies: the customer's request must not fail because of its email. The outbox
        keeps the context, and the email is composed again later. With ``strictly`` the error is
        raised, as previews want it.
        """
        if not isinstance(context, kind.context):
            raise TypeError(
                f"{kind.name} needs a {kind.context.__name__}, not {type(context).__name__}"
            )
        try:
            reader = replace(to, locale=self._languages.nearest(to.locale))
            page = self._render(kind, context, reader)
            subject = " ".join(unescape(_between(page, "<title>", "</title>")).split())
            if not subject:
                raise NotAnEmail(f"email/{kind.name}.jinja2 has no text in its block named subject")
            html = text = None
            files = attachments
            if to.body_format is not BodyFormat.TEXT:
                html = self._inliner.inline(page)
                files += tuple(logo.file for logo in self._logos if logo.src in html)
            if to.body_format is not BodyFormat.HTML:
                text = plain_text(_between(page, CONTENT_BEGINS, CONTENT_ENDS))
            return Message(kind, reader, about, subject, html, text, files, context=context)
        except Exception as error:
            if strictly or self.raises:
                raise
            log.exception("email could not be composed: kind=%s", kind.name)
            problem = self.problem_of(error, kind)
            return Message(kind, to, about, "", None, None, attachments, problem, context)

    def problem_of(self, error: Exception, kind: Kind) -> str:
        """The ``problem`` of a message whose template has raised ``error``: what is wrong, and the
        template and line where.
        """
        problem = f"could not be composed: {self._error_message(error)}"
        places = places_of(error, kind)
        return f"{problem} in {places[0]}" if places else problem

    def untranslated(self, kind: Kind, context: Any, to: Recipient) -> list[str]:
        """The texts of an email that have no translation into the recipient's language, in their
        order. Such an email names that language and shows these texts in English. Raises the errors
        of the template.
        """
        reader = replace(to, locale=self._languages.nearest(to.locale))
        texts: list[str] = []
        self._render(kind, context, reader, texts.append)
        missing = (text for text in texts if self._languages.lacks(reader.locale, text))
        return list(dict.fromkeys(missing))

    def _render(
        self,
        kind: Kind,
        context: Any,
        to: Recipient,
        on_text: Callable[[str], object] = lambda text: None,
    ) -> str:
        """The page, before its CSS is inlined. ``on_text`` is called with every English text that
        the template translates.
        """
        template = self._templates.get_template(f"email/{kind.name}.jinja2")
        values = {field.name: getattr(context, field.name) for field in fields(context)}
        translate = _translate_functions(self._languages.translations(to.locale), on_text)
        return template.render(values, locale=to.locale, **translate)


def _environment(site: Site, brand: Brand, loader: BaseLoader, reload: bool) -> Environment:
    environment = Environment(
        loader=loader,
        auto_reload=reload,
        # The style sheet is not escaped: the settings accept only plain names of colours and fonts.
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
        date=_localized(partial(formats.date, zone=site.time_zone)),
        date_time=_localized(partial(formats.date_time, zone=site.time_zone)),
        duration=_localized(formats.duration),
        country=_localized(formats.country),
        direction=direction,
    )
    return environment


def _translate_functions(
    translations: NullTranslations, on_text: Callable[[str], object]
) -> dict[str, Callable[..., str]]:
    """The functions that a template calls for a text in the recipient's language.

    They return text, which autoescape escapes like any other. Jinja2's own functions return HTML
    and are slow: they take most of the time of rendering.
    """

    def gettext(text: str, **values: Any) -> str:
        on_text(text)
        return translations.gettext(text) % values

    def ngettext(singular: str, plural: str, count: int, **values: Any) -> str:
        on_text(singular)
        return translations.ngettext(singular, plural, count) % {"num": count, **values}

    return {"_": gettext, "gettext": gettext, "ngettext": ngettext}


def _localized(function: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def format_for_recipient(context: Context, *values: Any) -> str:
        return function(*values, context["locale"])

    return format_for_recipient


def _between(page: str, begin: str, end: str) -> str:
    _, found, rest = page.partition(begin)
    content, closed, _ = rest.partition(end)
    if not found or not closed:
        raise NotAnEmail(f"the template writes no {begin} and {end}; extend email/layout.jinja2")
    return content
