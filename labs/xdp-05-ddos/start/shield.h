/* SPDX-License-Identifier: GPL-2.0 */
/* What shield.c needs: taking packets apart, and making an answer of one. Nothing has to be changed here. */
#ifndef SHIELD_H
#define SHIELD_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define WEB 80
#define SYN_TCP_BYTES 40	/* a Linux client's SYN: 20 bytes, and 20 of options */

/* A key of a trie: the first prefixlen bits of address count. */
struct prefix {
	__u32 prefixlen;
	__be32 address;
};

struct packet {
	struct ethhdr *eth;
	struct iphdr *ip;
	struct tcphdr *tcp;
};

/* Is it the first packet of a connection to the shop? */
static __always_inline int is_syn(struct xdp_md *ctx, struct packet *p)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data;

	p->eth = at;
	p->ip = at + sizeof(*p->eth);
	p->tcp = at + sizeof(*p->eth) + sizeof(*p->ip);
	if (at + sizeof(*p->eth) + sizeof(*p->ip) + SYN_TCP_BYTES > end)
		return 0;
	if (p->eth->h_proto != bpf_htons(ETH_P_IP) || p->ip->ihl != 5 || p->ip->protocol != IPPROTO_TCP)
		return 0;
	return p->tcp->syn && !p->tcp->ack && p->tcp->dest == bpf_htons(WEB);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/*
 * Turn a SYN into its SYN-ACK, in place: back to where it came from, with
 * cookie as our sequence number. Of the options only the segment size stays.
 */
static __always_inline void make_synack(struct packet *p, __u32 cookie, __u16 mss)
{
	struct ethhdr *eth = p->eth;
	struct iphdr *ip = p->ip;
	struct tcphdr *tcp = p->tcp;
	__u32 *options = (void *)(tcp + 1);
	__u8 mac[ETH_ALEN];
	__be32 address = ip->saddr;
	__be16 port = tcp->source;
	__u64 sum;

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	ip->saddr = ip->daddr;
	ip->daddr = address;
	tcp->source = tcp->dest;
	tcp->dest = port;
	tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
	tcp->seq = bpf_htonl(cookie);
	tcp->ack = 1;
	tcp->ece = 0;
	tcp->cwr = 0;
	options[0] = bpf_htonl(0x02040000 | mss);
	options[1] = options[2] = options[3] = options[4] = 0x01010101;	/* no operation */
	tcp->check = 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)tcp, SYN_TCP_BYTES, 0);
	sum += (ip->saddr & 0xffff) + (ip->saddr >> 16) + (ip->daddr & 0xffff) + (ip->daddr >> 16);
	sum += bpf_htons(IPPROTO_TCP) + bpf_htons(SYN_TCP_BYTES);
	tcp->check = fold(sum);
}

#endif
