"""The sampler: reads counters of all labs once a tick, in a process of its own, and packs them."""
