"""Previews: every sample of every kind of email in every language, and the lint that checks
each one. Only commands, the development pages and tests use them; no email is sent from here.
"""
