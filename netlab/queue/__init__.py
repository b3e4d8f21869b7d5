"""Celery: short nudges from the web side to a host's agent. Knows neither Django nor the database."""
