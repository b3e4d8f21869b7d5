// SPDX-License-Identifier: GPL-2.0
#include "drop.h"

SEC("tc")
int tc_drop(struct __sk_buff *skb)
{
	if (is_unwanted((void *)(long)skb->data, (void *)(long)skb->data_end))
		return TC_ACT_OK;	/* here */
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
