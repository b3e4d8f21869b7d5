// SPDX-License-Identifier: GPL-2.0
/*
 * The address table: which station is behind which port
 *
 * A line is found by (database, VLAN, address). Learned lines age; lines that
 * the kernel has put in (static ones, host addresses, multicast groups) stay
 * until it takes them out.
 */
#include <linux/jhash.h>
#include "dsa_netlab.h"

#define DSN_AGEING_ROUND_MAX_MS	10000
#define DSN_AGEING_ROUND_MIN_MS	250

static struct hlist_head *dsn_fdb_bucket(struct dsn_chip *chip, u16 db,
					 u16 vid, const u8 *addr)
{
	u32 hash = jhash(addr, ETH_ALEN, (u32)db << 16 | vid);

	return &chip->fdb[hash_min(hash, DSN_FDB_BITS)];
}

static bool dsn_fdb_is_old(const struct dsn_chip *chip,
			   const struct dsn_fdb_entry *entry)
{
	return !entry->is_static &&
	       time_after(jiffies, entry->seen +
				   msecs_to_jiffies(chip->ageing_ms));
}

static void dsn_fdb_remove(struct dsn_chip *chip, struct dsn_fdb_entry *entry)
{
	hlist_del(&entry->node);
	chip->fdb_size--;
	kfree(entry);
}

struct dsn_fdb_entry *dsn_fdb_find(struct dsn_chip *chip, u16 db, u16 vid,
				   const u8 *addr)
{
	struct dsn_fdb_entry *entry;

	lockdep_assert_held(&chip->lock);
	hlist_for_each_entry(entry, dsn_fdb_bucket(chip, db, vid, addr), node)
		if (entry->db == db && entry->vid == vid &&
		    ether_addr_equal(entry->addr, addr) &&
		    !dsn_fdb_is_old(chip, entry))
			return entry;
	return NULL;
}

static struct dsn_fdb_entry *dsn_fdb_new(struct dsn_chip *chip, u16 db,
					 u16 vid, const u8 *addr)
{
	struct dsn_fdb_entry *entry;

	if (chip->fdb_size >= DSN_FDB_MAX)
		return NULL;
	entry = kzalloc(sizeof(*entry), GFP_ATOMIC);
	if (!entry)
		return NULL;
	entry->db = db;
	entry->vid = vid;
	ether_addr_copy(entry->addr, addr);
	hlist_add_head(&entry->node, dsn_fdb_bucket(chip, db, vid, addr));
	chip->fdb_size++;
	return entry;
}

static unsigned long dsn_fdb_round(const struct dsn_chip *chip)
{
	return msecs_to_jiffies(clamp(chip->ageing_ms / 4,
				      DSN_AGEING_ROUND_MIN_MS,
				      DSN_AGEING_ROUND_MAX_MS));
}

void dsn_fdb_learn(struct dsn_port *port, u16 vid, const u8 *addr)
{
	struct dsn_chip *chip = port->chip;
	u16 db = DSN_DB_BRIDGE(port->bridge);
	struct dsn_fdb_entry *entry;

	entry = dsn_fdb_find(chip, db, vid, addr);
	if (!entry) {
		entry = dsn_fdb_new(chip, db, vid, addr);
		if (!entry)
			return;
		dsn_count(port, DSN_LEARNED);
		/* The timer runs only while there is something to age. */
		schedule_delayed_work(&chip->ageing, dsn_fdb_round(chip));
	} else if (entry->is_static) {
		return;
	} else if (entry->ports != BIT(port->index)) {
		dsn_count(port, DSN_MOVED);
	}
	entry->ports = BIT(port->index);
	entry->seen = jiffies;
}

/* Forget learned addresses: of some ports, in one database or all (0), in one
 * VLAN or all (-1).
 */
void dsn_fdb_flush(struct dsn_chip *chip, u16 db, u16 ports, int vid)
{
	struct dsn_fdb_entry *entry;
	struct hlist_node *next;
	int bucket;

	lockdep_assert_held(&chip->lock);
	hash_for_each_safe(chip->fdb, bucket, next, entry, node)
		if (!entry->is_static && (entry->ports & ports) &&
		    (!db || entry->db == db) && (vid < 0 || entry->vid == vid))
			dsn_fdb_remove(chip, entry);
}

/* One address has one place; a multicast group has as many as have joined. */
int dsn_fdb_add(struct dsn_chip *chip, u16 db, u16 vid, const u8 *addr,
		unsigned int port)
{
	struct dsn_fdb_entry *entry;

	lockdep_assert_held(&chip->lock);
	entry = dsn_fdb_find(chip, db, vid, addr);
	if (!entry)
		entry = dsn_fdb_new(chip, db, vid, addr);
	if (!entry)
		return -ENOSPC;
	if (!is_multicast_ether_addr(addr))
		entry->ports = 0;
	entry->ports |= BIT(port);
	entry->is_static = true;
	return 0;
}

int dsn_fdb_del(struct dsn_chip *chip, u16 db, u16 vid, const u8 *addr,
		unsigned int port)
{
	struct dsn_fdb_entry *entry;

	lockdep_assert_held(&chip->lock);
	entry = dsn_fdb_find(chip, db, vid, addr);
	/* Already gone, or moved to another port since: what was asked for. */
	if (!entry || !(entry->ports & BIT(port)))
		return 0;
	entry->ports &= ~BIT(port);
	if (!entry->ports)
		dsn_fdb_remove(chip, entry);
	return 0;
}

static void dsn_fdb_age(struct work_struct *work)
{
	struct dsn_chip *chip = container_of(to_delayed_work(work),
					     struct dsn_chip, ageing);
	struct dsn_fdb_entry *entry;
	struct hlist_node *next;
	bool more = false;
	int bucket;

	spin_lock_bh(&chip->lock);
	hash_for_each_safe(chip->fdb, bucket, next, entry, node) {
		if (dsn_fdb_is_old(chip, entry)) {
			dsn_count(&chip->port[__ffs(entry->ports)], DSN_AGED);
			dsn_fdb_remove(chip, entry);
		} else if (!entry->is_static) {
			more = true;
		}
	}
	if (more)
		schedule_delayed_work(&chip->ageing, dsn_fdb_round(chip));
	spin_unlock_bh(&chip->lock);
}

void dsn_fdb_set_ageing(struct dsn_chip *chip, unsigned int msecs)
{
	spin_lock_bh(&chip->lock);
	chip->ageing_ms = msecs;
	spin_unlock_bh(&chip->lock);
	mod_delayed_work(system_wq, &chip->ageing, 0);
}

void dsn_fdb_init(struct dsn_chip *chip)
{
	hash_init(chip->fdb);
	chip->ageing_ms = DSN_AGEING_DEFAULT_MS;
	INIT_DEFERRABLE_WORK(&chip->ageing, dsn_fdb_age);
}

/* Nothing learns any more: all ports are gone. */
void dsn_fdb_fini(struct dsn_chip *chip)
{
	struct dsn_fdb_entry *entry;
	struct hlist_node *next;
	int bucket;

	cancel_delayed_work_sync(&chip->ageing);
	spin_lock_bh(&chip->lock);
	hash_for_each_safe(chip->fdb, bucket, next, entry, node)
		dsn_fdb_remove(chip, entry);
	spin_unlock_bh(&chip->lock);
}
