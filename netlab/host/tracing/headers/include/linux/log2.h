/* SPDX-License-Identifier: GPL-2.0 */
/* bcc has a bpf_log2l of its own. */
