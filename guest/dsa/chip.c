// SPDX-License-Identifier: GPL-2.0
/*
 * The data plane: what the chip does with a frame
 *
 * dsn_decide_*() say where it goes, with the chip's lock held; dsn_send()
 * brings it there, without. A frame passes these stages:
 *
 *	link -> MTU -> mirror -> rules -> link-local -> VLAN -> locked ->
 *	learning -> STP -> lookup -> STP, VLAN, isolation at the way out
 */
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include "dsa_netlab.h"

static unsigned int dsn_frame_len(const struct sk_buff *skb)
{
	return skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
}

static bool dsn_fits(const struct dsn_port *port, const struct sk_buff *skb)
{
	return skb->len <= port->mtu + ETH_HLEN + VLAN_HLEN;
}

static bool dsn_forwards(const struct dsn_port *port)
{
	return dsn_port_is_up(port) && port->stp_state == BR_STATE_FORWARDING;
}

/* MLD as it is found: behind a hop-by-hop header with a router alert. */
struct dsn_mld {
	struct ipv6hdr ip;
	struct ipv6_opt_hdr hop;
	u8 options[6];
	u8 type;
} __packed;

/* IGMP and MLD: the CPU must see who listens to which group. */
static bool dsn_is_snooped(const struct sk_buff *skb)
{
	struct dsn_mld *mld, mldbuf;
	const struct iphdr *ip;
	struct iphdr ipbuf;

	switch (ntohs(eth_hdr(skb)->h_proto)) {
	case ETH_P_IP:
		ip = skb_header_pointer(skb, ETH_HLEN, sizeof(ipbuf), &ipbuf);
		return ip && ip->protocol == IPPROTO_IGMP;
	case ETH_P_IPV6:
		mld = skb_header_pointer(skb, ETH_HLEN, sizeof(mldbuf),
					 &mldbuf);
		return mld && mld->ip.nexthdr == NEXTHDR_HOP &&
		       mld->hop.nexthdr == IPPROTO_ICMPV6 &&
		       (mld->type == ICMPV6_MGM_QUERY ||
			mld->type == ICMPV6_MGM_REPORT ||
			mld->type == ICMPV6_MGM_REDUCTION ||
			mld->type == ICMPV6_MLD2_REPORT);
	default:
		return false;
	}
}

/* Is this one of the addresses that the kernel listens to on this port itself
 * (and not on the bridge above it)?
 */
static bool dsn_host_listens(struct dsn_port *port,
			     const struct dsn_frame *frame, const u8 *dest)
{
	struct dsn_chip *chip = port->chip;
	u16 db = DSN_DB_PORT(port->index);
	u16 vid = frame->vid;

	if (!vid && skb_vlan_tag_present(frame->skb))
		vid = skb_vlan_tag_get_id(frame->skb);
	return dsn_fdb_find(chip, db, 0, dest) ||
	       (vid && dsn_fdb_find(chip, db, vid, dest));
}

/* A port without a bridge speaks with the CPU alone, and filters as a NIC. */
static u16 dsn_lookup_standalone(struct dsn_port *port,
				 const struct dsn_frame *frame)
{
	const u8 *dest = eth_hdr(frame->skb)->h_dest;
	bool all = is_multicast_ether_addr(dest) ? port->host_multicast :
						   port->host_unicast;

	if (all || is_broadcast_ether_addr(dest) ||
	    dsn_host_listens(port, frame, dest))
		return BIT(DSN_CPU_PORT);
	dsn_count(port, DSN_DROP_FILTERED);
	return 0;
}

static u16 dsn_flood(struct dsn_chip *chip, const struct dsn_frame *frame)
{
	const u8 *dest = eth_hdr(frame->skb)->h_dest;
	u16 ports = 0;
	unsigned int i;

	for (i = 1; i < chip->num_ports; i++) {
		struct dsn_port *port = &chip->port[i];

		if (port->bridge != frame->bridge)
			continue;
		if (is_broadcast_ether_addr(dest) ? port->flood_broadcast :
		    is_multicast_ether_addr(dest) ? port->flood_multicast :
						    port->flood_unicast)
			ports |= BIT(i);
	}
	return ports;
}

/* Does a frame for everybody, or for an unknown address, concern the CPU? */
static bool dsn_host_floods(const struct dsn_port *port, const u8 *dest)
{
	if (is_broadcast_ether_addr(dest))
		return true;
	return is_multicast_ether_addr(dest) ? port->host_multicast :
					       port->host_unicast;
}

