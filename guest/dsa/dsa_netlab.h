/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dsa_netlab: an Ethernet switch chip in software, driven by net/dsa
 *
 * Two halves that know little of one another:
 *
 * struct dsn_chip	what would be silicon: ports, address table, VLANs, a
 *			TCAM for flower rules, counters, a tag format. Knows
 *			frames and nothing of DSA's objects.
 *			chip.c fdb.c vlan.c flower.c tag.c wire.c outer.c
 *
 * struct dsn_switch	what would be the driver: registers the chip with DSA
 *			and writes the kernel's wishes into its tables.
 *			bus.c switch.c bridge.c phy.c stats.c debugfs.c
 *
 * Locking: chip->lock guards everything in the chip. The data plane takes it
 * to decide where a frame goes, and lets it go before it sends anything. RTNL
 * guards links (admin state, carrier) and the lifetime of net devices.
 */
#ifndef _DSA_NETLAB_H
#define _DSA_NETLAB_H

#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/hashtable.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/dsa.h>
#include <net/flow_dissector.h>

#define DSN_CPU_PORT		0	/* so that lanX is port X in every tag */
#define DSN_MAX_PORTS		DSA_MAX_PORTS
#define DSN_MAX_BRIDGES		31	/* a DSA tag names a bridge in 5 bits */
#define DSN_MAX_MTU		9000
#define DSN_FDB_BITS		8
#define DSN_FDB_MAX		4096	/* entries of the address table */
#define DSN_RULES_MAX		256	/* lines of the TCAM */
#define DSN_AGEING_DEFAULT_MS	300000

/* Databases of addresses: one for each bridge, and one for each port that is
 * in no bridge. What is known in one means nothing in another.
 */
#define DSN_DB_BRIDGE(num)	((u16)(num))
#define DSN_DB_PORT(port)	((u16)(0x100 | (port)))
#define DSN_DB_IS_PORT(db)	((db) & 0x100)

/* Counters of a port. stats.c names them. */
enum dsn_counter {
	DSN_RX_FRAMES,
	DSN_RX_BYTES,
	DSN_TX_FRAMES,
	DSN_TX_BYTES,
	DSN_SWITCHED,		/* came in here, left by another user port */
	DSN_FLOODED,		/* ... because its destination was unknown */
	DSN_TO_CPU,		/* came in here, went to the CPU */
	DSN_TRAPPED,		/* ... by a trap: IGMP, link-local, tc */
	DSN_FROM_CPU,		/* left here, sent by the CPU */
	DSN_MIRRORED,		/* copies made by a mirror */
	DSN_REDIRECTED,		/* by a tc rule */
	DSN_LEARNED,
	DSN_MOVED,
	DSN_AGED,
	DSN_DROP_LINK,		/* the port is down */
	DSN_DROP_STP,		/* its state does not let it through */
	DSN_DROP_VLAN,		/* not a member, or untagged without a PVID */
	DSN_DROP_FILTERED,	/* not for this host, and nobody listens to all */
	DSN_DROP_NOWHERE,	/* no port is left that it could go to */
	DSN_DROP_LOCKED,	/* locked port, unknown sender */
	DSN_DROP_RULE,		/* by a tc rule */
	DSN_DROP_MTU,
	DSN_DROP_TAG,		/* CPU port: no valid tag */
	DSN_COUNTERS
};

struct dsn_chip;

struct dsn_port {
	struct dsn_chip *chip;
	struct net_device *outer;	/* NULL at the CPU port */
	u8 index;

	/* The rest is guarded by chip->lock. */
	bool enabled;			/* the user port is up */
	bool plugged;			/* the outer side is up */
	u8 stp_state;
	u16 bridge;			/* 0: standalone */
	u16 mtu;

	bool learning;
	bool flood_unicast;
	bool flood_multicast;
	bool flood_broadcast;
	bool isolated;
	bool locked;
	bool host_unicast;		/* unknown frames go to the CPU too */
	bool host_multicast;

	bool vlan_aware;
	u16 pvid;			/* 0: none */
	DECLARE_BITMAP(member, VLAN_N_VID);
	DECLARE_BITMAP(untagged, VLAN_N_VID);

	u16 mirror_in;			/* ports that get a copy */
	u16 mirror_out;
	struct list_head rules;		/* struct dsn_rule, best first */

	u64 count[DSN_COUNTERS];
};

struct dsn_fdb_entry {
	struct hlist_node node;
	unsigned long seen;		/* jiffies, of a learned one */
	u16 db;
	u16 vid;
	u16 ports;			/* several for a multicast group */
	u8 addr[ETH_ALEN];
	bool is_static;
};

