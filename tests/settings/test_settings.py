"""Settings: which values are accepted, which are refused, and with which message."""

from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from pyramid.config import Configurator

from app.settings import SettingsError, load
from app.settings.declarations import Brand, Settings, all_settings
from app.settings.rules import DEVELOPMENT_SECRET
from app.settings.values import Logo, Mailbox
from tests.support.certificates import issue
from tests.support.images import png

PROJECT = Path(__file__).parents[2]

DEVELOPMENT = {
    "environment": "development",
    "site.name": "Pillarbox",
    "site.base_url": "http://localhost:6543",
    "site.support_email": "help@example.org",
    "secret": DEVELOPMENT_SECRET,
    "email.debug": "true",
    "email.from": "Pillarbox <shop@example.org>",
}
PRODUCTION = {
    **DEVELOPMENT,
    "environment": "production",
    "site.base_url": "https://shop.example.org",
    "database.url": "postgresql+psycopg://shop:wh1sper@db.example.org/shop",
    "secret": "tell-nobody-" * 3,
    "email.debug": "false",
    "email.smtp_server": "relay.example.org",
    "email.smtp_username": "shop",
    "email.smtp_password": "s3same",
    "payments.provider": "stripe",
    "payments.stripe_secret_key": "rk_live_sixteenCharacters",
    "payments.stripe_webhook_secrets": "whsec_eighteenCharacters",
}
SECRETS = ("tell-nobody", "s3same", "wh1sper")


def read(values: dict[str, Any], here: str = "/srv/shop", **environ: str) -> Settings:
    return load(values, here=Path(here), source="shop.ini", environ=environ)


