"""The outbox: the tables, the states of an email, and every change of a state. It speaks no SMTP:
`delivery` talks to the relay and calls the functions here.
"""
