"""Which spellings of an address are one address (STANDARDS B6)."""

import pytest

from app.accounts.addresses import UnusableAddress, parse_address


def test_the_domain_and_the_letters_a_to_z_are_folded_in_the_key_only() -> None:
    address = parse_address("Anna.Smith@EXAMPLE.org")
    assert address.stored == "Anna.Smith@example.org"
    assert address.key == "anna.smith@example.org"


def test_spaces_around_an_address_do_not_count() -> None:
    assert parse_address("  anna@example.org\t").stored == "anna@example.org"


def test_a_domain_in_another_script_is_stored_as_the_mail_system_knows_it() -> None:
    assert parse_address("anna@Bücher.example").key == "anna@xn--bcher-kva.example"
    assert parse_address("anna@xn--bcher-kva.example").key == "anna@xn--bcher-kva.example"


def test_two_ways_to_write_an_accent_are_one_address() -> None:
    composed, decomposed = "Zo\u00eb@example.org", "Zoe\u0308@example.org"
    assert parse_address(composed) == parse_address(decomposed)


def test_other_letters_than_a_to_z_keep_their_case() -> None:
    assert parse_address("\u00c9va@example.org").key != parse_address("\u00e9va@example.org").key


def test_addresses_that_only_some_mail_servers_treat_as_one_stay_different() -> None:
    assert parse_address("a.nna@example.org").key != parse_address("anna@example.org").key
    assert parse_address("anna+shop@example.org").key != parse_address("anna@example.org").key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "anna@",
        "@example.org",
        "anna@example",
        "anna@localhost",
        "anna@@example.org",
        "anna@example.org, eve@example.org",
        "anna@example.org\nBcc: eve@example.org",
        "anna@example.org\x00",
        "Anna <anna@example.org>",
        "anna@[127.0.0.1]",
        "anna@exa mple.org",
        "a" * 65 + "@example.org",
        "a" * 64 + "@" + ("b" * 60 + ".") * 3 + "museums",  # 255 octets
        "a" * 64 + "@" + ("\u00fc" * 40 + ".") * 3 + "org",  # longer in A-labels
        "a" * 64 + "@" + "\u00fc." * 25 + "org",  # 143 octets, and 268 in A-labels
        "\u00fc" * 32 + "@" + ("b" * 60 + ".") * 3 + "museums",
        "a" * 1_000_000,
    ],
)
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(UnusableAddress):
        parse_address(text)


def test_an_address_of_254_octets_is_the_longest() -> None:
    longest = "a" * 64 + "@" + ("b" * 60 + ".") * 3 + "museum"
    assert len(parse_address(longest).stored) == 254
