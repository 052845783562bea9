"""The doctor finds what keeps emails from leaving and arriving, each with its cure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyramid.registry import Registry
from sqlalchemy import text

from app.mail.delivery.relay import Relay as RelayRow
from app.mail.outbox.event_tables import EventSource
from app.mail.outbox.tables import State
from app.migrations import migrate
from app.operations.doctor import database, dns, events, examine, names, queue, relay, templates
from app.operations.doctor.findings import Finding, Level
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.clock import Clock
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.dns_server import DNSServer
from tests.support.outbox import Outbox, put
from tests.support.relay import Relay, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.shop_settings import IN_PRODUCTION
from tests.support.token_server import TokenServer

DAY = timedelta(days=1)


@pytest.fixture
def sending(make_app: MakeApp, sending_values: dict[str, str]) -> Outbox:
    """The outbox of an application that sends. No worker runs."""
    return Outbox(make_app(sending_values).registry)


def found(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    """What was found, and that each fault has a cure."""
    listed = list(findings)
    assert all((finding.level is Level.OK) == (finding.cure == "") for finding in listed)
    return [(str(finding.level), finding.words) for finding in listed]


# --- The database -------------------------------------------------------------


def test_a_migrated_database_is_well(outbox: Outbox) -> None:
    levels = {level for level, _ in found(database.check(outbox.registry))}
    assert levels == {"ok"}


def test_an_unmigrated_database_is_a_problem_and_the_other_checks_go_on(outbox: Outbox) -> None:
    migrate(outbox.registry.database.engine, "base")
    assert found(database.check(outbox.registry)) == [("problem", "database not migrated")]
    names_found = [name for name, _ in examine(outbox.registry)]
    assert "templates" in names_found
    assert "queue" not in names_found


@on_postgresql
def test_a_database_that_only_reads_is_a_problem(outbox: Outbox) -> None:
    engine = outbox.registry.database.engine
    change = f'ALTER DATABASE "{engine.url.database}"'
    with engine.connect() as connection, connection.begin():
        connection.execute(text(f"{change} SET default_transaction_read_only = on"))
    engine.dispose()
    try:
        assert [level for level, _ in found(database.check(outbox.registry))][1] == "problem"
    finally:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text(f"{change} RESET ALL"))
        engine.dispose()


@on_postgresql
def test_clocks_that_differ_are_a_warning(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "utc_clock", lambda: datetime.now(UTC) + timedelta(minutes=3))
    assert found(database.check(outbox.registry))[-1] == (
        "warning",
        "this machine's clock is 180 seconds ahead of the database's clock, which Pillarbox uses",
    )


# --- The relay ----------------------------------------------------------------


@on_sqlite
def test_a_relay_that_takes_us_is_well(make_app: MakeApp, sending_values: dict[str, str]) -> None:
    answers, certificate, rest = found(relay.check(make_app(sending_values).registry))
    assert answers[0] == certificate[0] == "ok"
    assert "the login was accepted" in answers[1]
    assert "its certificate is trusted and ends in" in certificate[1]
    assert rest == ("ok", "the relay is not resting")


@on_sqlite
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"email.smtp_port": "1"}, "connect: Connection refused"),
        ({"email.smtp_password": "wrong"}, "auth: the relay refused the login"),
    ],
)
def test_a_relay_that_does_not_take_us_is_a_problem(
    make_app: MakeApp, sending_values: dict[str, str], changed: dict[str, str], words: str
) -> None:
    level, said = found(relay.check(make_app(sending_values | changed).registry))[0]
    assert level == "problem"
    assert words in said


@pytest.fixture
def tokens(certificate: Certificate) -> Iterator[TokenServer]:
    with TokenServer(certificate) as server:
        yield server


@pytest.fixture
def by_token(
    make_app: MakeApp, settings_values: dict[str, str], tokens: TokenServer
) -> Iterator[Registry]:
    """The registry of an application whose relay wants a token of ``tokens``."""
    with ScriptedSMTP(tokens.certificate, mechanisms="XOAUTH2", tokens=tokens.live) as server:
        yield make_app(settings_values | through(server) | tokens.settings()).registry


@on_sqlite
def test_the_relay_is_asked_with_a_token(by_token: Registry, tokens: TokenServer) -> None:
    level, words = found(relay.check(by_token))[0]
    assert level == "ok"
    assert "the login was accepted" in words
    assert len(tokens.requests) == 1


@on_sqlite
def test_without_a_token_the_cure_names_the_settings_of_tokens(
    by_token: Registry, tokens: TokenServer
) -> None:
    tokens.answers.append((400, {"error": "invalid_client"}))
    finding = next(relay.check(by_token))
    assert finding.level is Level.PROBLEM
    assert "invalid_client" in finding.words
    assert "the token's settings" in finding.cure


@on_sqlite
def test_a_certificate_that_nobody_trusts_names_the_setting_for_it(
    make_app: MakeApp, sending_values: dict[str, str], other_certificate: Certificate
) -> None:
    values = sending_values | {"email.smtp_ca_file": str(other_certificate.ca)}
    finding = next(relay.check(make_app(values).registry))
    assert finding.level is Level.PROBLEM
    assert "certificate verify failed" in finding.words
    assert "email.smtp_ca_file" in finding.cure


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    finding = relay._certificate(datetime.now(UTC) + timedelta(days=3, hours=1))
    assert finding.level is Level.WARNING
    assert "ends in 3 days" in finding.words


def test_the_rest_of_the_relay_is_told(
    make_app: MakeApp, sending_values: dict[str, str], relay: Relay, clock: Clock
) -> None:
    from app.operations.doctor import relay as check

    registry = make_app(sending_values).registry
    email = registry.pillarbox.email
    with registry.database.transaction(write=True) as session:
        name = f"{email.smtp_server}:{email.smtp_port}"
        until = clock() + timedelta(minutes=5)
        session.add(RelayRow(name=name, blocked_until=until, reason="550 5.4.5 quota", failures=3))
    assert ("problem", "the relay rests until 12:05:00 UTC: 550 5.4.5 quota") in found(
        check.check(registry)
    )


@on_sqlite
def test_in_debug_mode_the_relay_is_not_asked(
    make_app: MakeApp, sending_values: dict[str, str], relay: Relay
) -> None:
    from app.operations.doctor import relay as check

    values = sending_values | {"email.debug": "true"}
    assert len(found(check.check(make_app(values).registry))) == 1
    assert relay.received == []


# --- Names and DNS ------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "is_related"),
    [
        ("shop.example.org", "example.org", True),
        ("mail.example.org", "www.example.org", True),
        ("example.org", "example.com", False),
        ("localhost", "localhost", True),
        ("a.org", "b.org", False),
    ],
)
def test_domains_that_belong_together(one: str, other: str, is_related: bool) -> None:
    assert names.related(one, other) is is_related


@on_sqlite
def test_a_return_path_of_another_domain_is_a_warning(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    values = settings_values | {"email.return_path": "bounces+{tag}@mailer.example.net"}
    links, return_path = found(names.check(make_app(values).registry))
    assert links[0] == "ok"
    assert return_path[0] == "warning"


@on_sqlite
def test_links_to_another_domain_than_that_of_from_are_a_warning(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    values = settings_values | {"site.base_url": "https://shop.example.net"}
    assert found(names.check(make_app(values).registry))[0] == (
        "warning",
        "From is of example.org, but links lead to shop.example.net",
    )


@on_sqlite
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_links_to_this_machine_are_a_problem_in_production_alone(
    make_app: MakeApp, settings_values: dict[str, str], host: str
) -> None:
    there = {"site.base_url": f"https://{host}"}
    production = make_app(settings_values | IN_PRODUCTION | there).registry
    assert found(names.check(production))[0] == (
        "problem",
        f"links lead to {host}, which is each reader's own machine",
    )
    assert found(names.check(make_app(settings_values | there).registry))[0][0] == "ok"


WELL = {
    "shop.pillarbox.org": ["v=spf1 include:relay.example -all", "something else"],
    "s1._domainkey.shop.pillarbox.org": ["k=rsa; p=MIGfMA0"],
    "_dmarc.pillarbox.org": ["v=DMARC1; p=none"],
}


def looked_up(
    make_app: MakeApp, values: Mapping[str, str], records: dict[str, list[str]]
) -> list[tuple[str, str]]:
    registry = make_app({**values, "email.from": "Shop <us@shop.pillarbox.org>"}).registry
    with DNSServer(records) as server:
        return found(dns.check(registry, server.resolver()))


@on_sqlite
def test_records_that_let_us_send_are_well(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    assert looked_up(make_app, settings_values, WELL) == [
        ("ok", "SPF of shop.pillarbox.org: v=spf1 include:relay.example -all"),
        ("ok", "DKIM key found: s1._domainkey.shop.pillarbox.org"),
        ("ok", "DMARC of pillarbox.org: v=DMARC1; p=none"),
    ]


@on_sqlite
def test_missing_and_doubled_records_are_warnings(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    levels = [level for level, _ in looked_up(make_app, settings_values, {})]
    assert levels == ["warning"] * 3
    doubled = {"shop.pillarbox.org": ["v=spf1 -all", "v=spf1 mx -all"]}
    assert looked_up(make_app, settings_values, doubled)[0] == (
        "warning",
        "shop.pillarbox.org has 2 SPF records, so none of them counts (RFC 7208 4.5)",
    )


@on_sqlite
def test_without_dns_there_is_one_warning(
    make_app: MakeApp, settings_values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "SECONDS", 0.2)
    registry = make_app(settings_values | {"email.from": "Us <us@shop.pillarbox.org>"}).registry
    with DNSServer({}) as server:
        resolver = server.resolver()
    [(level, words)] = found(dns.check(registry, resolver))
    assert level == "warning"
    assert words.startswith("DNS does not answer here")


# --- Events, templates, queue -------------------------------------------------


EVENTS: dict[str, Any] = {"email.events": "postmark", "email.events_secret": "s" * 32}


def sent(outbox: Outbox, count: int) -> None:
    for number in range(count):
        now = outbox.registry.clock()
        put(outbox, outbox.write(number), State.SENT, sent_at=now)


def test_a_service_that_is_silent_although_emails_were_sent_is_a_warning(
    make_app: MakeApp, sending_values: dict[str, str], clock: Clock
) -> None:
    outbox = Outbox(make_app(sending_values | EVENTS).registry)

    def told() -> list[tuple[str, str]]:
        return found(events.check(outbox.registry))

    silent = "postmark has sent no event in the last day"
    assert told() == [("ok", f"{silent}, but no email was sent")]
    sent(outbox, 1)
    assert told() == [("ok", f"{silent}, but only 1 email was sent")]
    sent(outbox, events.ENOUGH_SENT)
    assert told() == [("warning", f"{silent}, although emails were sent")]
    with outbox.registry.database.transaction(write=True) as session:
        session.add(EventSource(name="postmark", heard_at=clock(), unmatched=0))
    assert told() == [("ok", "postmark was last heard 2026-11-22 12:00 UTC")]


REPORTS = {"email.return_path": "bounces+{tag}@example.org"}


def unmatched(registry: Registry, **sources: int) -> None:
    """Note that so many events of each source name no email of ours."""
    now = registry.clock()
    with registry.database.transaction(write=True) as session:
        for name, count in sources.items():
            source = EventSource(name=name, heard_at=now, unmatched=count, unmatched_at=now)
            session.merge(source)


def warned(registry: Registry) -> list[tuple[str, str]]:
    """The words and the cure of each warning about events."""
    findings = events.check(registry)
    return [(finding.words, finding.cure) for finding in findings if finding.level != Level.OK]


@on_sqlite
@pytest.mark.parametrize(
    ("count", "of_service", "of_reports"),
    [(1, "1 event", "1 report"), (3, "3 events", "3 reports")],
)
def test_what_names_no_email_of_ours_is_a_warning(
    make_app: MakeApp, sending_values: dict[str, str], count: int, of_service: str, of_reports: str
) -> None:
    registry = make_app(sending_values | EVENTS | REPORTS).registry
    unmatched(registry, postmark=count, report=count)
    rest = "named no email of this shop, the last one 2026-11-22 12:00 UTC"
    (service, service_cure), (reports, reports_cure) = warned(registry)
    assert (service, reports) == (f"{of_service} of postmark {rest}", f"{of_reports} {rest}")
    assert "if other senders use the same account" in service_cure
    assert "Spam to the return path is harmless" in reports_cure


def test_what_named_no_email_is_no_warning_after_a_day(
    make_app: MakeApp, sending_values: dict[str, str], clock: Clock
) -> None:
    registry = make_app(sending_values | EVENTS | REPORTS).registry
    unmatched(registry, postmark=3, report=3)
    clock.advance(events.LATELY - timedelta(minutes=1))
    assert len(warned(registry)) == 2
    clock.advance(timedelta(minutes=1))
    assert warned(registry) == []


@on_sqlite
def test_a_source_that_is_not_configured_any_more_is_no_warning(
    make_app: MakeApp, sending_values: dict[str, str]
) -> None:
    registry = make_app(sending_values | EVENTS).registry
    unmatched(registry, mailgun=3, report=3)
    assert warned(registry) == []


@on_sqlite
def test_the_link_that_amazon_waits_for_is_shown(
    make_app: MakeApp, sending_values: dict[str, str], clock: Clock
) -> None:
    registry = make_app(sending_values | EVENTS | {"email.events": "ses"}).registry
    link = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"
    with registry.database.transaction(write=True) as session:
        session.add(EventSource(name="ses", heard_at=clock(), confirmation_link=link))
    [finding] = events.check(registry)
    assert (finding.level, finding.cure) == (Level.WARNING, f"Open this link once: {link}")


@on_sqlite
def test_a_template_that_is_broken_is_a_problem(outbox: Outbox) -> None:
    registry: Registry = outbox.registry
    assert [level for level, _ in found(templates.check(registry))] == ["ok"]
    outbox.write(1)  # registers a kind that has no template
    level, words = found(templates.check(registry))[0]
    assert level == "problem"
    assert words.startswith("note could not be composed")


def test_an_email_that_nobody_delivers_becomes_a_problem(sending: Outbox, clock: Clock) -> None:
    assert found(queue.check(sending.registry)) == [("ok", "no emails wait")]
    sending.write(1)
    assert found(queue.check(sending.registry)) == [("ok", "1 email waits, none is overdue")]
    clock.advance(timedelta(minutes=10))
    assert found(queue.check(sending.registry))[0][0] == "warning"
    clock.advance(timedelta(hours=3))
    assert found(queue.check(sending.registry))[0] == (
        "problem",
        "1 email waits, one of them overdue for 3 hours",
    )


def test_an_email_that_waits_for_its_next_try_is_not_overdue(sending: Outbox, clock: Clock) -> None:
    email = sending.write(1)
    sending.change(email, next_attempt_at=clock() + DAY)
    clock.advance(timedelta(hours=12))
    assert [level for level, _ in found(queue.check(sending.registry))] == ["ok"]


def test_emails_in_doubt_and_reasons_of_failures_are_told(sending: Outbox) -> None:
    put(sending, sending.write(1), State.UNKNOWN)
    for number in (2, 3):
        put(sending, sending.write(number), State.FAILED, reason="550 no")
    assert found(queue.check(sending.registry))[1:] == [
        ("warning", "1 email in doubt and held for a person"),
        ("warning", "2 emails of the last day failed: 550 no"),
    ]


def test_replies_that_quote_the_recipient_are_one_line_without_an_address(sending: Outbox) -> None:
    for number in range(20):
        address = f"customer{number}@example.org"
        reason = f"550 5.1.1 <{address}>: unknown; {address} does not exist"
        put(sending, sending.write(number), State.BOUNCED, reason=reason)
    put(sending, sending.write(30), State.FAILED, reason="550 no")
    assert found(queue.check(sending.registry))[1:] == [
        (
            "warning",
            "20 emails of the last day bounced: 550 5.1.1 <...>: unknown; <...> does not exist",
        ),
        ("warning", "1 email of the last day failed: 550 no"),
    ]
