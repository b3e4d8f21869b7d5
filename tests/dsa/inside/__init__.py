"""What runs in a guest: a bench with a switch and hosts, and the cases. Python alone, and the tools of the root file system."""
