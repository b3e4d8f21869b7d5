// SPDX-License-Identifier: GPL-2.0
/*
 * The driver: a switch as the kernel knows it (struct dsa_switch_ops), from
 * its probe to its end; what is asked of its ports as a bridge's is bridge.c's
 *
 * The order in which things are made is that of dsn_switch_probe(); they are
 * taken apart the other way round.
 */
#include <linux/kernfs.h>
#include <linux/phylink.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include "bridge.h"
#include "dsa_netlab.h"

/* --- tags ---------------------------------------------------------------- */

static enum dsa_tag_protocol
dsn_get_tag_protocol(struct dsa_switch *ds, int port,
		     enum dsa_tag_protocol mprot)
{
	return dsn_chip_of(ds)->tagger->proto;
}

/* All user ports and the conduit are down. */
static int dsn_change_tag_protocol(struct dsa_switch *ds,
				   enum dsa_tag_protocol proto)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	const struct dsn_tagger *old = chip->tagger;
	const struct dsn_tagger *new = dsn_tagger_by_proto(proto);
	unsigned int i;

	if (!new || chip->num_ports - 1 > new->max_port)
		return -EPROTONOSUPPORT;
	/* A bridge was told, when its ports joined, who forwards what. */
	if (new->forward != old->forward || new->mark != old->mark)
		for (i = 1; i < chip->num_ports; i++)
			if (chip->port[i].bridge)
				return -EBUSY;
	WRITE_ONCE(chip->tagger, new);
	return 0;
}

/* --- links --------------------------------------------------------------- */

static void dsn_phylink_get_caps(struct dsa_switch *ds, int port,
				 struct phylink_config *config)
{
	__set_bit(PHY_INTERFACE_MODE_INTERNAL, config->supported_interfaces);
	__set_bit(PHY_INTERFACE_MODE_GMII, config->supported_interfaces);
	config->mac_capabilities = MAC_10 | MAC_100 | MAC_1000FD;
}

static void dsn_mac_config(struct phylink_config *config, unsigned int mode,
			   const struct phylink_link_state *state)
{
}

static void dsn_mac_link_down(struct phylink_config *config, unsigned int mode,
			      phy_interface_t interface)
{
}

static void dsn_mac_link_up(struct phylink_config *config,
			    struct phy_device *phy, unsigned int mode,
			    phy_interface_t interface, int speed, int duplex,
			    bool tx_pause, bool rx_pause)
{
}

static const struct phylink_mac_ops dsn_phylink_mac_ops = {
	.mac_config	= dsn_mac_config,
	.mac_link_down	= dsn_mac_link_down,
	.mac_link_up	= dsn_mac_link_up,
};

static void dsn_port_set_enabled(struct dsn_port *port, bool enabled)
{
	spin_lock_bh(&port->chip->lock);
	port->enabled = enabled;
	if (port->index == DSN_CPU_PORT)
		port->plugged = enabled;
	spin_unlock_bh(&port->chip->lock);
	if (port->index != DSN_CPU_PORT)
		dsn_link_changed(port);
}

static int dsn_port_enable(struct dsa_switch *ds, int port,
			   struct phy_device *phy)
{
	dsn_port_set_enabled(&dsn_chip_of(ds)->port[port], true);
	return 0;
}

static void dsn_port_disable(struct dsa_switch *ds, int port)
{
	dsn_port_set_enabled(&dsn_chip_of(ds)->port[port], false);
}

/* The tag makes frames on the wire longer than those at the ports. */
static int dsn_port_change_mtu(struct dsa_switch *ds, int port, int mtu)
{
	struct dsn_switch *sw = dsn_from_ds(ds);
	const struct dsn_tagger *tagger = sw->chip.tagger;

	if (port == DSN_CPU_PORT)
		return dev_set_mtu(sw->wire, mtu + tagger->headroom +
					     tagger->tailroom + VLAN_HLEN);
	WRITE_ONCE(sw->chip.port[port].mtu, mtu);
	return 0;
}

