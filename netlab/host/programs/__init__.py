"""Builds, loads and attaches attendees' BPF programs; explains what the compiler and the verifier say."""
