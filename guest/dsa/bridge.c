// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel asks of a switch's ports as a bridge's: membership, flags,
 * VLANs, addresses, mirrors, put into the chip's tables
 *
 * Called by net/dsa through the operations in switch.c. The data plane reads
 * these tables under the same lock.
 */
#include "bridge.h"
#include "dsa_netlab.h"

/* --- bridges ------------------------------------------------------------- */

int dsn_set_ageing_time(struct dsa_switch *ds, unsigned int msecs)
{
	dsn_fdb_set_ageing(dsn_chip_of(ds), msecs);
	return 0;
}

void dsn_port_stp_state_set(struct dsa_switch *ds, int port, u8 state)
{
	struct dsn_chip *chip = dsn_chip_of(ds);

	spin_lock_bh(&chip->lock);
	chip->port[port].stp_state = state;
	spin_unlock_bh(&chip->lock);
}

int dsn_port_bridge_join(struct dsa_switch *ds, int port,
			 struct dsa_bridge bridge, bool *tx_fwd_offload,
			 struct netlink_ext_ack *extack)
{
	struct dsn_chip *chip = dsn_chip_of(ds);

	spin_lock_bh(&chip->lock);
	chip->port[port].bridge = bridge.num;
	spin_unlock_bh(&chip->lock);
	*tx_fwd_offload = chip->tagger->forward;
	return 0;
}

void dsn_port_bridge_leave(struct dsa_switch *ds, int port,
			   struct dsa_bridge bridge)
{
	struct dsn_chip *chip = dsn_chip_of(ds);

	spin_lock_bh(&chip->lock);
	chip->port[port].bridge = 0;
	chip->port[port].isolated = false;
	dsn_fdb_flush(chip, DSN_DB_BRIDGE(bridge.num), BIT(port), -1);
	spin_unlock_bh(&chip->lock);
}

int dsn_port_pre_bridge_flags(struct dsa_switch *ds, int port,
			      struct switchdev_brport_flags flags,
			      struct netlink_ext_ack *extack)
{
	if (flags.mask & ~(BR_LEARNING | BR_FLOOD | BR_MCAST_FLOOD |
			   BR_BCAST_FLOOD | BR_ISOLATED | BR_PORT_LOCKED))
		return -EINVAL;
	return 0;
}

int dsn_port_bridge_flags(struct dsa_switch *ds, int port,
			  struct switchdev_brport_flags flags,
			  struct netlink_ext_ack *extack)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsn_port *p = &chip->port[port];

	spin_lock_bh(&chip->lock);
	if (flags.mask & BR_LEARNING)
		p->learning = flags.val & BR_LEARNING;
	if (flags.mask & BR_FLOOD)
		p->flood_unicast = flags.val & BR_FLOOD;
	if (flags.mask & BR_MCAST_FLOOD)
		p->flood_multicast = flags.val & BR_MCAST_FLOOD;
	if (flags.mask & BR_BCAST_FLOOD)
		p->flood_broadcast = flags.val & BR_BCAST_FLOOD;
	if (flags.mask & BR_ISOLATED)
		p->isolated = flags.val & BR_ISOLATED;
	if (flags.mask & BR_PORT_LOCKED)
		p->locked = flags.val & BR_PORT_LOCKED;
	spin_unlock_bh(&chip->lock);
	return 0;
}

void dsn_port_set_host_flood(struct dsa_switch *ds, int port,
			     bool unicast, bool multicast)
{
	struct dsn_chip *chip = dsn_chip_of(ds);

	spin_lock_bh(&chip->lock);
	chip->port[port].host_unicast = unicast;
	chip->port[port].host_multicast = multicast;
	spin_unlock_bh(&chip->lock);
}

/* --- VLANs --------------------------------------------------------------- */

int dsn_port_vlan_filtering(struct dsa_switch *ds, int port, bool on,
			    struct netlink_ext_ack *extack)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsa_port *dp = dsa_to_port(ds, port);
	u16 proto;

	if (on && dp->bridge && !br_vlan_get_proto(dp->bridge->dev, &proto) &&
	    proto != ETH_P_8021Q) {
		NL_SET_ERR_MSG_MOD(extack, "The switch knows 802.1Q only");
		return -EPROTONOSUPPORT;
	}
	spin_lock_bh(&chip->lock);
	chip->port[port].vlan_aware = on;
	spin_unlock_bh(&chip->lock);
	return 0;
}

int dsn_port_vlan_add(struct dsa_switch *ds, int port,
		      const struct switchdev_obj_port_vlan *vlan,
		      struct netlink_ext_ack *extack)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsn_port *p = &chip->port[port];

	if (vlan->vid >= VLAN_N_VID)
		return -ERANGE;
	spin_lock_bh(&chip->lock);
	__set_bit(vlan->vid, p->member);
	__assign_bit(vlan->vid, p->untagged,
		     vlan->flags & BRIDGE_VLAN_INFO_UNTAGGED);
	if (vlan->flags & BRIDGE_VLAN_INFO_PVID)
		p->pvid = vlan->vid;
	else if (p->pvid == vlan->vid)
		p->pvid = 0;
	spin_unlock_bh(&chip->lock);
	return 0;
}

