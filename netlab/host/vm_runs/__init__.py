"""Runs in VMs as the host sees them: what is wanted and known of each, and everything that is said with its guest."""
