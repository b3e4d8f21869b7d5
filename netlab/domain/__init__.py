"""What netlab is about, in pure Python: labs, runs, checks, errors. No Django, no Redis, no kernel."""
