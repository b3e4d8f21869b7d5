"""Live counters: a sampler process of its own reads every node's interfaces and XDP actions; the agent hands them on."""
