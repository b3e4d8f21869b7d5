/* SPDX-License-Identifier: GPL-2.0 */
/* The oldest kernel of a host. Only programs of kprobes, which traces do not have, are bound to a version. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(6, 1, 0)
