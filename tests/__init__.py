"""Tests: unit (no input or output), then everything against the real thing."""
