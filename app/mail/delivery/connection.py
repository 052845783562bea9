"""One thread's connection to the relay."""

from collections.abc import Callable

from app.mail.smtp.mailer import Mailer


class RelayConnection:
    """A connection to the relay, made when the first email needs it, and the ids of the emails in
    progress on it.

    ``worker`` is the name under which these emails were claimed: a worker can change its name.
    """

    def __init__(self, new_mailer: Callable[[], Mailer]) -> None:
        self._new_mailer = new_mailer
        self._mailer: Mailer | None = None
        self.worker = ""
        self.in_progress: set[int] = set()

    @property
    def mailer(self) -> Mailer:
        if self._mailer is None:
            self._mailer = self._new_mailer()
        return self._mailer

    def abort(self) -> None:
        """Break the connection off, whatever another thread waits for on it."""
        if self._mailer is not None:
            self._mailer.abort()

    def quit(self) -> None:
        """Close the connection."""
        if self._mailer is not None:
            self._mailer.quit()
