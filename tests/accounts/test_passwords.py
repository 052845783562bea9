"""Which passwords are accepted, and how they are hashed (STANDARDS B5)."""

import time

import pytest
from argon2 import PasswordHasher

from app.accounts.passwords import (
    MAX_CODE_POINTS,
    hash_password,
    needs_new_hash,
    password_problem,
    verify_password,
)

GOOD = "correct horse battery"


def problem(
    password: str, *, context: tuple[str, ...] = ("Pillarbox", "anna.smith@example.org")
) -> str:
    return str(password_problem(password, shortest=15, context=context) or "")


@pytest.mark.parametrize(
    "password",
    [GOOD, "my dog has fleas too", "пароль из трёх слов", "雨が降ると傘を忘れる日曜日の朝"],
)
def test_long_passwords_of_any_script_are_taken(password: str) -> None:
    assert problem(password) == ""


def test_a_password_of_the_greatest_length_is_taken() -> None:
    assert problem((GOOD * 300)[:MAX_CODE_POINTS]) == ""


def test_there_are_no_rules_about_kinds_of_characters() -> None:
    assert problem("ordinary lowercase sentence") == ""


def test_one_code_point_less_than_the_shortest_is_refused() -> None:
    assert "Use at least" in problem("tunafish jumper"[:14])
    assert problem("tunafish jumper") == ""


def test_length_counts_code_points_after_normalisation() -> None:
    # Fifteen letters with combining accents are thirty code points before NFKC.
    assert "Use at least" in problem("e\u0301" * 14)


def test_a_password_that_is_too_long_is_refused_before_any_work() -> None:
    started = time.perf_counter()
    assert "Use at most" in problem("x" * (MAX_CODE_POINTS + 1))
    assert not verify_password("x" * 1_000_000, hash_password(GOOD))
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "password", ["passwordpassword", "123456789012345", "qwertyuiopasdfgh", "aaaaaaaaaaaaaaaa"]
)
def test_what_many_people_use_is_refused(password: str) -> None:
    assert "harder to guess" in problem(password)


@pytest.mark.parametrize(
    "password", ["pillarboxpillarbox", "anna.smith@example.org", "AnnaSmithAnnaSmith"]
)
def test_the_shops_name_and_the_customers_address_are_refused(password: str) -> None:
    assert "does not contain your email address" in problem(password)


def test_a_hash_verifies_its_password_in_every_unicode_form() -> None:
    kept = hash_password("ﬁne caf\u00e9 passphrase")
    assert verify_password("fine cafe\u0301 passphrase", kept)
    assert not verify_password("fine cafe passphrase", kept)


def test_nothing_is_cut_off() -> None:
    kept = hash_password("x" * 4_000 + "a")
    assert not verify_password("x" * 4_000 + "b", kept)


def test_without_an_account_no_password_matches() -> None:
    assert not verify_password(GOOD, None)


def test_no_password_matches_a_damaged_hash() -> None:
    assert not verify_password(GOOD, "not a hash")


def test_hashes_are_argon2id_with_the_parameters_of_owasp() -> None:
    assert hash_password(GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_of_other_parameters_is_to_be_renewed() -> None:
    assert needs_new_hash(PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(GOOD))
    assert not needs_new_hash(hash_password(GOOD))
