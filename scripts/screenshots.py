"""Takes the pictures in docs/images from a running shop: ``./run screenshots``. Needs Chromium.

The script serves the shop on a free port, with a new database in a temporary folder. A browser
signs up, confirms the address, buys something and opens the mailbox.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "docs" / "images"
PASSWORD = "a lovely long passphrase"  # noqa: S105 (it opens a shop that lives for a minute)
START_SECONDS = 60


def main() -> None:
    """Write every picture. Ends with code 1 when Chromium is missing or the shop does not start."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("screenshots: Chromium is not installed; on Debian: apt install chromium")
    with running_shop() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(
            base_url=url, viewport={"width": 1000, "height": 780}, device_scale_factor=1.5
        )
        receipt = buy_something(page)
        page.goto("/dev/mailbox")
        page.screenshot(path=IMAGES / "mailbox.png")
        page.set_viewport_size({"width": 640, "height": 860})
        page.goto(f"/dev/mailbox/{receipt}/html")
        page.screenshot(path=IMAGES / "receipt.png")
        browser.close()


@contextmanager
def running_shop() -> Iterator[str]:
    """Serves the shop while the block runs. Yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://localhost:{port}"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 (the arguments are our own)
            [Path(sys.executable).with_name("pillarbox"), "serve", PROJECT / "development.ini"],
            env=os.environ
            | {
                "PORT": str(port),
                "PILLARBOX_SITE_BASE_URL": url,
                "PILLARBOX_DATABASE_URL": f"sqlite:///{folder}/pillarbox.sqlite",
            },
        )
        try:
            wait_until_ready(process, url)
            yield url
        finally:
            process.terminate()
            process.wait()


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    """Wait until the shop is ready. Ends with code 1 after ``START_SECONDS``, or when it ended."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz"):  # noqa: S310 (our own address)
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("screenshots: the shop does not start")


def buy_something(page: Page) -> int:
    """Sign up, sign in, buy three products. Returns the id of the receipt's email."""
    page.goto("/sign-up")
    submit(page, email="ada@example.org", password=PASSWORD)
    page.goto(link_in_newest_email(page, "/confirm/"))
    submit(page)
    page.goto("/sign-in")
    submit(page, email="ada@example.org", password=PASSWORD)
    page.goto("/forgot-password")
    submit(page, email="ada@example.org")
    for product in ("letter-paper", "sealing-wax", "postcards"):
        page.goto(f"/products/{product}")
        submit(page)
    page.goto("/checkout")
    submit(page, name="Ada Lovelace", address="12 St James's Square\nLondon SW1Y 4JH")
    page.wait_for_url("**/payments/test/*")
    submit(page)
    page.wait_for_url("**/orders/*")
    emails = page.request.get("/dev/mailbox.json").json()
    return next(email["id"] for email in emails if email["kind"] == "purchase_receipt")


def submit(page: Page, **fields: str) -> None:
    """Fill in fields of the page's first form, by name, and submit it."""
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)
    page.locator("main form button[type=submit]").first.click()


def link_in_newest_email(page: Page, path: str) -> str:
    """The first link in the newest email that contains ``path``."""
    [newest, *_] = page.request.get("/dev/mailbox.json").json()
    return str(next(link for link in newest["links"] if path in link))


if __name__ == "__main__":
    main()
