"""Evaluates the probes of a lab's checks and says what was observed and what was expected."""