struct dsn_chip {
	spinlock_t lock;
	unsigned int num_ports;		/* with the CPU port */
	struct dsn_port port[DSN_MAX_PORTS];
	const struct dsn_tagger *tagger;
	struct net_device __rcu *wire;

	DECLARE_HASHTABLE(fdb, DSN_FDB_BITS);
	unsigned int fdb_size;
	unsigned int ageing_ms;
	struct delayed_work ageing;
	unsigned int num_rules;
};

/* A frame on its way through the chip. An 802.1Q tag that it wears lies in the
 * skb's VLAN field (as after reception by a NIC), never in its bytes.
 */
struct dsn_frame {
	struct sk_buff *skb;		/* data at the MAC header */
	u16 vid;			/* what it was classified to; 0: none */
	u16 source;			/* the port that it came in by */
	u16 bridge;
};

/* Why the CPU gets a frame. Most tag formats cannot say. */
enum dsn_reason {
	DSN_REASON_FORWARD,		/* the chip has sent it elsewhere, too */
	DSN_REASON_LINK_LOCAL,
	DSN_REASON_SNOOPED,		/* IGMP and MLD */
	DSN_REASON_RULE,
};

/* Where a frame goes. */
struct dsn_verdict {
	u16 out;			/* ports */
	u16 copies;			/* ports, for mirrors */
	u16 untag;			/* of out: leave without VLAN tag */
	u16 tag;			/* of out: leave with VLAN tag vid */
	enum dsn_reason reason;
};

/* What a tag from the CPU says. */
struct dsn_from_cpu {
	bool forward;			/* the chip decides, for this bridge */
	u16 bridge;
	u16 ports;			/* otherwise: exactly these */
};

/* Can the tag tell the CPU that the chip has forwarded the frame already? */
enum dsn_mark {
	DSN_MARK_PER_FRAME,		/* yes, by frame */
	DSN_MARK_ALWAYS,		/* the tagger assumes that it has */
	DSN_MARK_NEVER,			/* the tagger assumes that it has not */
};

struct dsn_tagger {
	const char *name;
	enum dsa_tag_protocol proto;
	enum dsn_mark mark;
	bool forward;			/* knows dsn_from_cpu.forward */
	u8 max_port;
	u8 headroom;
	u8 tailroom;
	void (*push)(struct sk_buff *skb, u16 port, u16 vid,
		     enum dsn_reason reason);
	bool (*pop)(struct sk_buff *skb, struct dsn_from_cpu *from);
};

struct dsn_switch {
	struct device dev;
	struct list_head list;
	unsigned int id;
	int probe_err;
	const char *prefix;
	struct net_device *conduit;
	netdevice_tracker conduit_tracker;
	struct net_device *wire;	/* as long as the chip sits there */
	netdevice_tracker wire_tracker;
	struct net *home;		/* where outer sides are made */
	netns_tracker home_tracker;
	struct work_struct vanish;	/* its conduit or wire is going away */
	struct kernfs_node *conduit_sd;	/* see dsn_conduit_gone() */

	struct dsa_switch ds;
	struct dsa_chip_data cd;
	char names[DSN_MAX_PORTS][IFNAMSIZ];
	struct dentry *debugfs;
	struct dsn_chip chip;
};

static inline struct dsn_switch *dsn_from_chip(struct dsn_chip *chip)
{
	return container_of(chip, struct dsn_switch, chip);
}

static inline struct dsn_switch *dsn_from_ds(struct dsa_switch *ds)
{
	return container_of(ds, struct dsn_switch, ds);
}

static inline bool dsn_port_is_up(const struct dsn_port *port)
{
	return port->enabled && port->plugged;
}

static inline void dsn_count(struct dsn_port *port, enum dsn_counter what)
{
	port->count[what]++;
}

static inline struct dsn_chip *dsn_chip_of(struct dsa_switch *ds)
{
	return &dsn_from_ds(ds)->chip;
}

/* chip.c: the data plane */
void dsn_chip_init(struct dsn_chip *chip, unsigned int num_ports,
		   const struct dsn_tagger *tagger);
void dsn_chip_fini(struct dsn_chip *chip);
void dsn_chip_from_outer(struct dsn_port *port, struct sk_buff *skb);
void dsn_chip_from_wire(struct dsn_chip *chip, struct sk_buff *skb);

/* fdb.c: the address table. With chip->lock held, but for the last three. */
struct dsn_fdb_entry *dsn_fdb_find(struct dsn_chip *chip, u16 db, u16 vid,
				   const u8 *addr);
void dsn_fdb_learn(struct dsn_port *port, u16 vid, const u8 *addr);
void dsn_fdb_flush(struct dsn_chip *chip, u16 db, u16 ports, int vid);
int dsn_fdb_add(struct dsn_chip *chip, u16 db, u16 vid, const u8 *addr,
		unsigned int port);
