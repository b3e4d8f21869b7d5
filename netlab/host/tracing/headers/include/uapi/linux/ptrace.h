/* SPDX-License-Identifier: GPL-2.0 */
/* For kprobes. */
struct pt_regs;
