/* SPDX-License-Identifier: GPL-2.0 */
/* Classes of instructions, which no C text needs. */
