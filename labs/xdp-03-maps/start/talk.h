/* SPDX-License-Identifier: GPL-2.0 */
/* What kernel and user space both know: the program in talk.c counts it, the reader in read.c prints it. */

struct talk {
	__u64 packets;
	__u64 bytes;
};
