"""SMTP: the connection to the relay, the meaning of its replies, and the bytes of a message.
Nothing here changes the outbox.
"""
