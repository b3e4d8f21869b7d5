"""The agent inside a lab's VM: the same engine with plain nodes, spoken to through the guest's one port."""