static int dsn_port_max_mtu(struct dsa_switch *ds, int port)
{
	return DSN_MAX_MTU;
}

/* --- being a switch ------------------------------------------------------ */

static int dsn_setup(struct dsa_switch *ds)
{
	struct dsn_switch *sw = dsn_from_ds(ds);

	/* A switch that is described by platform data is always put into tree
	 * 0. Give this one a tree of its own, before anything has used the
	 * number, so that the next switch finds tree 0 free again.
	 */
	ds->dst->index = sw->id;

	ds->fdb_isolation = true;
	ds->assisted_learning_on_cpu_port = true;
	ds->max_num_bridges = DSN_MAX_BRIDGES;
	return dsn_phy_setup(sw);
}

static void dsn_teardown(struct dsa_switch *ds)
{
	dsn_phy_teardown(dsn_from_ds(ds));
}

static const struct dsa_switch_ops dsn_switch_ops = {
	.get_tag_protocol	= dsn_get_tag_protocol,
	.change_tag_protocol	= dsn_change_tag_protocol,
	.setup			= dsn_setup,
	.teardown		= dsn_teardown,
	.phylink_get_caps	= dsn_phylink_get_caps,
	.port_enable		= dsn_port_enable,
	.port_disable		= dsn_port_disable,
	.port_change_mtu	= dsn_port_change_mtu,
	.port_max_mtu		= dsn_port_max_mtu,
	.get_strings		= dsn_get_strings,
	.get_ethtool_stats	= dsn_get_ethtool_stats,
	.get_sset_count		= dsn_get_sset_count,
	.get_stats64		= dsn_get_stats64,
	.set_ageing_time	= dsn_set_ageing_time,
	.port_stp_state_set	= dsn_port_stp_state_set,
	.port_bridge_join	= dsn_port_bridge_join,
	.port_bridge_leave	= dsn_port_bridge_leave,
	.port_pre_bridge_flags	= dsn_port_pre_bridge_flags,
	.port_bridge_flags	= dsn_port_bridge_flags,
	.port_set_host_flood	= dsn_port_set_host_flood,
	.port_fast_age		= dsn_port_fast_age,
	.port_vlan_fast_age	= dsn_port_vlan_fast_age,
	.port_vlan_filtering	= dsn_port_vlan_filtering,
	.port_vlan_add		= dsn_port_vlan_add,
	.port_vlan_del		= dsn_port_vlan_del,
	.port_fdb_add		= dsn_port_fdb_add,
	.port_fdb_del		= dsn_port_fdb_del,
	.port_fdb_dump		= dsn_port_fdb_dump,
	.port_mdb_add		= dsn_port_mdb_add,
	.port_mdb_del		= dsn_port_mdb_del,
	.port_mirror_add	= dsn_port_mirror_add,
	.port_mirror_del	= dsn_port_mirror_del,
	.cls_flower_add		= dsn_flower_add,
	.cls_flower_del		= dsn_flower_del,
	.cls_flower_stats	= dsn_flower_stats,
};

/* The switch whose conduit this device is, or NULL. Under RTNL. */
struct dsn_switch *dsn_conduit_owner(const struct net_device *dev)
{
	struct dsa_switch *ds = dev->dsa_ptr ? dev->dsa_ptr->ds : NULL;

	return ds && ds->ops == &dsn_switch_ops ? dsn_from_ds(ds) : NULL;
}

/* The conduit is being unregistered under DSA's feet, which DSA does not expect
 * (a conduit's driver that is unbound takes the switch's with it before; but
 * "devlink dev reload" unbinds nothing). DSA will want to take its attributes
 * out of the conduit's directory in sysfs: keep that, empty as it will be.
 */
void dsn_conduit_gone(struct dsn_switch *sw)
{
	ASSERT_RTNL();
	sw->conduit_sd = sw->conduit->dev.kobj.sd;
	kernfs_get(sw->conduit_sd);
}

