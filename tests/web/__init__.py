"""Tests of the web side: rows, REST, queue, projection; with a real Redis and a real SQLite."""
