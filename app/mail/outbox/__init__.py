"""The outbox: tables, the states of an email, and every change of a state. No SMTP."""
