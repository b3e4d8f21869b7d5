/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few fields of the kernel's structures that netlab's own programs read. libbpf finds out where they lie in the
 * running kernel (CO-RE), so one object serves every kernel that has BTF.
 */
#ifndef NETLAB_KERNEL_H
#define NETLAB_KERNEL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct device {
	void *parent;
};

struct net_device {
	int ifindex;
	possible_net_t nd_net;
	struct device dev;
};

struct sock_common {
	unsigned short skc_family;
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
};

struct dst_entry {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
};

struct neighbour {
	struct net_device *dev;
};

struct page_pool_params_fast {
	struct device *dev;
};

struct page_pool {
	struct page_pool_params_fast p;
};

#pragma clang attribute pop

#endif
