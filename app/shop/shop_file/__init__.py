"""The shop's file: one TOML file that says who sells what. docs/shop.md describes its format.

``parse`` reads and checks it, ``importing`` puts it into the database, ``exporting`` writes it.
"""
