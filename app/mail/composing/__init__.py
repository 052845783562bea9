"""Composing makes a message (subject, HTML and plain text) from a kind of email and its context.
Nothing here stores or sends anything.
"""
