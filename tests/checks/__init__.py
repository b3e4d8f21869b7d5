"""Tests of netlab's checks."""
