"""The only modules that touch the operating system: processes, namespaces, netlink, mounts, BPF, cgroups."""
