"""A Postfix, run from the machine's own installation. It has a configuration, a queue and a port of
its own.
"""

import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.support.certificates import Certificate
from tests.support.ports import free_port

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
POSTFIX = shutil.which("postfix", path=PATH)
CAN_RUN = POSTFIX is not None and os.geteuid() == 0
"""Whether Postfix is installed and we are root, because only root may start it."""

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/state
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
myhostname = relay.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
mydestination =
alias_maps =

smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {folder}/certificate.pem
message_size_limit = 1000000
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{ {later} = DEFER mailbox full }}
    {{ {never} = REJECT no such mailbox }} }}

virtual_mailbox_domains = example.org, gone.example, pipe.example
virtual_mailbox_base = {folder}
virtual_mailbox_maps = inline:{{
    {{ bounces@example.org = bounces/ }}
    {{ @example.org = mail/ }}
    {{ @pipe.example = mail/ }} }}
recipient_delimiter = +
transport_maps = inline:{{ {{ bounces@pipe.example = program: }} }}
program_destination_recipient_limit = 1
# Without this, Postfix refuses a recipient that does not exist, and has nothing to bounce.
smtpd_reject_unlisted_recipient = no
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
postlog   unix-dgram n - n - 1 postlogd
cleanup   unix  n - n - 0 cleanup
pickup    unix  n - n 60 1 pickup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
anvil     unix  - - n - 1 anvil
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
{pipe}
"""
RELAY_PAGE = Path(__file__).parents[2] / "docs" / "relay.md"
LATER, NEVER = "later@example.org", "never@example.org"
"""Recipients that Postfix defers and refuses."""
GONE = "anna@gone.example"
"""A recipient that Postfix takes and then bounces."""


def _documented_pipe(program: Path) -> str:
    """The pipe of docs/relay.md as the service ``program``, with ``program`` as its command."""
    found = re.search(r"^pillarbox( unix .*\n(?: .*\n)+)", RELAY_PAGE.read_text("utf-8"), re.M)
    assert found, "docs/relay.md has a pipe"
    pipe = found[1].replace("user=pillarbox", "user=nobody")
    command = "/usr/local/bin/pillarbox bounce /etc/pillarbox/production.ini"
    assert command in pipe
    return "program" + pipe.replace(command, str(program))


class Postfix:
    """A relay with STARTTLS and without a login that takes mail for example.org, up to 1 MB, and
    delivers it into a folder. It pipes mail for pipe.example into ``program``, and delivers mail
    for bounces@example.org into a maildir of its own.
    """

    implicit_tls = False

    def __init__(self, certificate: Certificate) -> None:
        self.certificate = certificate
        self.port = free_port()
        # Postfix's own user needs access, and only their owner has access to pytest's folders.
        self._folder = Path(tempfile.mkdtemp(prefix="pf-"))
        self._folder.chmod(0o755)
        self.program = self._folder / "program"
        self.bounces = self._folder / "bounces"
        owner = pwd.getpwnam("postfix")
        for name in ("queue", "state", "mail", "bounces"):
            (self._folder / name).mkdir()
        for name in ("state", "mail", "bounces"):
            shutil.chown(self._folder / name, "postfix")
        chain = certificate.key.read_text() + certificate.certificate.read_text()
        (self._folder / "certificate.pem").write_text(chain)
        (self._folder / "main.cf").write_text(
            MAIN.format(
                folder=self._folder, later=LATER, never=NEVER, uid=owner.pw_uid, gid=owner.pw_gid
            )
        )
        (self._folder / "master.cf").write_text(
            MASTER.format(port=self.port, pipe=_documented_pipe(self.program))
        )

    def __enter__(self) -> Self:
        self._run("start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("stop")
        shutil.rmtree(self._folder)

    @property
    def messages(self) -> list[bytes]:
        """The messages that arrived, as Postfix stored them: its own headers first, and LF ends a
        line.
        """
        return [path.read_bytes() for path in (self._folder / "mail" / "new").glob("*")]

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def run_program(self, *command: object) -> None:
        """Let ``program`` be this command, run by the user nobody."""
        words = shlex.join(str(word) for word in command)
        self.program.write_text(f"#!/bin/sh\nexec {words}\n")
        self.program.chmod(0o755)

    def flush(self) -> None:
        """Try all deferred mail again now."""
        self._run("flush")

    def _run(self, what: str) -> None:
        done = subprocess.run(
            [str(POSTFIX), "-c", str(self._folder), what],
            env=os.environ | {"PATH": PATH},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + self.log