static void dsn_unregister(struct dsn_switch *sw)
{
	if (sw->conduit_sd)
		sw->conduit->dev.kobj.sd = sw->conduit_sd;
	dsa_unregister_switch(&sw->ds);
	if (sw->conduit_sd) {
		sw->conduit->dev.kobj.sd = NULL;
		kernfs_put(sw->conduit_sd);
		sw->conduit_sd = NULL;
	}
}

/* --- making and unmaking it ---------------------------------------------- */

static void dsn_destroy_outers(struct dsn_switch *sw)
{
	unsigned int i;

	for (i = 1; i < sw->chip.num_ports; i++)
		dsn_outer_destroy(&sw->chip.port[i]);
}

static int dsn_create_outers(struct dsn_switch *sw)
{
	unsigned int i;
	int err = 0;

	rtnl_lock();
	for (i = 1; i < sw->chip.num_ports && !err; i++)
		err = dsn_outer_create(sw, &sw->chip.port[i]);
	rtnl_unlock();
	if (err)
		dsn_destroy_outers(sw);
	return err;
}

static int dsn_attach_wire(struct dsn_switch *sw)
{
	int err;

	rtnl_lock();
	err = dsn_wire_attach(sw);
	rtnl_unlock();
	return err;
}

static void dsn_detach_wire(struct dsn_switch *sw)
{
	rtnl_lock();
	dsn_wire_detach(sw);
	rtnl_unlock();
}

/* DSA makes user ports in the initial namespace. They belong to the conduit. */
static int dsn_move_user_ports(struct dsn_switch *sw)
{
	struct net *net = dev_net(sw->conduit);
	struct dsa_port *dp;
	int err = 0;

	rtnl_lock();
	dsa_switch_for_each_port(dp, &sw->ds) {
		if (dp->index == DSN_CPU_PORT)
			continue;
		/* DSA carries on without a port that it could not make. */
		if (!dsa_port_is_user(dp) || !dp->user)
			err = -ENODEV;
		else
			err = dev_change_net_namespace(dp->user, net, NULL);
		if (err)
			break;
	}
	rtnl_unlock();
	return err;
}

/* What DSA wants to know of a chip that no device tree describes. */
static void dsn_describe(struct dsn_switch *sw)
{
	unsigned int i;

	sw->cd.port_names[DSN_CPU_PORT] = "cpu";
	sw->cd.netdev[DSN_CPU_PORT] = &sw->conduit->dev;
	for (i = 1; i < sw->chip.num_ports; i++) {
		snprintf(sw->names[i], IFNAMSIZ, "%s%u", sw->prefix, i);
		sw->cd.port_names[i] = sw->names[i];
	}
	sw->dev.platform_data = &sw->cd;
	sw->ds.dev = &sw->dev;
	sw->ds.num_ports = sw->chip.num_ports;
	sw->ds.ops = &dsn_switch_ops;
	sw->ds.phylink_mac_ops = &dsn_phylink_mac_ops;
}

int dsn_switch_probe(struct dsn_switch *sw)
{
	int err;

	dsn_describe(sw);
	err = dsn_create_outers(sw);
	if (err)
		return err;
	err = dsn_attach_wire(sw);
	if (err)
		goto destroy_outers;
	err = dsa_register_switch(&sw->ds);
	if (err)
		goto detach_wire;
	err = dsn_move_user_ports(sw);
	if (err)
		goto unregister;
	dsn_debugfs_add(sw);
	return 0;

unregister:
	dsa_unregister_switch(&sw->ds);
detach_wire:
	dsn_detach_wire(sw);
destroy_outers:
	dsn_destroy_outers(sw);
	dsn_chip_fini(&sw->chip);
	return err;
}

/* Traffic may run until the last moment: first the ways into the chip go. */
void dsn_switch_remove(struct dsn_switch *sw)
{
	dsn_debugfs_del(sw);
	dsn_destroy_outers(sw);
	dsn_detach_wire(sw);
	dsn_unregister(sw);
	dsn_chip_fini(&sw->chip);
}