int dsn_fdb_del(struct dsn_chip *chip, u16 db, u16 vid, const u8 *addr,
		unsigned int port);
void dsn_fdb_init(struct dsn_chip *chip);
void dsn_fdb_fini(struct dsn_chip *chip);
void dsn_fdb_set_ageing(struct dsn_chip *chip, unsigned int msecs);

/* vlan.c, with chip->lock held but for the first */
void dsn_vlan_normalise(struct sk_buff *skb);
bool dsn_vlan_classify(const struct dsn_port *port, struct dsn_frame *frame);
void dsn_vlan_egress(const struct dsn_chip *chip,
		     const struct dsn_frame *frame, struct dsn_verdict *verdict);

/* flower.c: the TCAM */
enum dsn_rule_end { DSN_END_ACCEPT, DSN_END_DROP, DSN_END_TRAP,
		    DSN_END_REDIRECT };

struct dsn_rule_key {
	struct flow_dissector_key_control control;
	struct flow_dissector_key_basic basic;
	struct flow_dissector_key_eth_addrs eth;
	struct flow_dissector_key_vlan vlan;
	struct flow_dissector_key_ipv4_addrs ipv4;
	struct flow_dissector_key_ipv6_addrs ipv6;
	struct flow_dissector_key_ip ip;
	struct flow_dissector_key_ports ports;
	struct flow_dissector_key_tcp tcp;
	struct flow_dissector_key_icmp icmp;
} __aligned(sizeof(u64));

struct dsn_rule {
	struct list_head list;
	unsigned long cookie;
	u32 prio;
	struct dsn_rule_key value;
	struct dsn_rule_key mask;
	enum dsn_rule_end end;
	u16 copies;			/* ports, of mirred mirror */
	u8 redirect;			/* port */
	u64 packets, bytes;
	u64 told_packets, told_bytes;	/* what tc knows of them */
	unsigned long used;		/* jiffies */
};

void dsn_flower_init(void);
struct dsn_rule *dsn_flower_match(struct dsn_port *port, struct sk_buff *skb);
void dsn_flower_flush(struct dsn_port *port);
int dsn_flower_add(struct dsa_switch *ds, int port,
		   struct flow_cls_offload *cls, bool ingress);
int dsn_flower_del(struct dsa_switch *ds, int port,
		   struct flow_cls_offload *cls, bool ingress);
int dsn_flower_stats(struct dsa_switch *ds, int port,
		     struct flow_cls_offload *cls, bool ingress);

/* tag.c */
const struct dsn_tagger *dsn_tagger_by_name(const char *name);
const struct dsn_tagger *dsn_tagger_by_proto(enum dsa_tag_protocol proto);

/* wire.c: the chip's end of the link to the conduit. Under RTNL. */
int dsn_wire_attach(struct dsn_switch *sw);
void dsn_wire_detach(struct dsn_switch *sw);
struct dsn_switch *dsn_wire_owner(const struct net_device *dev);
void dsn_wire_send(struct dsn_chip *chip, struct sk_buff *skb, u16 port,
		   u16 vid, enum dsn_reason reason);

/* outer.c: the outer sides */
int dsn_outer_create(struct dsn_switch *sw, struct dsn_port *port);
void dsn_outer_destroy(struct dsn_port *port);
void dsn_outer_deliver(struct dsn_port *port, struct sk_buff *skb);
void dsn_link_changed(struct dsn_port *port);	/* under RTNL */

/* phy.c */
int dsn_phy_setup(struct dsn_switch *sw);
void dsn_phy_teardown(struct dsn_switch *sw);
void dsn_phy_changed(struct dsn_switch *sw, unsigned int port);

/* switch.c: the DSA driver */
int dsn_switch_probe(struct dsn_switch *sw);
void dsn_switch_remove(struct dsn_switch *sw);
struct dsn_switch *dsn_conduit_owner(const struct net_device *dev);
void dsn_conduit_gone(struct dsn_switch *sw);

/* stats.c */
extern const char dsn_counter_names[DSN_COUNTERS][ETH_GSTRING_LEN];
void dsn_get_strings(struct dsa_switch *ds, int port, u32 stringset, u8 *data);
void dsn_get_ethtool_stats(struct dsa_switch *ds, int port, u64 *data);
int dsn_get_sset_count(struct dsa_switch *ds, int port, int sset);
void dsn_get_stats64(struct dsa_switch *ds, int port,
		     struct rtnl_link_stats64 *stats);
u64 dsn_drops(const struct dsn_port *port);

/* debugfs.c */
void dsn_debugfs_init(void);
void dsn_debugfs_exit(void);
void dsn_debugfs_add(struct dsn_switch *sw);
void dsn_debugfs_del(struct dsn_switch *sw);

#endif /* _DSA_NETLAB_H */
