"""The outbox: the tables, the states of an email, and every move between them. No SMTP happens
here: `delivery` talks to the relay and calls these moves.
"""