def problems(values: dict[str, Any], here: str = "/srv/shop", **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(values, here, **environ)
    return str(caught.value).splitlines()


def test_the_development_settings_need_no_relay_and_fill_in_the_defaults() -> None:
    settings = read(DEVELOPMENT)
    assert not settings.is_production
    assert settings.site.base_url == "http://localhost:6543"
    assert settings.database.url == "sqlite:////srv/shop/var/pillarbox.sqlite"
    assert settings.email.debug is True
    assert settings.email.debug_recipients == ()
    assert settings.email.smtp_server is None
    assert settings.email.smtp_security == "starttls"
    assert settings.email.sender == Mailbox("Pillarbox", "shop@example.org")
    assert settings.email.return_path == "shop@example.org"
    assert settings.email.delivery == "in-process"
    assert settings.email.connections == 2
    assert settings.email.retention_days == 30
    assert settings.payments.provider == "test"
    assert settings.accounts.password_min_length == 15


def test_hosts_and_proxies_are_lists_over_several_lines() -> None:
    settings = read(
        DEVELOPMENT
        | {
            "site.hosts": "\nWWW.example.org\n  shop, 192.0.2.1 ::1",
            "server.trusted_proxies": "\n127.0.0.1\n  10.0.0.0/8, ::1",
        }
    )
    assert settings.site.hosts == ("www.example.org", "shop", "192.0.2.1", "::1")
    assert list(map(str, settings.server.trusted_proxies)) == [
        "127.0.0.1/32",
        "10.0.0.0/8",
        "::1/128",
    ]
    assert read(DEVELOPMENT).site.hosts == read(DEVELOPMENT).server.trusted_proxies == ()


@pytest.mark.parametrize("value", ["subdomains", "host"])
def test_hsts_is_for_subdomains_unless_set(value: str) -> None:
    assert read(DEVELOPMENT | {"site.hsts": value}).site.hsts == value
    assert read(DEVELOPMENT).site.hsts == "subdomains"
    (problem,) = problems(DEVELOPMENT | {"site.hsts": "off"})[-1:]
    assert 'site.hsts: "off" is not one of subdomains, host' in problem


def test_complete_production_settings_are_accepted() -> None:
    settings = read(PRODUCTION)
    assert settings.is_production
    assert settings.email.smtp_server == "relay.example.org"
    assert settings.email.smtp_password == "s3same"
    assert "wh1sper" in settings.database.url


def test_no_secret_shows_in_the_representation_of_the_settings() -> None:
    assert not any(secret in repr(read(PRODUCTION)) for secret in SECRETS)


def test_all_that_is_missing_is_named_in_one_message_with_its_cure() -> None:
    lines = problems({})
    assert [line.partition(":")[0] for line in lines] == [
        "environment",
        "site.name",
        "site.base_url",
        "site.support_email",
        "secret",
        "email.debug",
        "email.from",
    ]
    assert all("; set it in shop.ini or as PILLARBOX_" in line for line in lines)


def test_a_problem_names_the_setting_its_place_and_the_cure() -> None:
    assert problems({**DEVELOPMENT, "email.smtp_port": "abc"}) == [
        'email.smtp_port: "abc" is not a port number (1 to 65535), in shop.ini'
    ]
    assert problems(DEVELOPMENT, PILLARBOX_EMAIL_SMTP_PORT="0") == [
        'email.smtp_port: "0" is not a port number (1 to 65535),'
        " in the environment variable PILLARBOX_EMAIL_SMTP_PORT"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "staging"),
        ("site.name", "=?utf-8?q?Shop?="),
        ("site.base_url", "shop.example.org"),
        ("site.base_url", "ftp://shop.example.org"),
        ("site.base_url", "https://shop.example.org/shop"),
        ("site.base_url", "https://shop.example.org?a=b"),
        ("site.base_url", "https://shop.example.org:port"),
        ("site.base_url", "https://someone@shop.example.org"),
        ("site.support_email", "help"),
        ("site.time_zone", "Europe/Atlantis"),
        ("site.time_zone", "../../etc/passwd"),
        ("site.time_zone", "Europe"),
        ("site.time_zone", "MEZ+1"),
        ("site.pages", "no-such-folder"),
        ("site.hosts", "https://www.example.org"),
        ("site.hosts", "www.example.org:8080"),
        ("server.trusted_proxies", "proxy.example.org"),
        ("server.trusted_proxies", "10.0.0.1/8"),
        ("server.trusted_proxies", "10.0.0.0/8;::1"),
        ("database.url", "mysql://localhost/shop"),
        ("database.url", "var/shop.sqlite"),
        ("email.debug", "maybe"),
        ("email.debug_recipients", "anna@example.org, *example.org"),
        ("email.debug_recipients", "*@*.example.org"),
        ("email.smtp_server", "relay.example.org:587"),
        ("email.smtp_server", "smtp://relay.example.org"),
        ("email.smtp_server", "-relay..example.org"),
        ("email.smtp_port", "65536"),
        ("email.smtp_port", "-1"),
        ("email.smtp_port", "٥٨٧"),
        ("email.smtp_security", "ssl"),
        ("email.smtp_ca_file", "no-such-file.pem"),
        ("email.smtp_hello", "shop_web_1.shop_internal"),
        ("email.smtp_hello", "laptop."),
        ("email.smtp_hello", "10.0.0.5"),
        ("email.smtp_hello", "my laptop"),
        ("email.smtp_hello", "büro.example.org"),
        ("email.smtp_hello", "[10.0.0]"),
        ("email.smtp_hello", "[2001:db8::1]"),
        ("email.smtp_hello", "[10.0.0.5"),
        ("email.smtp_oauth_token_url", "login.example.org/token"),
        ("email.smtp_oauth_token_url", "http://login.example.org/token"),
        ("email.smtp_oauth_token_url", "https:///token"),
        ("email.smtp_oauth_token_url", "https://login.example.org:port/token"),
        ("email.smtp_oauth_token_url", "https://shop@login.example.org/token"),
        ("email.smtp_oauth_token_url", "https://login.example.org/token#id"),
        ("email.smtp_oauth_token_url", "https://login.example.org/a token"),
        ("email.smtp_oauth_token_url", "https://lögin.example.org/token"),
        ("email.from", "shop@example.org"),
        ("email.from", "Shop <shop>"),
        ("email.from", "Shop, Ltd <shop@example.org>"),
        ("email.from", "Shop <a@b.example>, Office <c@d.example>"),
        ("email.from", "Shop <a@b.example> Office <c@d.example>"),
        ("email.from", '"Shop <a@b.example>'),
        ("email.from", '"" <a@b.example>'),
        ("email.from", "<a@b.example>"),
        ("email.from", "Shop <a@b.example> (EU)"),
        ("email.from", "=?utf-8?q?Shop?= <shop@example.org>"),
        ("email.from", "Shop <shöp@example.org>"),
        ("email.return_path", "Shop <shop@example.org>"),
        ("email.return_path", "bounces+{tag}{tag}@example.org"),
        ("email.return_path", "bounces@{tag}.example.org"),
        # With the longest tag its local part has more than 64 octets.
        ("email.return_path", "b" * 36 + "{tag}@example.org"),
        ("email.delivery", "celery"),
        ("email.connections", "0"),
        ("email.retention_days", "1.5"),
        ("payments.provider", "cash"),
        ("accounts.password_min_length", "7"),
    ],
)
def test_a_value_of_the_wrong_form_is_the_one_problem_reported(name: str, value: str) -> None:
    [line] = problems({**DEVELOPMENT, name: value})
    assert line.startswith(f"{name}: ")
    assert line.endswith(", in shop.ini")


