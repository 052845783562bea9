"""Composing: a kind of email and its context become a message with a subject, HTML and plain text.
Nothing is stored and nothing is sent here.
"""
