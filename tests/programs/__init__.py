"""Tests of netlab's programs."""