@pytest.mark.parametrize("name", sorted(PRODUCTION))
@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\0", "\x7f", "\x85", "\u2028", "\udcff"])
def test_control_characters_are_refused_in_every_value(name: str, character: str) -> None:
    value = PRODUCTION[name]
    lines = problems({**PRODUCTION, name: f"{value[:2]}{character}{value[2:]}"})
    assert f"{name}: contains a control character; take it out, in shop.ini" in lines


@pytest.mark.parametrize("yes", ["true", "True", "yes", "on", "1", True])
def test_a_flag_may_be_written_in_the_usual_ways(yes: object) -> None:
    assert read({**DEVELOPMENT, "email.debug": yes}).email.debug is True


def test_the_environment_wins_over_the_file() -> None:
    settings = read(
        {**DEVELOPMENT, "site.name": "From the file"}, PILLARBOX_SITE_NAME="From the environment"
    )
    assert settings.site.name == "From the environment"


def test_an_empty_variable_unsets_what_the_file_says() -> None:
    values = {**DEVELOPMENT, "email.retention_days": "7"}
    assert read(values, PILLARBOX_EMAIL_RETENTION_DAYS="").email.retention_days == 30


def test_a_file_variable_names_a_file_that_holds_the_value(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3same\n")
    values = {**PRODUCTION, "email.smtp_password": "from the .ini"}
    absolute = str(tmp_path / "password")
    for path in (absolute, "password"):
        settings = read(values, str(tmp_path), PILLARBOX_EMAIL_SMTP_PASSWORD_FILE=path)
        assert settings.email.smtp_password == "s3same"


def test_the_ca_file_has_a_file_variable_too(tmp_path: Path) -> None:
    issue(tmp_path, "relay").ca.rename(tmp_path / "ca.pem")
    (tmp_path / "path").write_text("ca.pem")
    assert read(
        DEVELOPMENT, str(tmp_path), PILLARBOX_EMAIL_SMTP_CA_FILE="ca.pem"
    ).email.smtp_ca_file == str(tmp_path / "ca.pem")
    assert read(
        DEVELOPMENT, str(tmp_path), PILLARBOX_EMAIL_SMTP_CA_FILE_FILE="path"
    ).email.smtp_ca_file == str(tmp_path / "ca.pem")


def test_a_ca_file_without_a_certificate_is_told_at_the_start(tmp_path: Path) -> None:
    # An error at the first email instead would look like a problem of the relay.
    key = issue(tmp_path, "relay").key
    with pytest.raises(SettingsError, match=r"^email.smtp_ca_file: .* without a certificate"):
        read(DEVELOPMENT | {"email.smtp_ca_file": str(key)}, str(tmp_path))


def test_a_file_that_cannot_be_read_is_reported_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in ("s3same", "binary", "."):
        [line] = problems(PRODUCTION, str(tmp_path), PILLARBOX_EMAIL_SMTP_PASSWORD_FILE=path)
        assert line.startswith(
            "email.smtp_password: the file that PILLARBOX_EMAIL_SMTP_PASSWORD_FILE names"
            " cannot be read ("
        )
        assert path == "." or path not in line


def test_a_variable_and_its_file_variable_exclude_each_other() -> None:
    assert problems(DEVELOPMENT, PILLARBOX_SECRET="a", PILLARBOX_SECRET_FILE="b") == [
        "secret: both PILLARBOX_SECRET and PILLARBOX_SECRET_FILE are set; unset one of them"
    ]


def test_unknown_names_are_reported_with_the_closest_known_one() -> None:
    lines = problems(
        {
            **DEVELOPMENT,
            "email.smtp_sever": "relay.example.org",
            "site.nmae": "Shop",
            "pyramid.includes": "",
            "here": "/srv/shop",
        },
        PILLARBOX_EMAIL_PASSWORD="s3same",
        PATH="/bin",
    )
    assert lines == [
        "email.smtp_sever: is not a setting (did you mean email.smtp_server?), in shop.ini",
        "site.nmae: is not a setting (did you mean site.name?), in shop.ini",
        "PILLARBOX_EMAIL_PASSWORD: is not a setting"
        " (did you mean PILLARBOX_EMAIL_SMTP_PASSWORD?), in the environment",
    ]


def test_no_secret_shows_in_a_message() -> None:
    message = "\n".join(
        problems(
            {
                **PRODUCTION,
                "secret": "tell-nobody",
                "email.smtp_username": "",
                "email.smtp_server": "smtp://shop:s3same@relay.example.org",
                "database.url": "mysql://shop:wh1sper@db.example.org/shop",
                "email.smtp_port": "x",
            }
        )
    )
    assert not any(secret in message for secret in SECRETS)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"secret": DEVELOPMENT_SECRET}, "secret"),
        ({"secret": "tell-nobody"}, "secret"),
        ({"site.base_url": "http://shop.example.org"}, "site.base_url"),
        ({"payments.provider": "test"}, "payments.provider"),
        ({"payments.provider": ""}, "payments.provider"),
        ({"database.url": ""}, "database.url"),
        ({"email.smtp_password": ""}, "email.smtp_username"),
        ({"email.smtp_username": ""}, "email.smtp_password"),
        (
            {
                "email.smtp_security": "none",
                "email.smtp_username": "",
                "email.smtp_password": "",
            },
            "email.smtp_security",
        ),
    ],
)
def test_production_refuses_what_is_not_safe(changes: dict[str, str], name: str) -> None:
    [line] = problems({**PRODUCTION, **changes})
    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"stripe_secret_key": ""}, "stripe_secret_key: is not set"),
        ({"stripe_secret_key": "pk_live_1"}, "the value is not a secret key of Stripe"),
        ({"stripe_secret_key": "sk_test_1"}, "is a test key, which moves no money"),
        ({"stripe_secret_key": "rk_test_1"}, "is a test key, which moves no money"),
        ({"stripe_webhook_secrets": ""}, "stripe_webhook_secrets: is not set"),
        ({"stripe_webhook_secrets": "sk_live_1"}, "the value is not a signing secret of Stripe"),
        ({"stripe_webhook_secrets": "whsec_1 whsec_2 whsec_3"}, "has more than two secrets"),
        ({"stripe_api": "http://127.0.0.1:8080"}, "is for tests only"),
        ({"stripe_api": "https://api.example.org"}, "a server of this machine"),
        ({"stripe_api": "http://192.0.2.1:80"}, "a server of this machine"),
    ],
)
def test_stripe_needs_a_key_and_a_webhook_secret(changes: dict[str, str], problem: str) -> None:
    [line] = problems({**PRODUCTION, **{f"payments.{name}": changes[name] for name in changes}})
    assert problem in line


