// SPDX-License-Identifier: GPL-2.0
/*
 * A look into the chip: /sys/kernel/debug/dsa_netlab/<id>/
 *
 *	ports	state of every port
 *	fdb	the address table, all databases
 *	vlans	members of every VLAN
 *	flower	the lines of the TCAM, with their hits
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "dsa_netlab.h"

static struct dentry *dsn_debugfs_root;

static const char *const dsn_stp_names[] = {
	[BR_STATE_DISABLED]	= "disabled",
	[BR_STATE_LISTENING]	= "listening",
	[BR_STATE_LEARNING]	= "learning",
	[BR_STATE_FORWARDING]	= "forwarding",
	[BR_STATE_BLOCKING]	= "blocking",
};

static void dsn_show_ports_of(struct seq_file *s, unsigned long ports)
{
	unsigned int i;

	for_each_set_bit(i, &ports, DSN_MAX_PORTS) {
		if (i == DSN_CPU_PORT)
			seq_puts(s, " cpu");
		else
			seq_printf(s, " %u", i);
	}
}

static void dsn_show_port(struct seq_file *s, const struct dsn_port *port)
{
	seq_printf(s, "%-4u %-4s %-5s", port->index,
		   port->enabled ? "up" : "down",
		   port->plugged ? "yes" : "no");
	if (port->index == DSN_CPU_PORT) {
		seq_printf(s, " cpu port, tagger %s\n",
			   port->chip->tagger->name);
		return;
	}
	seq_printf(s, " %-10s", dsn_stp_names[port->stp_state]);
	if (port->bridge)
		seq_printf(s, " bridge%-4u", port->bridge);
	else
		seq_puts(s, " standalone");
	seq_printf(s, " %-5u %-5s %-4u", port->mtu,
		   port->vlan_aware ? "aware" : "-", port->pvid);
	seq_printf(s, "%s%s%s%s%s%s", port->learning ? " learning" : "",
		   port->flood_unicast ? " flood" : "",
		   port->flood_multicast ? " mcast_flood" : "",
		   port->flood_broadcast ? " bcast_flood" : "",
		   port->isolated ? " isolated" : "",
		   port->locked ? " locked" : "");
	seq_printf(s, "%s%s", port->host_unicast ? " unicast_to_cpu" : "",
		   port->host_multicast ? " mcast_to_cpu" : "");
	if (port->mirror_in) {
		seq_puts(s, " mirror_in:");
		dsn_show_ports_of(s, port->mirror_in);
	}
	if (port->mirror_out) {
		seq_puts(s, " mirror_out:");
		dsn_show_ports_of(s, port->mirror_out);
	}
	seq_putc(s, '\n');
}

static int ports_show(struct seq_file *s, void *unused)
{
	struct dsn_chip *chip = s->private;
	unsigned int i;

	seq_printf(s, "%-4s %-4s %-5s %-10s %-10s %-5s %-5s %-4s %s\n", "port",
		   "user", "cable", "stp", "bridge", "mtu", "vlan", "pvid",
		   "flags");
	spin_lock_bh(&chip->lock);
	for (i = 0; i < chip->num_ports; i++)
		dsn_show_port(s, &chip->port[i]);
	spin_unlock_bh(&chip->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ports);

static int fdb_show(struct seq_file *s, void *unused)
{
	struct dsn_chip *chip = s->private;
	struct dsn_fdb_entry *entry;
	int bucket;

	seq_printf(s, "%-17s %-4s %-9s %-8s %s\n", "address", "vid",
		   "database", "age", "ports");
	spin_lock_bh(&chip->lock);
	hash_for_each(chip->fdb, bucket, entry, node) {
		seq_printf(s, "%pM %-4u %s%-*u", entry->addr, entry->vid,
			   DSN_DB_IS_PORT(entry->db) ? "port" : "bridge",
			   DSN_DB_IS_PORT(entry->db) ? 5 : 3,
			   entry->db & 0xff);
		if (entry->is_static)
			seq_printf(s, " %-8s", "static");
		else
			seq_printf(s, " %-8u",
				   jiffies_to_msecs(jiffies - entry->seen) /
				   1000);
		dsn_show_ports_of(s, entry->ports);
		seq_putc(s, '\n');
	}
	spin_unlock_bh(&chip->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fdb);

static void dsn_show_vlan(struct seq_file *s, struct dsn_chip *chip, u16 vid)
{
	u16 tagged = 0, untagged = 0;
	unsigned int i;

	for (i = 0; i < chip->num_ports; i++) {
		if (!test_bit(vid, chip->port[i].member))
			continue;
		if (test_bit(vid, chip->port[i].untagged))
			untagged |= BIT(i);
		else
			tagged |= BIT(i);
	}
	if (!(tagged | untagged))
		return;
	seq_printf(s, "%-4u tagged:", vid);
	dsn_show_ports_of(s, tagged);
	seq_puts(s, " untagged:");
	dsn_show_ports_of(s, untagged);
	seq_putc(s, '\n');
}

static int vlans_show(struct seq_file *s, void *unused)
{
	struct dsn_chip *chip = s->private;
	u16 vid;

	spin_lock_bh(&chip->lock);
	for (vid = 1; vid < VLAN_N_VID; vid++)
		dsn_show_vlan(s, chip, vid);
	spin_unlock_bh(&chip->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vlans);

static void dsn_show_rule(struct seq_file *s, const struct dsn_port *port,
			  const struct dsn_rule *rule)
{
	static const char *const ends[] = {
		[DSN_END_ACCEPT] = "pass", [DSN_END_DROP] = "drop",
		[DSN_END_TRAP] = "trap", [DSN_END_REDIRECT] = "redirect",
	};

	/* tc keeps the preference in the upper half. */
	seq_printf(s, "%-4u %-6u %-10llu %-12llu %s", port->index,
		   rule->prio >> 16 ?: rule->prio, rule->packets, rule->bytes,
		   ends[rule->end]);
	if (rule->end == DSN_END_REDIRECT)
		seq_printf(s, " to %u", rule->redirect);
	if (rule->copies) {
		seq_puts(s, " mirror to");
		dsn_show_ports_of(s, rule->copies);
	}
	seq_putc(s, '\n');
}

