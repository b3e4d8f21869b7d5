"""Tests of netlab's labs."""
