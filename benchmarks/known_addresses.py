"""Whether the time of a response tells a known address from an unknown one, and what a limit
costs.
"""

import time
from collections.abc import Callable
from statistics import median

from sqlalchemy import delete
from webtest import TestApp

from app import configure
from app.accounts.rate_limits import SIGN_INS
from app.database.engine import Database
from app.web import limits
from app.web.limits import RateLimit
from benchmarks.databases import ENGINES, Databases
from benchmarks.table import Line, Section, number, ratio
from tests.support.accounts import ANOTHER_PASSWORD, PASSWORD, add_account, sign_in
from tests.support.browser import another_browser
from tests.support.shop_settings import shop_settings

KNOWN, OWNER = "known@example.org", "owner@example.org"
PAGES = {"/sign-in": "email", "/sign-up": "email", "/forgot-password": "email"}
EMAIL_CHANGE = "/account/email"


def run(databases: Databases, *, quick: bool) -> Section:
    """Each form is sent in turns with a known and an unknown address, to the application without a
    server in between. The counts of limits are emptied before each, so that none applies.
    """
    times = 3 if quick else 100
    lines = []
    for name in ENGINES:
        router = configure({}, shop_settings(databases.new(name))).make_wsgi_app()
        registry = router.registry
        for address in (KNOWN, OWNER):
            add_account(registry.database, address)
        visitor, owner = another_browser(router), another_browser(router)
        sign_in(owner, OWNER)
        for path, field in {**PAGES, EMAIL_CHANGE: "new_email"}.items():
            browser = owner if path == EMAIL_CHANGE else visitor
            send = _sender(browser, path, field, registry.database)
            spent: dict[str, list[float]] = {"known": [], "unknown": []}
            for turn in range(times):
                # A new known address each time, because an address has limits of its own.
                known = f"known{path.replace('/', '-')}{turn}@example.org"
                add_account(registry.database, known)
                spent["known"].append(send(known))
                spent["unknown"].append(send(f"un{known}"))
            known_ms, unknown_ms = (median(each) * 1000 for each in spent.values())
            lines.append(
                Line(
                    f"{name}: POST {path}",
                    [number(known_ms), number(unknown_ms), ratio(known_ms / unknown_ms)],
                )
            )
        spent_on_limit = []
        for turn in range(times):
            begun = time.perf_counter()
            limits.use(registry, SIGN_INS, str(turn), registry.clock())
            spent_on_limit.append(time.perf_counter() - begun)
        lines.append(
            Line(f"{name}: a limit's check", [number(median(spent_on_limit) * 1000), "", ""])
        )
        registry.database.dispose()
    return Section(
        "Known and unknown addresses",
        ["known, ms", "unknown, ms", "ratio"],
        lines,
        "a difference under 15 ms and 15 %, and a limit's check in 1 ms",
    )


def _sender(browser: TestApp, path: str, field: str, database: Database) -> Callable[[str], float]:
    form = browser.get(path).forms[0]

    def send(address: str) -> float:
        form[field] = address
        if "password" in form.fields:
            form["password"] = ANOTHER_PASSWORD if path == "/sign-in" else PASSWORD
        with database.transaction(write=True) as session:
            session.execute(delete(RateLimit))
        begun = time.perf_counter()
        answer = form.submit(expect_errors=True)
        seconds = time.perf_counter() - begun
        assert answer.status_int in (303, 422), answer.status
        return seconds

    return send
