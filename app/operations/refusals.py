"""What the server answers without the application: to a request that is not HTTP, is too large or
does not arrive in time, and when the application itself raises an error.
"""

from typing import Any

from waitress.task import ErrorTask


class Refusal(ErrorTask):
    """A line of plain text with the headers of ``Connections.headers``. It does not name the server
    software or quote the request.
    """

    def execute(self) -> None:
        channel: Any = self.channel
        request: Any = self.request
        error = request.error
        self.status = f"{error.code} {error.reason}"
        body = f"{error.reason}\n".encode()
        self.response_headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            *channel.connections.headers.items(),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
