"""Virtual machines on this host: guest images, templates and the QEMU processes cloned from them. Knows no lab messages."""
