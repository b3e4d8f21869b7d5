"""Runs: one attendee's running lab, its files, terminals, verdicts; admission, deadlines, the projection of host events."""