def test_two_webhook_secrets_may_be_in_use_at_once() -> None:
    secrets = read({**PRODUCTION, "payments.stripe_webhook_secrets": "whsec_old whsec_new"})
    assert secrets.payments.stripe_webhook_secrets == ("whsec_old", "whsec_new")


def test_a_test_key_is_fine_in_development() -> None:
    values = {**PRODUCTION, "environment": "development"}
    assert read({**values, "payments.stripe_secret_key": "sk_test_1"}).payments.stripe_secret_key


def test_files_of_products_lie_beside_the_ini() -> None:
    assert read(PRODUCTION, "/srv/shop").shop.files == Path("/srv/shop/var/files")


@pytest.mark.parametrize(
    "changes",
    [{"email.debug": "false"}, {"email.debug_recipients": "anna@example.org"}],
)
def test_a_relay_is_required_as_soon_as_anything_is_to_be_sent(changes: dict[str, str]) -> None:
    [line] = problems({**DEVELOPMENT, **changes})
    assert line.startswith("email.smtp_server: is not set, but email.debug")
    assert line.endswith("; set it in shop.ini or as PILLARBOX_EMAIL_SMTP_SERVER")


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_an_unprotected_connection_is_for_a_relay_on_this_machine(server: str) -> None:
    values = {**DEVELOPMENT, "email.smtp_security": "none", "email.smtp_server": server}
    assert read(values).email.smtp_port == 25
    [line] = problems({**values, "email.smtp_server": "localhost.example.org"})
    assert line.startswith("email.smtp_security: ")


