/* SPDX-License-Identifier: GPL-2.0 */
/* For classifiers of packets, which traces do not have. */
