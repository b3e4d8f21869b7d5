// SPDX-License-Identifier: GPL-2.0
/*
 * Outer sides: a net device for the cable end of every port
 *
 * Like one end of a veth pair whose other end is the chip's port. What a node
 * sends here comes in at the port; what leaves by the port is received here.
 * It has a link if the user port is up, and the user port has one if it is up.
 * It may live in any network namespace. If that is deleted, the kernel moves
 * it to the initial one, as it does with hardware.
 */
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include "dsa_netlab.h"

struct dsn_outer {
	struct dsn_port *port;
};

static struct dsn_port *dsn_outer_port(const struct net_device *dev)
{
	return ((struct dsn_outer *)netdev_priv(dev))->port;
}

static netdev_tx_t dsn_outer_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	dsn_chip_from_outer(dsn_outer_port(dev), skb);
	return NETDEV_TX_OK;
}

/* Takes the skb; data at the MAC header. */
void dsn_outer_deliver(struct dsn_port *port, struct sk_buff *skb)
{
	dev_sw_netstats_rx_add(port->outer, skb->len);
	skb->protocol = eth_type_trans(skb, port->outer);
	netif_rx(skb);
}

/* The user port or the outer side went up or down. */
void dsn_link_changed(struct dsn_port *port)
{
	ASSERT_RTNL();
	if (!port->outer)
		return;
	if (port->enabled)
		netif_carrier_on(port->outer);
	else
		netif_carrier_off(port->outer);
	dsn_phy_changed(dsn_from_chip(port->chip), port->index);
}

static void dsn_outer_plug(struct dsn_port *port, bool plugged)
{
	spin_lock_bh(&port->chip->lock);
	port->plugged = plugged;
	if (!plugged)
		dsn_fdb_flush(port->chip, 0, BIT(port->index), -1);
	spin_unlock_bh(&port->chip->lock);
	dsn_link_changed(port);
}

static int dsn_outer_open(struct net_device *dev)
{
	dsn_outer_plug(dsn_outer_port(dev), true);
	return 0;
}

static int dsn_outer_stop(struct net_device *dev)
{
	dsn_outer_plug(dsn_outer_port(dev), false);
	return 0;
}

/* Nothing is filtered here. Without this the kernel would think that it has to
 * make the device promiscuous for a second address.
 */
static void dsn_outer_set_rx_mode(struct net_device *dev)
{
}

static const struct net_device_ops dsn_outer_ops = {
	.ndo_open		= dsn_outer_open,
	.ndo_stop		= dsn_outer_stop,
	.ndo_start_xmit		= dsn_outer_xmit,
	.ndo_set_rx_mode	= dsn_outer_set_rx_mode,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static void dsn_outer_drvinfo(struct net_device *dev,
			      struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "dsa_netlab", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(dev->dev.parent),
		sizeof(info->bus_info));
}

static int dsn_outer_link_ksettings(struct net_device *dev,
				    struct ethtool_link_ksettings *cmd)
{
	cmd->base.speed = SPEED_1000;
	cmd->base.duplex = DUPLEX_FULL;
	cmd->base.port = PORT_TP;
	cmd->base.autoneg = AUTONEG_ENABLE;
	return 0;
}

static const struct ethtool_ops dsn_outer_ethtool_ops = {
	.get_drvinfo		= dsn_outer_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= dsn_outer_link_ksettings,
	.get_ts_info		= ethtool_op_get_ts_info,
};

static void dsn_outer_setup(struct net_device *dev)
{
	ether_setup(dev);
	eth_hw_addr_random(dev);
	dev->netdev_ops = &dsn_outer_ops;
	dev->ethtool_ops = &dsn_outer_ethtool_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->max_mtu = DSN_MAX_MTU;
	dev->tx_queue_len = 0;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE |
			   IFF_UNICAST_FLT;
	/* The chip has a lock of its own. */
	dev->lltx = true;
}

int dsn_outer_create(struct dsn_switch *sw, struct dsn_port *port)
{
	struct net_device *dev;
	char name[IFNAMSIZ];
	int err;

	ASSERT_RTNL();
	snprintf(name, sizeof(name), "sw%up%u", sw->id, port->index);
	dev = alloc_netdev(sizeof(struct dsn_outer), name, NET_NAME_PREDICTABLE,
			   dsn_outer_setup);
	if (!dev)
		return -ENOMEM;
	((struct dsn_outer *)netdev_priv(dev))->port = port;
	dev_net_set(dev, sw->home);
	SET_NETDEV_DEV(dev, &sw->dev);
	err = register_netdevice(dev);
	if (err) {
		free_netdev(dev);
		return err;
	}
	netif_carrier_off(dev);
	port->outer = dev;
	return 0;
}

/* Without RTNL: it must be let go before the device can be freed. Afterwards
 * no frame of it is on its way into the chip.
 */
void dsn_outer_destroy(struct dsn_port *port)
{
	struct net_device *dev = port->outer;

	if (!dev)
		return;
	unregister_netdev(dev);
	port->outer = NULL;
	free_netdev(dev);
}
