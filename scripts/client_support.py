"""Makes the lint's table of what mail programs lack out of the data of Can I email.

    python scripts/client_support.py PATH_TO_CANIEMAIL_JSON

The data is https://www.caniemail.com/api/data.json. The application and its tests need only the
table, so this is run by hand when there is newer data.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "app" / "previews" / "lint" / "client_support.json"

CLIENTS = {
    ("gmail", "desktop-webmail"): "Gmail",
    ("gmail", "ios"): "Gmail for iOS",
    ("gmail", "android"): "Gmail for Android",
    ("apple-mail", "macos"): "Apple Mail",
    ("apple-mail", "ios"): "Apple Mail for iOS",
    ("outlook", "windows"): "classic Outlook",
    ("outlook", "outlook-com"): "new Outlook and Outlook.com",
    ("outlook", "macos"): "Outlook for Mac",
    ("outlook", "ios"): "Outlook for iOS",
    ("outlook", "android"): "Outlook for Android",
    ("yahoo", "desktop-webmail"): "Yahoo",
    ("yahoo", "ios"): "Yahoo for iOS",
    ("yahoo", "android"): "Yahoo for Android",
    ("samsung-email", "android"): "Samsung Email",
    ("thunderbird", "macos"): "Thunderbird",
    ("protonmail", "desktop-webmail"): "Proton Mail",
    ("protonmail", "ios"): "Proton Mail for iOS",
    ("protonmail", "android"): "Proton Mail for Android",
    ("fastmail", "desktop-webmail"): "Fastmail",
    ("gmx", "desktop-webmail"): "GMX",
    ("gmx", "ios"): "GMX for iOS",
    ("gmx", "android"): "GMX for Android",
    ("web-de", "desktop-webmail"): "WEB.DE",
    ("web-de", "ios"): "WEB.DE for iOS",
    ("web-de", "android"): "WEB.DE for Android",
    ("t-online-de", "desktop-webmail"): "T-Online",
}
"""The programs that matter, by the family and platform that the data names them by."""

CATEGORIES = ("css", "html")
"""Images and protocols are no matter of an email's own HTML."""

LICENCE = """\
MIT License

Copyright (c) 2019 HTeuMeuLeu

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""
"""Of Can I email, https://github.com/hteumeuleu/caniemail, whose results the table condenses."""


def table(data: Mapping[str, Any]) -> dict[str, Any]:
    """The table of ``data``: every feature that a program lacks, with those that lack it by the
    latest test of each. Partial support is support.
    """
    return {
        "source": "https://www.caniemail.com/",
        "date": data["last_update_date"][:10],
        "licence": LICENCE,
        "features": {
            feature["slug"]: {
                "title": feature["title"].strip(),
                "tested": feature["last_test_date"],
                "lacking": lacking,
            }
            for feature in sorted(data["data"], key=lambda feature: feature["slug"])
            if feature["category"] in CATEGORIES and (lacking := list(_lacking(feature["stats"])))
        },
    }


def _lacking(stats: Mapping[str, Any]) -> Iterator[str]:
    for (family, platform), name in CLIENTS.items():
        # Versions stand in the order of their tests, and the newest comes last.
        results = list(stats.get(family, {}).get(platform, {}).values())
        if results and results[-1].split()[0] == "n":
            yield name


def written(table: Mapping[str, Any]) -> str:
    """The table as JSON with a line for each feature, so that a newer one can be compared."""
    features = ",\n".join(
        f"    {json.dumps(slug)}: {json.dumps(feature, ensure_ascii=False)}"
        for slug, feature in table["features"].items()
    )
    head = "".join(
        f"  {json.dumps(key)}: {json.dumps(table[key])},\n" for key in ("source", "date", "licence")
    )
    return f'{{\n{head}  "features": {{\n{features}\n  }}\n}}\n'


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").strip())
    source = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    TABLE.write_text(written(table(source)), "utf-8")
