"""Writes the lint's table of what mail programs lack, from the data of Can I email.

    python scripts/client_support.py PATH_TO_CANIEMAIL_JSON

The data is https://www.caniemail.com/api/data.json. Run this by hand when there is newer data.
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
"""The programs that the table covers, by their family and platform in the data."""

CATEGORIES = ("css", "html")
"""The data's other categories, images and protocols, are not about an email's HTML."""

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
"""The licence of Can I email (https://github.com/hteumeuleu/caniemail)."""


def table(data: Mapping[str, Any]) -> dict[str, Any]:
    """The features that at least one program lacks, each with the programs that lack it in their
    latest test. Partial support counts as support.
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
        # The results are in the order of the tests. The last one is the newest.
        results = list(stats.get(family, {}).get(platform, {}).values())
        if results and results[-1].split()[0] == "n":
            yield name


def table_json(table: Mapping[str, Any]) -> str:
    """The table as JSON with one line for each feature, so that a diff shows what has changed."""
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
    TABLE.write_text(table_json(table(source)), "utf-8")