int dsn_port_vlan_del(struct dsa_switch *ds, int port,
		      const struct switchdev_obj_port_vlan *vlan)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsn_port *p = &chip->port[port];

	spin_lock_bh(&chip->lock);
	__clear_bit(vlan->vid, p->member);
	__clear_bit(vlan->vid, p->untagged);
	if (p->pvid == vlan->vid)
		p->pvid = 0;
	if (vlan->vid)
		dsn_fdb_flush(chip, 0, BIT(port), vlan->vid);
	spin_unlock_bh(&chip->lock);
	return 0;
}

/* --- addresses ----------------------------------------------------------- */

static int dsn_db(const struct dsa_db *db)
{
	switch (db->type) {
	case DSA_DB_PORT:
		return DSN_DB_PORT(db->dp->index);
	case DSA_DB_BRIDGE:
		return DSN_DB_BRIDGE(db->bridge.num);
	default:
		return -EOPNOTSUPP;
	}
}

static int dsn_addr_add(struct dsa_switch *ds, int port, const u8 *addr,
			u16 vid, const struct dsa_db *where)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	int db = dsn_db(where);
	int err;

	if (db < 0)
		return db;
	spin_lock_bh(&chip->lock);
	err = dsn_fdb_add(chip, db, vid, addr, port);
	spin_unlock_bh(&chip->lock);
	return err;
}

static int dsn_addr_del(struct dsa_switch *ds, int port, const u8 *addr,
			u16 vid, const struct dsa_db *where)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	int db = dsn_db(where);
	int err;

	if (db < 0)
		return db;
	spin_lock_bh(&chip->lock);
	err = dsn_fdb_del(chip, db, vid, addr, port);
	spin_unlock_bh(&chip->lock);
	return err;
}

int dsn_port_fdb_add(struct dsa_switch *ds, int port,
		     const unsigned char *addr, u16 vid,
		     struct dsa_db db)
{
	return dsn_addr_add(ds, port, addr, vid, &db);
}

int dsn_port_fdb_del(struct dsa_switch *ds, int port,
		     const unsigned char *addr, u16 vid,
		     struct dsa_db db)
{
	return dsn_addr_del(ds, port, addr, vid, &db);
}

int dsn_port_mdb_add(struct dsa_switch *ds, int port,
		     const struct switchdev_obj_port_mdb *mdb,
		     struct dsa_db db)
{
	return dsn_addr_add(ds, port, mdb->addr, mdb->vid, &db);
}

int dsn_port_mdb_del(struct dsa_switch *ds, int port,
		     const struct switchdev_obj_port_mdb *mdb,
		     struct dsa_db db)
{
	return dsn_addr_del(ds, port, mdb->addr, mdb->vid, &db);
}

int dsn_port_fdb_dump(struct dsa_switch *ds, int port,
		      dsa_fdb_dump_cb_t *cb, void *data)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsn_fdb_entry *entry;
	int bucket, err = 0;

	spin_lock_bh(&chip->lock);
	hash_for_each(chip->fdb, bucket, entry, node) {
		if (!(entry->ports & BIT(port)) ||
		    is_multicast_ether_addr(entry->addr))
			continue;
		err = cb(entry->addr, entry->vid, entry->is_static, data);
		if (err)
			break;
	}
	spin_unlock_bh(&chip->lock);
	return err;
}

void dsn_port_fast_age(struct dsa_switch *ds, int port)
{
	struct dsn_chip *chip = dsn_chip_of(ds);

	spin_lock_bh(&chip->lock);
	dsn_fdb_flush(chip, 0, BIT(port), -1);
	spin_unlock_bh(&chip->lock);
}

int dsn_port_vlan_fast_age(struct dsa_switch *ds, int port, u16 vid)
{
	struct dsn_chip *chip = dsn_chip_of(ds);

	spin_lock_bh(&chip->lock);
	dsn_fdb_flush(chip, 0, BIT(port), vid);
	spin_unlock_bh(&chip->lock);
	return 0;
}

/* --- mirrors ------------------------------------------------------------- */

int dsn_port_mirror_add(struct dsa_switch *ds, int port,
			struct dsa_mall_mirror_tc_entry *mirror,
			bool ingress, struct netlink_ext_ack *extack)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsn_port *p = &chip->port[port];
	u16 to = BIT(mirror->to_local_port);
	u16 *mirrors = ingress ? &p->mirror_in : &p->mirror_out;
	int err = 0;

	spin_lock_bh(&chip->lock);
	if (*mirrors & to)
		err = -EEXIST;
	*mirrors |= to;
	spin_unlock_bh(&chip->lock);
	if (err)
		NL_SET_ERR_MSG_MOD(extack,
				   "The port is mirrored there already");
	return err;
}

void dsn_port_mirror_del(struct dsa_switch *ds, int port,
			 struct dsa_mall_mirror_tc_entry *mirror)
{
	struct dsn_chip *chip = dsn_chip_of(ds);
	struct dsn_port *p = &chip->port[port];
	u16 to = BIT(mirror->to_local_port);

	spin_lock_bh(&chip->lock);
	if (mirror->ingress)
		p->mirror_in &= ~to;
	else
		p->mirror_out &= ~to;
	spin_unlock_bh(&chip->lock);
}
