// SPDX-License-Identifier: GPL-2.0
/*
 * The wire: the chip's end of the link to the conduit
 *
 * The chip sits on a net device (a netdevsim port that is linked with the
 * conduit) and takes every frame that it receives, before the stack does.
 */
#include <linux/rtnetlink.h>
#include "dsa_netlab.h"

#define DSN_TAG_HEADROOM	(8 + VLAN_HLEN)
#define DSN_TAG_TAILROOM	8

static rx_handler_result_t dsn_wire_receive(struct sk_buff **pskb)
{
	struct dsn_chip *chip = rcu_dereference((*pskb)->dev->rx_handler_data);
	struct sk_buff *skb = *pskb;

	/* Somebody may look on (tcpdump): the tag is cut out of a copy. */
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return RX_HANDLER_CONSUMED;
	skb = skb_unshare(skb, GFP_ATOMIC);
	if (!skb)
		return RX_HANDLER_CONSUMED;
	skb_push(skb, ETH_HLEN);
	dsn_chip_from_wire(chip, skb);
	return RX_HANDLER_CONSUMED;
}

/* Takes the skb. */
void dsn_wire_send(struct dsn_chip *chip, struct sk_buff *skb, u16 port,
		   u16 vid, enum dsn_reason reason)
{
	struct net_device *wire;
	struct sk_buff *tagged;

	rcu_read_lock();
	wire = rcu_dereference(chip->wire);
	if (!wire)
		goto out;
	tagged = skb_copy_expand(skb, LL_RESERVED_SPACE(wire) + DSN_TAG_HEADROOM,
				 DSN_TAG_TAILROOM, GFP_ATOMIC);
	if (!tagged)
		goto out;
	READ_ONCE(chip->tagger)->push(tagged, port, vid, reason);
	tagged->dev = wire;
	tagged->protocol = htons(ETH_P_XDSA);
	skb_reset_mac_header(tagged);
	skb_set_network_header(tagged, ETH_HLEN);
	dev_queue_xmit(tagged);
out:
	rcu_read_unlock();
	consume_skb(skb);
}

/* The switch whose wire this device is, or NULL. Under RTNL. */
struct dsn_switch *dsn_wire_owner(const struct net_device *dev)
{
	if (rtnl_dereference(dev->rx_handler) != dsn_wire_receive)
		return NULL;
	return dsn_from_chip(rtnl_dereference(dev->rx_handler_data));
}

int dsn_wire_attach(struct dsn_switch *sw)
{
	struct net_device *wire = sw->wire;
	int err;

	ASSERT_RTNL();
	err = netdev_rx_handler_register(wire, dsn_wire_receive, &sw->chip);
	if (err)
		return err;
	/* The stack has nothing to say here: no IPv6 addresses. */
	wire->priv_flags |= IFF_NO_ADDRCONF;
	err = dev_open(wire, NULL);
	if (err) {
		wire->priv_flags &= ~IFF_NO_ADDRCONF;
		netdev_rx_handler_unregister(wire);
		return err;
	}
	rcu_assign_pointer(sw->chip.wire, wire);
	return 0;
}

/* Afterwards no frame of the CPU is on its way into the chip. */
void dsn_wire_detach(struct dsn_switch *sw)
{
	ASSERT_RTNL();
	if (!rtnl_dereference(sw->chip.wire))
		return;
	RCU_INIT_POINTER(sw->chip.wire, NULL);
	netdev_rx_handler_unregister(sw->wire);
	sw->wire->priv_flags &= ~IFF_NO_ADDRCONF;
	synchronize_net();
}
