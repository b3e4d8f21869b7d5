/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bridge.c: operations of struct dsa_switch_ops, under RTNL
 */
#ifndef _DSA_NETLAB_BRIDGE_H
#define _DSA_NETLAB_BRIDGE_H

#include <net/dsa.h>

int dsn_set_ageing_time(struct dsa_switch *ds, unsigned int msecs);
void dsn_port_stp_state_set(struct dsa_switch *ds, int port, u8 state);
int dsn_port_bridge_join(struct dsa_switch *ds, int port,
			 struct dsa_bridge bridge, bool *tx_fwd_offload,
			 struct netlink_ext_ack *extack);
void dsn_port_bridge_leave(struct dsa_switch *ds, int port,
			   struct dsa_bridge bridge);
int dsn_port_pre_bridge_flags(struct dsa_switch *ds, int port,
			      struct switchdev_brport_flags flags,
			      struct netlink_ext_ack *extack);
int dsn_port_bridge_flags(struct dsa_switch *ds, int port,
			  struct switchdev_brport_flags flags,
			  struct netlink_ext_ack *extack);
void dsn_port_set_host_flood(struct dsa_switch *ds, int port,
			     bool unicast, bool multicast);
int dsn_port_vlan_filtering(struct dsa_switch *ds, int port, bool on,
			    struct netlink_ext_ack *extack);
int dsn_port_vlan_add(struct dsa_switch *ds, int port,
		      const struct switchdev_obj_port_vlan *vlan,
		      struct netlink_ext_ack *extack);
int dsn_port_vlan_del(struct dsa_switch *ds, int port,
		      const struct switchdev_obj_port_vlan *vlan);
int dsn_port_fdb_add(struct dsa_switch *ds, int port,
		     const unsigned char *addr, u16 vid,
		     struct dsa_db db);
int dsn_port_fdb_del(struct dsa_switch *ds, int port,
		     const unsigned char *addr, u16 vid,
		     struct dsa_db db);
int dsn_port_mdb_add(struct dsa_switch *ds, int port,
		     const struct switchdev_obj_port_mdb *mdb,
		     struct dsa_db db);
int dsn_port_mdb_del(struct dsa_switch *ds, int port,
		     const struct switchdev_obj_port_mdb *mdb,
		     struct dsa_db db);
int dsn_port_fdb_dump(struct dsa_switch *ds, int port,
		      dsa_fdb_dump_cb_t *cb, void *data);
void dsn_port_fast_age(struct dsa_switch *ds, int port);
int dsn_port_vlan_fast_age(struct dsa_switch *ds, int port, u16 vid);
int dsn_port_mirror_add(struct dsa_switch *ds, int port,
			struct dsa_mall_mirror_tc_entry *mirror,
			bool ingress, struct netlink_ext_ack *extack);
void dsn_port_mirror_del(struct dsa_switch *ds, int port,
			 struct dsa_mall_mirror_tc_entry *mirror);

#endif /* _DSA_NETLAB_BRIDGE_H */
