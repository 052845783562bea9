"""The kinds of emails about accounts: what each is made of, its samples, and how many may be sent.

None of them contains anything that a visitor typed, except the address it goes to (STANDARDS A15).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.mail import Kind, Priority, RateLimit

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHORT = "https://shop.example"
LONG = "https://a-shop-with-a-long-name.example"
FOR_A_NETWORK, FOR_A_RECIPIENT = 15, 20
"""How many emails of a kind that anybody can ask for go to one mailbox in a day: at the request of
one network, and to one address at the request of all.
"""
FOR_ANYBODY = RateLimit(5, HOUR, per_network=FOR_A_NETWORK, per_recipient=FOR_A_RECIPIENT)
SAMPLE_SECRET = "s4mpl3" * 7
"""As long as a real token's secret."""


@dataclass(frozen=True, slots=True)
class ConfirmAddress:
    """``link`` confirms the address and is valid for ``lifetime``."""

    link: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class AccountExists:
    """For the owner of an account whose address was entered for another one."""

    sign_in_link: str
    reset_link: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """For a new customer. ``reset_link`` is for an owner who did not sign up."""

    sign_in_link: str
    reset_link: str


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """``link`` opens the form for a new password and is valid for ``lifetime``."""

    link: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """When the password changed. ``reset_link`` is for an owner who did not change it."""

    changed_at: datetime
    reset_link: str


class SecondFactorChange(StrEnum):
    """What happened to the second factor of an account."""

    ON = "on"
    OFF = "off"
    NEW_RECOVERY_CODES = "new recovery codes"
    RECOVERY_CODE_USED = "recovery code used"
    REMOVED_BY_SHOP = "removed by shop"


@dataclass(frozen=True, slots=True)
class SecondFactorChanged:
    """What changed, and when. ``codes_left`` counts the recovery codes after one was used.
    ``reset_link`` is for an owner who did not do it.
    """

    change: SecondFactorChange
    changed_at: datetime
    codes_left: int
    second_factor_link: str
    reset_link: str


@dataclass(frozen=True, slots=True)
class EmailChange:
    """``link`` confirms the new address of an account and is valid for ``lifetime``."""

    link: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class EmailChanged:
    """For the old address. ``is_done`` is false when the change was only asked for. ``reset_link``
    leads back into the account as long as it is.
    """

    at: datetime
    is_done: bool
    reset_link: str


@dataclass(frozen=True, slots=True)
class AccountDeleted:
    """When the account was deleted."""

    deleted_at: datetime


CONFIRM_ADDRESS = Kind(
    name="confirm_address",
    context=ConfirmAddress,
    samples={
        "short": ConfirmAddress(f"{SHORT}/confirm/x", HOUR),
        "long": ConfirmAddress(f"{SHORT}/confirm/{SAMPLE_SECRET}", DAY),
    },
    time_to_live=DAY,
    priority=Priority.ACCOUNT,
    limit=FOR_ANYBODY,
    carries_secret=True,
    supersedes=True,
    confirms_address=True,
)
ACCOUNT_EXISTS = Kind(
    name="account_exists",
    context=AccountExists,
    samples={
        "short": AccountExists(f"{SHORT}/sign-in", f"{SHORT}/forgot"),
        "long": AccountExists(f"{LONG}/sign-in", f"{LONG}/forgot-password"),
    },
    time_to_live=DAY,
    priority=Priority.ACCOUNT,
    limit=FOR_ANYBODY,
    supersedes=True,
)
WELCOME = Kind(
    name="welcome",
    context=Welcome,
    samples={
        "short": Welcome(f"{SHORT}/sign-in", f"{SHORT}/forgot"),
        "long": Welcome(f"{LONG}/sign-in", f"{LONG}/forgot-password"),
    },
    time_to_live=3 * DAY,
    priority=Priority.ACCOUNT,
    limit=RateLimit(5, HOUR),
)
PASSWORD_RESET = Kind(
    name="password_reset",
    context=PasswordReset,
    samples={
        "short": PasswordReset(f"{SHORT}/reset-password/x", timedelta(minutes=30)),
        "long": PasswordReset(f"{SHORT}/reset-password/{SAMPLE_SECRET}", DAY),
    },
    time_to_live=timedelta(minutes=30),
    priority=Priority.SECURITY,
    # The period equals a link's lifetime. So whatever strangers ask for, the owner has at least one
    # email with a link that still works.
    limit=replace(FOR_ANYBODY, period=timedelta(minutes=30)),
    carries_secret=True,
    supersedes=True,
)
PASSWORD_CHANGED = Kind(
    name="password_changed",
    context=PasswordChanged,
    samples={
        "short": PasswordChanged(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), f"{SHORT}/forgot"),
        "long": PasswordChanged(
            datetime(2026, 11, 22, 23, 59, tzinfo=UTC), f"{LONG}/forgot-password"
        ),
    },
    time_to_live=3 * DAY,
    priority=Priority.SECURITY,
    limit=RateLimit(10, HOUR),
)


def _second_factor_sample(
    change: SecondFactorChange, codes_left: int = 0, site: str = SHORT
) -> SecondFactorChanged:
    when = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    return SecondFactorChanged(
        change, when, codes_left, f"{site}/account/second-factor", f"{site}/forgot-password"
    )


SECOND_FACTOR_CHANGED = Kind(
    name="second_factor_changed",
    context=SecondFactorChanged,
    samples={
        "short": _second_factor_sample(SecondFactorChange.OFF),
        "long": _second_factor_sample(SecondFactorChange.ON, site=LONG),
        "new_codes": _second_factor_sample(SecondFactorChange.NEW_RECOVERY_CODES),
        "code_used": _second_factor_sample(SecondFactorChange.RECOVERY_CODE_USED, 9),
        "last_code_used": _second_factor_sample(SecondFactorChange.RECOVERY_CODE_USED, 0),
        "removed": _second_factor_sample(SecondFactorChange.REMOVED_BY_SHOP),
    },
    time_to_live=3 * DAY,
    priority=Priority.SECURITY,
    limit=RateLimit(20, HOUR),
)
EMAIL_CHANGE = Kind(
    name="email_change",
    context=EmailChange,
    samples={
        "short": EmailChange(f"{SHORT}/account/email/x", HOUR),
        "long": EmailChange(f"{LONG}/account/email/{SAMPLE_SECRET}", HOUR),
    },
    time_to_live=HOUR,
    priority=Priority.ACCOUNT,
    limit=FOR_ANYBODY,
    carries_secret=True,
    supersedes=True,
    confirms_address=True,
)
EMAIL_CHANGED = Kind(
    name="email_changed",
    context=EmailChanged,
    samples={
        "short": EmailChanged(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), True, f"{SHORT}/forgot"),
        "long": EmailChanged(
            datetime(2026, 11, 22, 23, 59, tzinfo=UTC), False, f"{LONG}/forgot-password"
        ),
    },
    time_to_live=3 * DAY,
    priority=Priority.SECURITY,
    limit=RateLimit(30, HOUR),
)
ACCOUNT_DELETED = Kind(
    name="account_deleted",
    context=AccountDeleted,
    samples={
        "short": AccountDeleted(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        "long": AccountDeleted(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)),
    },
    time_to_live=3 * DAY,
    priority=Priority.SECURITY,
    limit=RateLimit(10, HOUR),
)
