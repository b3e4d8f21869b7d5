"""The privileged side of netlab: owns the labs of one host. No Django, no database; only `agent` knows Redis."""
