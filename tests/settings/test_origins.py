"""Each setting with the place that it came from, for the doctor."""

from pathlib import Path

from app.settings.origins import origins


def test_no_password_of_the_database_is_shown() -> None:
    url = "postgresql+psycopg://shop:first@db/shop?password=second&sslPassword=third&x=1"
    shown = {
        origin.name: origin.shown
        for origin in origins(
            {"database.url": url}, here=Path.cwd(), source="production.ini", environ={}
        )
    }
    assert shown["database.url"] == (
        "postgresql+psycopg://shop:***@db/shop?password=...&sslPassword=...&x=1"
    )
