"""Carries out commands on this kernel: one actor a run, state on disk, events out. Imports no Redis and no Django."""