/* Ports by destination alone. @port: where it came in, NULL if by the CPU. */
static u16 dsn_lookup_bridge(struct dsn_chip *chip, struct dsn_port *port,
			     const struct dsn_frame *frame)
{
	const u8 *dest = eth_hdr(frame->skb)->h_dest;
	struct dsn_fdb_entry *entry;
	u16 ports, cpu = 0;

	if (port && dsn_host_listens(port, frame, dest)) {
		if (is_unicast_ether_addr(dest))
			return BIT(DSN_CPU_PORT);
		cpu = BIT(DSN_CPU_PORT);
	}
	entry = dsn_fdb_find(chip, DSN_DB_BRIDGE(frame->bridge), frame->vid,
			     dest);
	if (entry)
		return entry->ports | cpu;

	ports = dsn_flood(chip, frame);
	if (port) {
		if (dsn_host_floods(port, dest))
			cpu = BIT(DSN_CPU_PORT);
		if (ports & ~BIT(port->index))
			dsn_count(port, DSN_FLOODED);
	}
	return ports | cpu;
}

/* Take out the ports that the frame may not leave by. */
static void dsn_filter_egress(struct dsn_chip *chip, struct dsn_port *port,
			      const struct dsn_frame *frame,
			      struct dsn_verdict *verdict)
{
	unsigned long ports = verdict->out & ~BIT(DSN_CPU_PORT);
	unsigned int i;

	for_each_set_bit(i, &ports, DSN_MAX_PORTS) {
		struct dsn_port *to = &chip->port[i];

		if (to == port || to->bridge != frame->bridge ||
		    !dsn_forwards(to) ||
		    (port && port->isolated && to->isolated))
			verdict->out &= ~BIT(i);
	}
	dsn_vlan_egress(chip, frame, verdict);
}

/* Some taggers cannot say of a frame whether the chip has forwarded it already.
 * One that always says yes gets its frames forwarded by the chip, always. With
 * one that always says no the chip leaves to the CPU what the CPU gets, so that
 * nobody receives a frame twice.
 */
static void dsn_share_with_cpu(const struct dsn_chip *chip,
			       struct dsn_verdict *verdict)
{
	if (chip->tagger->mark == DSN_MARK_NEVER &&
	    (verdict->out & BIT(DSN_CPU_PORT)))
		verdict->out = BIT(DSN_CPU_PORT);
}

static void dsn_decide_bridge(struct dsn_port *port, struct dsn_frame *frame,
			      struct dsn_verdict *verdict)
{
	struct dsn_chip *chip = port->chip;
	const struct ethhdr *eth = eth_hdr(frame->skb);
	struct dsn_fdb_entry *sender;

	if (!dsn_vlan_classify(port, frame)) {
		dsn_count(port, DSN_DROP_VLAN);
		return;
	}
	if (port->locked) {
		sender = dsn_fdb_find(chip, DSN_DB_BRIDGE(port->bridge),
				      frame->vid, eth->h_source);
		if (!sender || !(sender->ports & BIT(port->index))) {
			dsn_count(port, DSN_DROP_LOCKED);
			return;
		}
	}
	if (port->learning && port->stp_state >= BR_STATE_LEARNING &&
	    port->stp_state <= BR_STATE_FORWARDING &&
	    is_valid_ether_addr(eth->h_source))
		dsn_fdb_learn(port, frame->vid, eth->h_source);
	if (port->stp_state != BR_STATE_FORWARDING) {
		dsn_count(port, DSN_DROP_STP);
		return;
	}

	if (is_multicast_ether_addr(eth->h_dest) &&
	    dsn_is_snooped(frame->skb) &&
	    (!frame->vid ||
	     test_bit(frame->vid, chip->port[DSN_CPU_PORT].member))) {
		verdict->out = BIT(DSN_CPU_PORT);
		verdict->reason = DSN_REASON_SNOOPED;
		if (chip->tagger->mark == DSN_MARK_ALWAYS)
			verdict->out |= dsn_flood(chip, frame);
	} else {
		verdict->out = dsn_lookup_bridge(chip, port, frame);
	}
	dsn_filter_egress(chip, port, frame, verdict);
	dsn_share_with_cpu(chip, verdict);
	if (!verdict->out)
		dsn_count(port, DSN_DROP_NOWHERE);
}

/* Returns true if a rule has settled where the frame goes. */
static bool dsn_decide_rule(struct dsn_port *port, struct dsn_frame *frame,
			    struct dsn_verdict *verdict)
{
	struct dsn_rule *rule = dsn_flower_match(port, frame->skb);

	if (!rule)
		return false;
	verdict->copies |= rule->copies;
	switch (rule->end) {
	case DSN_END_DROP:
		dsn_count(port, DSN_DROP_RULE);
		return true;
	case DSN_END_TRAP:
		verdict->out = BIT(DSN_CPU_PORT);
		verdict->reason = DSN_REASON_RULE;
		return true;
	case DSN_END_REDIRECT:
		dsn_count(port, DSN_REDIRECTED);
		if (dsn_port_is_up(&port->chip->port[rule->redirect]))
			verdict->out = BIT(rule->redirect);
		return true;
	default:
		return false;
	}
}

