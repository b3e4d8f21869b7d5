"""DSA switches of a lab: what the tags on their conduits say."""
