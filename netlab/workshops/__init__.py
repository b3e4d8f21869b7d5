"""Workshops: which labs, when, how many seats, who teaches, who is here."""
