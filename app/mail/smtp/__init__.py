"""SMTP: the connection to the relay, its replies, the bytes of a message. No outbox."""
