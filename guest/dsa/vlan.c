// SPDX-License-Identifier: GPL-2.0
/*
 * VLANs: what a frame belongs to when it comes in, and how it leaves
 *
 * Only ports of a VLAN-aware bridge look at the tag. All others treat it as
 * part of the payload, and all their frames as of VLAN 0.
 */
#include "dsa_netlab.h"

/* Take an 802.1Q tag out of the frame's bytes into the skb's VLAN field. A tag
 * with another TPID (802.1ad) stays: to this chip it is payload.
 */
void dsn_vlan_normalise(struct sk_buff *skb)
{
	u16 tci;

	skb_reset_mac_header(skb);
	if (!skb_vlan_tag_present(skb) &&
	    eth_hdr(skb)->h_proto == htons(ETH_P_8021Q) &&
	    skb->len >= VLAN_ETH_HLEN && !__skb_vlan_pop(skb, &tci))
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
}

static bool dsn_vlan_is_tagged(const struct sk_buff *skb)
{
	return skb_vlan_tag_present(skb) &&
	       skb->vlan_proto == htons(ETH_P_8021Q);
}

/* Returns false if the frame is to be dropped. */
bool dsn_vlan_classify(const struct dsn_port *port, struct dsn_frame *frame)
{
	frame->vid = 0;
	if (!port->vlan_aware)
		return true;
	if (dsn_vlan_is_tagged(frame->skb))
		frame->vid = skb_vlan_tag_get_id(frame->skb);
	/* VID 0 is a priority tag: it names no VLAN. */
	if (!frame->vid)
		frame->vid = port->pvid;
	return frame->vid && test_bit(frame->vid, port->member);
}

/* Take out the ports that are not in the frame's VLAN, and say how it leaves
 * by the others. The CPU gets it as it came in: it knows the PVIDs itself.
 */
void dsn_vlan_egress(const struct dsn_chip *chip,
		     const struct dsn_frame *frame, struct dsn_verdict *verdict)
{
	unsigned long ports = verdict->out;
	unsigned int i;

	if (!frame->vid)
		return;
	for_each_set_bit(i, &ports, DSN_MAX_PORTS) {
		const struct dsn_port *port = &chip->port[i];

		if (!test_bit(frame->vid, port->member))
			verdict->out &= ~BIT(i);
		else if (i == DSN_CPU_PORT)
			continue;
		else if (test_bit(frame->vid, port->untagged))
			verdict->untag |= BIT(i);
		else
			verdict->tag |= BIT(i);
	}
}