static void dsn_decide(struct dsn_port *port, struct dsn_frame *frame,
		       struct dsn_verdict *verdict)
{
	const u8 *dest = eth_hdr(frame->skb)->h_dest;

	if (!dsn_port_is_up(port)) {
		dsn_count(port, DSN_DROP_LINK);
		return;
	}
	dsn_count(port, DSN_RX_FRAMES);
	port->count[DSN_RX_BYTES] += dsn_frame_len(frame->skb);
	if (!dsn_fits(port, frame->skb)) {
		dsn_count(port, DSN_DROP_MTU);
		return;
	}
	verdict->copies = port->mirror_in;
	if (dsn_decide_rule(port, frame, verdict))
		return;
	if (port->stp_state == BR_STATE_DISABLED) {
		dsn_count(port, DSN_DROP_STP);
	} else if (is_link_local_ether_addr(dest)) {
		/* STP, LLDP, PTP's peer delay: in every state but disabled. */
		verdict->out = BIT(DSN_CPU_PORT);
		verdict->reason = DSN_REASON_LINK_LOCAL;
	} else if (port->bridge) {
		dsn_decide_bridge(port, frame, verdict);
	} else if (port->stp_state == BR_STATE_FORWARDING) {
		verdict->out = dsn_lookup_standalone(port, frame);
	} else {
		dsn_count(port, DSN_DROP_STP);
	}
}

/* The kernel lets the chip forward for a bridge: everywhere but to itself. */
static void dsn_decide_for_cpu(struct dsn_chip *chip, struct dsn_frame *frame,
			       struct dsn_verdict *verdict)
{
	bool aware = false;
	unsigned int i;

	for (i = 1; i < chip->num_ports; i++)
		if (chip->port[i].bridge == frame->bridge)
			aware |= chip->port[i].vlan_aware;
	if (aware) {
		if (skb_vlan_tag_present(frame->skb))
			frame->vid = skb_vlan_tag_get_id(frame->skb);
		if (!frame->vid) {
			dsn_count(&chip->port[DSN_CPU_PORT], DSN_DROP_VLAN);
			return;
		}
	}
	verdict->out = dsn_lookup_bridge(chip, NULL, frame) &
		       ~BIT(DSN_CPU_PORT);
	dsn_filter_egress(chip, NULL, frame, verdict);
	if (!verdict->out)
		dsn_count(&chip->port[DSN_CPU_PORT], DSN_DROP_NOWHERE);
}

/* The last look before the frame leaves, and the books. */
static void dsn_settle(struct dsn_chip *chip, const struct dsn_frame *frame,
		       struct dsn_verdict *verdict)
{
	struct dsn_port *source = &chip->port[frame->source];
	unsigned long ports = verdict->out;
	unsigned int i;

	for_each_set_bit(i, &ports, DSN_MAX_PORTS) {
		struct dsn_port *port = &chip->port[i];

		if (!dsn_port_is_up(port)) {
			dsn_count(port, DSN_DROP_LINK);
			verdict->out &= ~BIT(i);
		} else if (i != DSN_CPU_PORT && !dsn_fits(port, frame->skb)) {
			dsn_count(port, DSN_DROP_MTU);
			verdict->out &= ~BIT(i);
		} else {
			verdict->copies |= port->mirror_out;
		}
	}
	ports = verdict->copies;
	for_each_set_bit(i, &ports, DSN_MAX_PORTS) {
		if (dsn_port_is_up(&chip->port[i]))
			dsn_count(source, DSN_MIRRORED);
		else
			verdict->copies &= ~BIT(i);
	}

	if (frame->source == DSN_CPU_PORT) {
		ports = verdict->out;
		for_each_set_bit(i, &ports, DSN_MAX_PORTS)
			dsn_count(&chip->port[i], DSN_FROM_CPU);
	} else {
		if (verdict->out & ~BIT(DSN_CPU_PORT))
			dsn_count(source, DSN_SWITCHED);
		if (verdict->out & BIT(DSN_CPU_PORT)) {
			dsn_count(source, DSN_TO_CPU);
			if (verdict->reason != DSN_REASON_FORWARD)
				dsn_count(source, DSN_TRAPPED);
		}
	}
	for (i = 0; i < chip->num_ports; i++) {
		struct dsn_port *port = &chip->port[i];
		unsigned int n = !!(verdict->out & BIT(i)) +
				 !!(verdict->copies & BIT(i));

		port->count[DSN_TX_FRAMES] += n;
		port->count[DSN_TX_BYTES] += n * dsn_frame_len(frame->skb);
	}
}