def test_a_password_never_travels_over_an_unprotected_connection() -> None:
    [line] = problems(
        {
            **DEVELOPMENT,
            "email.smtp_security": "none",
            "email.smtp_server": "localhost",
            "email.smtp_username": "shop",
            "email.smtp_password": "s3same",
        }
    )
    assert line.startswith('email.smtp_security: "none" would send')


OAUTH = {
    **PRODUCTION,
    "email.smtp_password": "",
    "email.smtp_oauth_token_url": "https://login.example.org/tenant/oauth2/v2.0/token",
    "email.smtp_oauth_client_id": "shop-client",
    "email.smtp_oauth_client_secret": "s3same",
    "email.smtp_oauth_scope": "https://relay.example.org/.default",
}


def test_a_login_takes_tokens_in_place_of_a_password() -> None:
    email = read({**OAUTH, "email.smtp_oauth_refresh_token": "tell-nobody"}).email
    assert email.smtp_oauth_token_url == "https://login.example.org/tenant/oauth2/v2.0/token"
    assert email.smtp_oauth_client_secret == "s3same"
    assert not any(secret in repr(email) for secret in SECRETS)
    for either in ("client_secret", "refresh_token"):
        assert read(
            {**OAUTH, "email.smtp_oauth_client_secret": "", f"email.smtp_oauth_{either}": "x"}
        )


@pytest.mark.parametrize(
    ("changes", "name", "problem"),
    [
        ({"password": "s3same"}, "password", "a login takes a password or a token"),
        ({"username": ""}, "username", "name the mailbox that the token is for"),
        ({"security": "none", "server": "localhost"}, "security", '"none" would send'),
        ({"oauth_client_id": ""}, "oauth_client_id", "is not set"),
        ({"oauth_client_secret": ""}, "oauth_client_secret", "set it, or"),
        (
            {"oauth_token_url": "", "oauth_scope": "", "oauth_client_secret": "", "password": "p"},
            "oauth_token_url",
            "is not set, but email.smtp_oauth_client_id is",
        ),
        (
            {"oauth_token_url": "", "oauth_client_id": "", "oauth_scope": "", "password": "p"},
            "oauth_token_url",
            "is not set, but email.smtp_oauth_client_secret is",
        ),
    ],
)
def test_what_a_login_with_tokens_needs_is_checked(
    changes: dict[str, str], name: str, problem: str
) -> None:
    values = {f"email.smtp_{setting}": value for setting, value in changes.items()}
    [line] = problems({**OAUTH, **values})
    assert line.startswith(f"email.smtp_{name}: ")
    assert problem in line
    assert not any(secret in line for secret in SECRETS)


