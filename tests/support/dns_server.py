"""A DNS server on loopback that answers for the names that a test gives it."""

import threading
from collections.abc import Mapping
from socketserver import BaseRequestHandler, UDPServer
from types import TracebackType

from dns import flags, message, rcode, rrset
from dns.resolver import Resolver


class DNSServer:
    """Answers TXT questions with ``records``, the texts of each name, and NXDOMAIN otherwise."""

    def __init__(self, records: Mapping[str, list[str]]) -> None:
        self.asked: list[str] = []

        class Answer(BaseRequestHandler):
            def handle(handler) -> None:
                data, socket = handler.request
                socket.sendto(self._answer(data, records), handler.client_address)

        self._server = UDPServer(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def resolver(self) -> Resolver:
        """A resolver that asks this server."""
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self._server.server_address[1]
        return resolver

    def _answer(self, data: bytes, records: Mapping[str, list[str]]) -> bytes:
        question = message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        answer = message.make_response(question)
        answer.flags |= flags.RA
        if name in records:
            quoted = [f'"{text}"' for text in records[name]]
            answer.answer.append(rrset.from_text(f"{name}.", 60, "IN", "TXT", *quoted))
        else:
            answer.set_rcode(rcode.NXDOMAIN)
        return answer.to_wire()

    def __enter__(self) -> "DNSServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