static int flower_show(struct seq_file *s, void *unused)
{
	struct dsn_chip *chip = s->private;
	struct dsn_rule *rule;
	unsigned int i;

	seq_printf(s, "%-4s %-6s %-10s %-12s %s\n", "port", "pref", "packets",
		   "bytes", "action");
	spin_lock_bh(&chip->lock);
	for (i = 0; i < chip->num_ports; i++)
		list_for_each_entry(rule, &chip->port[i].rules, list)
			dsn_show_rule(s, &chip->port[i], rule);
	spin_unlock_bh(&chip->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(flower);

void dsn_debugfs_add(struct dsn_switch *sw)
{
	char name[12];

	snprintf(name, sizeof(name), "%u", sw->id);
	sw->debugfs = debugfs_create_dir(name, dsn_debugfs_root);
	debugfs_create_file("ports", 0444, sw->debugfs, &sw->chip, &ports_fops);
	debugfs_create_file("fdb", 0444, sw->debugfs, &sw->chip, &fdb_fops);
	debugfs_create_file("vlans", 0444, sw->debugfs, &sw->chip, &vlans_fops);
	debugfs_create_file("flower", 0444, sw->debugfs, &sw->chip,
			    &flower_fops);
}

void dsn_debugfs_del(struct dsn_switch *sw)
{
	debugfs_remove_recursive(sw->debugfs);
	sw->debugfs = NULL;
}

void dsn_debugfs_init(void)
{
	dsn_debugfs_root = debugfs_create_dir("dsa_netlab", NULL);
}

void dsn_debugfs_exit(void)
{
	debugfs_remove_recursive(dsn_debugfs_root);
}