static void dsn_retag(struct sk_buff *skb, const struct dsn_frame *frame,
		      const struct dsn_verdict *verdict, unsigned int port)
{
	u16 tci = frame->vid;

	if (verdict->untag & BIT(port)) {
		__vlan_hwaccel_clear_tag(skb);
	} else if (verdict->tag & BIT(port)) {
		if (skb_vlan_tag_present(skb))
			tci |= skb_vlan_tag_get(skb) & ~VLAN_VID_MASK;
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	}
}

/* Every port gets a clone, and the original goes. */
static void dsn_send(struct dsn_chip *chip, const struct dsn_frame *frame,
		     const struct dsn_verdict *verdict)
{
	unsigned long ports = verdict->out, copies = verdict->copies;
	struct sk_buff *skb;
	unsigned int i;

	for_each_set_bit(i, &ports, DSN_MAX_PORTS) {
		skb = skb_clone(frame->skb, GFP_ATOMIC);
		if (!skb)
			continue;
		dsn_retag(skb, frame, verdict, i);
		if (i == DSN_CPU_PORT)
			dsn_wire_send(chip, skb, frame->source, frame->vid,
				      verdict->reason);
		else
			dsn_outer_deliver(&chip->port[i], skb);
	}
	for_each_set_bit(i, &copies, DSN_MAX_PORTS) {
		skb = skb_clone(frame->skb, GFP_ATOMIC);
		if (skb)
			dsn_outer_deliver(&chip->port[i], skb);
	}
	if (ports | copies)
		consume_skb(frame->skb);
	else
		kfree_skb(frame->skb);
}

/* A cable brings a frame. skb->data is at the MAC header; RCU is held. */
void dsn_chip_from_outer(struct dsn_port *port, struct sk_buff *skb)
{
	struct dsn_frame frame = { .skb = skb, .source = port->index };
	struct dsn_verdict verdict = {};

	/* Nothing of the node's kernel travels through a cable. */
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb->priority = 0;
	dsn_vlan_normalise(skb);

	spin_lock_bh(&port->chip->lock);
	frame.bridge = port->bridge;
	dsn_decide(port, &frame, &verdict);
	dsn_settle(port->chip, &frame, &verdict);
	spin_unlock_bh(&port->chip->lock);
	dsn_send(port->chip, &frame, &verdict);
}

/* The CPU sends one. skb->data is at the MAC header; nobody shares the skb. */
void dsn_chip_from_wire(struct dsn_chip *chip, struct sk_buff *skb)
{
	struct dsn_frame frame = { .skb = skb, .source = DSN_CPU_PORT };
	struct dsn_port *cpu = &chip->port[DSN_CPU_PORT];
	struct dsn_verdict verdict = {};
	struct dsn_from_cpu from = {};
	bool valid;

	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb->priority = 0;
	valid = READ_ONCE(chip->tagger)->pop(skb, &from);
	if (valid)
		dsn_vlan_normalise(skb);

	spin_lock_bh(&chip->lock);
	dsn_count(cpu, DSN_RX_FRAMES);
	cpu->count[DSN_RX_BYTES] += dsn_frame_len(skb);
	from.ports &= GENMASK(chip->num_ports - 1, 1);
	if (!valid || (!from.forward && !from.ports)) {
		dsn_count(cpu, DSN_DROP_TAG);
	} else if (from.forward) {
		frame.bridge = from.bridge;
		dsn_decide_for_cpu(chip, &frame, &verdict);
	} else {
		/* Exactly these ports, whatever their state. */
		verdict.out = from.ports;
	}
	dsn_settle(chip, &frame, &verdict);
	spin_unlock_bh(&chip->lock);
	dsn_send(chip, &frame, &verdict);
}

void dsn_chip_init(struct dsn_chip *chip, unsigned int num_ports,
		   const struct dsn_tagger *tagger)
{
	unsigned int i;

	spin_lock_init(&chip->lock);
	chip->num_ports = num_ports;
	chip->tagger = tagger;
	for (i = 0; i < num_ports; i++) {
		struct dsn_port *port = &chip->port[i];

		port->chip = chip;
		port->index = i;
		port->mtu = ETH_DATA_LEN;
		port->stp_state = BR_STATE_DISABLED;
		port->flood_unicast = true;
		port->flood_multicast = true;
		port->flood_broadcast = true;
		INIT_LIST_HEAD(&port->rules);
	}
	dsn_fdb_init(chip);
}

void dsn_chip_fini(struct dsn_chip *chip)
{
	unsigned int i;

	for (i = 0; i < chip->num_ports; i++)
		dsn_flower_flush(&chip->port[i]);
	dsn_fdb_fini(chip);
}
