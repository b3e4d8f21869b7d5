"""The fork server: one small single-threaded process that does all fork, unshare, setns and mount work of a host."""
