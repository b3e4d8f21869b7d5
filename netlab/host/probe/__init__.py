"""Finds out what this kernel can do, by doing it in throw-away namespaces."""
