"""Accounts: sign-up, sign-in, sessions, password reset and preferences.

Adds ``request.account`` and the permissions of ``app.accounts.permissions``. It knows no product.
"""

from pyramid.config import Configurator

from app.accounts import events, tokens


def includeme(config: Configurator) -> None:
    """Register the routes, views, sessions and kinds of email."""
    config.include("app.accounts.emails")
    config.include("app.accounts.export")
    config.include("app.accounts.sessions")
    config.include("app.accounts.permissions")
    config.include("app.accounts.reach")
    config.add_housekeeping("old account events deleted", events.sweep)
    config.add_housekeeping("old links deleted", tokens.sweep)
    config.add_housekeeping("old sign-ups deleted", tokens.sweep_sign_ups)
    config.add_route("sign_up", "/sign-up")
    config.add_route("sign_up_sent", "/sign-up/sent")
    # A mail program may take a slash behind a link for a part of it.
    config.add_route("confirm", "/confirm/{token:.+}")
    config.add_route("sign_in", "/sign-in")
    config.add_route("sign_in_code", "/sign-in/code")
    config.add_route("sign_out", "/sign-out")
    config.add_route("forgot_password", "/forgot-password")
    config.add_route("forgot_password_sent", "/forgot-password/sent")
    config.add_route("reset_password", "/reset-password/{token:.+}")
    config.add_route("account", "/account")
    config.add_route("reauthenticate", "/account/confirm")
    config.add_route("email_change", "/account/email")
    config.add_route("email_change_sent", "/account/email/sent")
    config.add_route("confirm_email_change", "/account/email/{token:.+}")
    config.add_route("password_change", "/account/password")
    config.add_route("sessions", "/account/sessions")
    config.add_route("account_emails", "/account/emails")
    config.add_route("try_address_again", "/account/emails/try-again")
    config.add_route("export", "/account/export")
    config.add_route("delete_account", "/account/delete")
    config.add_route("preferences", "/account/preferences")
    config.add_route("second_factor", "/account/second-factor")
    config.add_route("second_factor_qr", "/account/second-factor/qr.svg")
    config.add_route("second_factor_off", "/account/second-factor/turn-off")
    config.add_route("recovery_codes", "/account/second-factor/recovery-codes")
    config.add_private_paths(
        "/account", "/confirm/", "/reset-password/", "/sign-up/sent", "/forgot-password/sent"
    )
    config.add_hashing_paths(
        "/sign-in",
        "/sign-up",
        "/confirm/",
        "/reset-password/",
        "/account/confirm",
        "/account/password",
        "/account/delete",
    )
    config.scan("app.accounts")