@pytest.mark.parametrize("hello", ["web-1.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_a_machine_may_call_itself_by_another_name_or_address(hello: str) -> None:
    assert read({**DEVELOPMENT, "email.smtp_hello": hello}).email.smtp_hello == hello


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_the_security_unless_it_is_set(security: str, port: int) -> None:
    values = {**DEVELOPMENT, "email.smtp_security": security}
    assert read(values).email.smtp_port == port
    assert read({**values, "email.smtp_port": "2525"}).email.smtp_port == 2525


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("Pillarbox <shop@example.org>", Mailbox("Pillarbox", "shop@example.org")),
        ('"Müller & Söhne, GmbH" <a@b.org>', Mailbox("Müller & Söhne, GmbH", "a@b.org")),
        ("O'Reilly <shop@bücher.example>", Mailbox("O'Reilly", "shop@xn--bcher-kva.example")),
        ("Staging <shop@staging.test>", Mailbox("Staging", "shop@staging.test")),
        ("Shop: the best <a@b.example>", Mailbox("Shop: the best", "a@b.example")),
        ("(EU) Shop <a@b.example>", Mailbox("(EU) Shop", "a@b.example")),
        ("Shop (EU) <a@b.example>", Mailbox("Shop (EU)", "a@b.example")),
        ("Shop; Ltd. @ home <a@b.example>", Mailbox("Shop; Ltd. @ home", "a@b.example")),
        ('The "best" shop <a@b.example>', Mailbox('The "best" shop', "a@b.example")),
        ('"The \\"best\\" shop" <a@b.example>', Mailbox('The "best" shop', "a@b.example")),
        ("C:\\Shop [EU] <a@b.example>", Mailbox("C:\\Shop [EU]", "a@b.example")),
        ("Shop<a@b.example>", Mailbox("Shop", "a@b.example")),
    ],
)
def test_the_sender_is_a_name_and_an_address(written: str, address: Mailbox) -> None:
    settings = read({**DEVELOPMENT, "email.from": written})
    assert settings.email.sender == address
    assert settings.email.return_path == address.address


def test_debug_recipients_are_separated_by_white_space_or_commas() -> None:
    settings = read(
        {
            **DEVELOPMENT,
            "email.smtp_server": "localhost",
            "email.debug_recipients": "Anna@Example.org,*@Bücher.example\n  ben@example.org",
        }
    )
    assert settings.email.debug_recipients == (
        "anna@example.org",
        "*@xn--bcher-kva.example",
        "ben@example.org",
    )


def test_the_postal_address_has_lines() -> None:
    written = "\n Long Street 1 \r\n\n  12345 Town\n"
    address = read({**DEVELOPMENT, "email.postal_address": written}).email.postal_address
    assert address == ("Long Street 1", "12345 Town")
    assert read(DEVELOPMENT).email.postal_address == ()
    [problem] = problems({**DEVELOPMENT, "email.postal_address": "Long\x0bStreet"})
    assert problem.startswith("email.postal_address: ")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://Shop.example.org/", "https://shop.example.org"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_base_url_loses_what_links_do_not_need(written: str, url: str) -> None:
    assert read({**DEVELOPMENT, "site.base_url": written}).site.base_url == url


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("sqlite:///data/shop.sqlite", "sqlite:////srv/shop/data/shop.sqlite"),
        ("sqlite:////data/shop.sqlite", "sqlite:////data/shop.sqlite"),
        ("postgresql://shop:a%40b@db/shop", "postgresql+psycopg://shop:a%40b@db/shop"),
        ("postgresql+psycopg:///shop?host=/run", "postgresql+psycopg:///shop?host=%2Frun"),
    ],
)
def test_a_relative_database_path_starts_at_the_folder_of_the_ini(written: str, url: str) -> None:
    assert read({**DEVELOPMENT, "database.url": written}).database.url == url


def test_the_application_finds_its_settings_at_the_registry(tmp_path: Path) -> None:
    here = {"here": str(tmp_path), "__file__": str(tmp_path / "shop.ini")}
    with Configurator(settings={**DEVELOPMENT, **here}) as config:
        config.include("app.settings")
    assert config.registry.pillarbox.site.name == "Pillarbox"
    assert str(tmp_path) in config.registry.pillarbox.database.url

    with (
        Configurator(settings={**here, "email.debug": "?"}) as config,
        pytest.raises(SettingsError, match=r'email\.debug: "\?" is neither .* in shop\.ini'),
    ):
        config.include("app.settings")


def ini(name: str) -> dict[str, str]:
    parser = ConfigParser()
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string((PROJECT / name).read_text("utf-8"))
    return dict(parser["app:main"])


