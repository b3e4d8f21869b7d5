"""Benches: each prints `figure NAME NUMBER UNIT` lines; run by `make bench-NAME`, never by the test suite."""
