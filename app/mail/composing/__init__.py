"""Composing: a kind and its context become a message. Nothing is stored or sent here."""