def test_development_ini_is_complete_and_sends_nothing() -> None:
    values = ini("development.ini")
    assert values["secret"] == DEVELOPMENT_SECRET
    settings = read(values)
    assert settings.email.debug is True
    assert settings.email.debug_recipients == ()


def test_production_ini_shows_every_setting_and_starts_only_when_filled_in() -> None:
    values = ini("production.ini")
    # Only tests have a Stripe of their own.
    named = {setting.name for setting in all_settings()} - {"payments.stripe_api"}
    assert named == {name for name in values if name in named}
    assert [line.partition(":")[0] for line in problems(values)] == [
        "site.name",
        "site.base_url",
        "site.support_email",
        "database.url",
        "secret",
        "email.from",
        "email.smtp_server",
        "payments.stripe_secret_key",
        "payments.stripe_webhook_secrets",
    ]
    filled_in = {name: PRODUCTION[name] for name in PRODUCTION if not values.get(name)}
    assert read({**values, **filled_in}).is_production


def test_emails_look_as_the_owner_says_and_like_the_shop_otherwise() -> None:
    brand = {
        "email.brand.name": "The Post",
        "email.brand.color": "#0B57D0",
        "email.brand.font": 'Georgia, "Times New Roman", serif',
    }
    assert read(DEVELOPMENT | brand).email.brand == Brand(
        "The Post", "#0b57d0", "#f4f1ec", "Georgia, 'Times New Roman', serif"
    )
    assert read(DEVELOPMENT).email.brand.name == DEVELOPMENT["site.name"]
    assert read(DEVELOPMENT).email.brand.logo is None
    for name, value in {"email.brand.color": "red", "email.brand.font": "x; } body {"}.items():
        [problem] = problems(DEVELOPMENT | {name: value})
        assert problem.startswith(f"{name}: ")


def test_a_logo_is_a_png_file_beside_the_ini(tmp_path: Path) -> None:
    tmp_path.joinpath("logo.png").write_bytes(png(240, 48))
    tmp_path.joinpath("dark.png").write_bytes(png(1200, 400))
    logos = {"email.brand.logo": "logo.png", "email.brand.logo_dark": "dark.png"}
    brand = read(DEVELOPMENT | logos, str(tmp_path)).email.brand
    assert brand.logo == Logo(png(240, 48), 240, 48)
    assert brand.logo_dark == Logo(png(1200, 400), 1200, 400)
    assert "PNG" not in repr(brand)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is not a file"),
        (b"", "is not a PNG image"),
        (b"\xff\xd8\xff\xe0JFIF", "is not a PNG image"),
        (b"<svg/>", "is not a PNG image"),
        (png(240, 48)[:-13], "is a damaged PNG image"),
        (png(240, 48)[:20], "is a damaged PNG image"),
        (png(240, 48).replace(b"IDAT", b"IDAS"), "is a damaged PNG image"),
        (png(240, 48)[:8] + png(240, 48)[33:], "is a damaged PNG image"),
        (png(1, 1), "has 1 x 1 pixels; a logo has 16 x 16 to 1200 x 400"),
        (png(0, 0), "has 0 x 0 pixels"),
        (png(1201, 48), "has 1201 x 48 pixels"),
        (png(240, 401), "has 240 x 401 pixels"),
        (png(240, 48) + bytes(102_400), "octets; the most is 102400 (100 KB)"),
    ],
)
def test_a_logo_that_programs_cannot_show_is_told_at_the_start(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    if content is not None:
        tmp_path.joinpath("logo.png").write_bytes(content)
    [told] = problems(DEVELOPMENT | {"email.brand.logo": "logo.png"}, str(tmp_path))
    assert told.startswith('email.brand.logo: "logo.png" ')
    assert problem in told


def test_a_dark_logo_needs_the_other_one(tmp_path: Path) -> None:
    tmp_path.joinpath("logo.png").write_bytes(png(240, 48))
    [told] = problems(DEVELOPMENT | {"email.brand.logo_dark": "logo.png"}, str(tmp_path))
    assert told.startswith("email.brand.logo_dark: is set without email.brand.logo")
