/* SPDX-License-Identifier: GPL-2.0 */
/* Included by bcc before everything else, which looks for it. */
#define CONFIG_BPF_SYSCALL 1
