"""The box around a sandboxed node: OCI bundle, seccomp profile, and the one door to crun or runc."""
