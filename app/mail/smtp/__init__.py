"""SMTP: the connection to a relay, what its replies mean, and the bytes of a message. It writes no
row of the outbox.
"""
