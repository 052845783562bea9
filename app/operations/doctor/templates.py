"""Whether every sample of every email can be composed, in every language of the site."""

from collections.abc import Iterator

from pyramid.registry import Registry

from app.mail import Recipient
from app.operations.doctor.findings import Finding, ok, problem


def check(registry: Registry) -> Iterator[Finding]:
    """Yield a finding about all that can be composed, and one about each kind that cannot."""
    composer = registry.email_composer
    composed = 0
    for kind in registry.email_kinds:
        broken: Exception | None = None
        for language in registry.languages.names:
            for context in kind.samples.values():
                to = Recipient("ada@example.org", "", language)
                try:
                    composer.compose(kind, context, to=to, about="doctor", strictly=True)
                    composed += 1
                except Exception as error:
                    broken = error
        if broken is not None:
            yield problem(
                f"{kind.name} {composer.problem_of(broken, kind)}",
                "Correct the template. Emails that could not be composed go out after a restart.",
            )
    yield ok(f"{composed} samples of emails were composed")
