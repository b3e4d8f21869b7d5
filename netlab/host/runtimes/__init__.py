"""The ways to run a lab: `namespaces` in this kernel, later `vm` in a kernel of its own. One contract: `base`."""
