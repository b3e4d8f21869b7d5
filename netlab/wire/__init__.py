"""What crosses process borders: commands down, events, terminal bytes and counter frames up. Versioned and typed."""
