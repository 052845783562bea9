"""What is heard about an email after the relay took it: by a service's webhook or by a report that
an email server sends to the return path; and which addresses are suppressed because of it. What the
relay replies to the email itself belongs to ``outbox`` and ``smtp``.
"""
