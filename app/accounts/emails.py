"""The emails about accounts: each function composes one. ``email_kinds`` declares their kinds."""

from datetime import timedelta
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from app.accounts.email_kinds import (
    ACCOUNT_DELETED,
    ACCOUNT_EXISTS,
    CONFIRM_ADDRESS,
    EMAIL_CHANGE,
    EMAIL_CHANGED,
    PASSWORD_CHANGED,
    PASSWORD_RESET,
    SECOND_FACTOR_CHANGED,
    WELCOME,
    AccountDeleted,
    AccountExists,
    ConfirmAddress,
    EmailChange,
    EmailChanged,
    PasswordChanged,
    PasswordReset,
    SecondFactorChange,
    SecondFactorChanged,
    Welcome,
)
from app.accounts.models import Account, PendingSignUp
from app.mail import BodyFormat, Kind, Message, Recipient


def about_sign_up(sign_up_id: int) -> str:
    """What the emails of a sign-up are about, whether its address has an account or not."""
    return f"pending_sign_up:{sign_up_id}"


def confirm_address(
    request: Request, pending: PendingSignUp, secret: str, lifetime: timedelta
) -> Message:
    """To the address of a sign-up that is not confirmed yet."""
    message: Message = request.compose(
        CONFIRM_ADDRESS,
        ConfirmAddress(request.link("confirm", token=secret), lifetime),
        to=Recipient(address=pending.address, locale=pending.locale),
        about=about_sign_up(pending.id),
    )
    return message


def account_exists(
    request: Request, account: Account, pending: PendingSignUp | None = None
) -> Message:
    """To the owner of an account whose address was used to sign up again, or as the new address of
    another account.

    For a sign-up, it is about ``pending``, as the email to a free address is. So each of the two
    supersedes, and is cancelled with, the emails of its own sign-up only.
    """
    context = AccountExists(request.link("sign_in"), request.link("forgot_password"))
    about = about_sign_up(pending.id) if pending is not None else None
    return _to_owner(request, account, ACCOUNT_EXISTS, context, about=about)


def welcome(request: Request, account: Account) -> Message:
    """To a customer who has just confirmed the address."""
    context = Welcome(request.link("sign_in"), request.link("forgot_password"))
    return _to_owner(request, account, WELCOME, context)


def password_reset(request: Request, account: Account, secret: str, lifetime: timedelta) -> Message:
    """To the owner of an account for which somebody asked to reset the password."""
    context = PasswordReset(request.link("reset_password", token=secret), lifetime)
    return _to_owner(request, account, PASSWORD_RESET, context)


def password_changed(request: Request, account: Account) -> Message:
    """To the owner of an account whose password was changed."""
    context = PasswordChanged(request.now, request.link("forgot_password"))
    return _to_owner(request, account, PASSWORD_CHANGED, context)


def second_factor_changed(
    request: Request, account: Account, change: SecondFactorChange, *, codes_left: int = 0
) -> Message:
    """To the owner of an account whose second factor or recovery codes changed."""
    context = SecondFactorChanged(
        change,
        request.now,
        codes_left,
        request.link("second_factor"),
        request.link("forgot_password"),
    )
    return _to_owner(request, account, SECOND_FACTOR_CHANGED, context)


def email_change(
    request: Request, account: Account, new_address: str, secret: str, lifetime: timedelta
) -> Message:
    """To the new address of an account, which has to be confirmed."""
    message: Message = request.compose(
        EMAIL_CHANGE,
        EmailChange(request.link("confirm_email_change", token=secret), lifetime),
        to=Recipient(
            address=new_address,
            locale=account.locale,
            body_format=BodyFormat(account.body_format),
        ),
        about=f"email_change:{account.id}",
    )
    return message


def email_changed(request: Request, account: Account, *, is_done: bool) -> Message:
    """To the present address of an account, before another one takes its place."""
    context = EmailChanged(request.now, is_done, request.link("forgot_password"))
    return _to_owner(request, account, EMAIL_CHANGED, context)


def account_deleted(request: Request, account: Account) -> Message:
    """To the owner of an account that is being deleted."""
    return _to_owner(request, account, ACCOUNT_DELETED, AccountDeleted(request.now))


def _to_owner(
    request: Request, account: Account, kind: Kind, context: Any, *, about: str | None = None
) -> Message:
    recipient = Recipient(
        address=account.address, locale=account.locale, body_format=BodyFormat(account.body_format)
    )
    message: Message = request.compose(
        kind, context, to=recipient, about=about or f"account:{account.id}"
    )
    return message


def includeme(config: Configurator) -> None:
    """Register the kinds."""
    for kind in (
        CONFIRM_ADDRESS,
        ACCOUNT_EXISTS,
        WELCOME,
        PASSWORD_RESET,
        PASSWORD_CHANGED,
        SECOND_FACTOR_CHANGED,
        EMAIL_CHANGE,
        EMAIL_CHANGED,
        ACCOUNT_DELETED,
    ):
        config.add_email_kind(kind)
