// SPDX-License-Identifier: GPL-2.0
/*
 * Counters: ethtool -S, and the totals of ip -s link
 *
 * ethtool -S shows, before these, DSA's own tx_packets, tx_bytes, rx_packets
 * and rx_bytes: what the CPU has seen of this port. The difference to rx_frames
 * and tx_frames is what the chip did without it.
 */
#include "dsa_netlab.h"

const char dsn_counter_names[DSN_COUNTERS][ETH_GSTRING_LEN] = {
	[DSN_RX_FRAMES]		= "hw_rx_frames",
	[DSN_RX_BYTES]		= "hw_rx_bytes",
	[DSN_TX_FRAMES]		= "hw_tx_frames",
	[DSN_TX_BYTES]		= "hw_tx_bytes",
	[DSN_SWITCHED]		= "hw_switched",
	[DSN_FLOODED]		= "hw_flooded",
	[DSN_TO_CPU]		= "hw_to_cpu",
	[DSN_TRAPPED]		= "hw_trapped",
	[DSN_FROM_CPU]		= "hw_from_cpu",
	[DSN_MIRRORED]		= "hw_mirrored",
	[DSN_REDIRECTED]	= "hw_redirected",
	[DSN_LEARNED]		= "fdb_learned",
	[DSN_MOVED]		= "fdb_moved",
	[DSN_AGED]		= "fdb_aged",
	[DSN_DROP_LINK]		= "drop_link_down",
	[DSN_DROP_STP]		= "drop_stp_state",
	[DSN_DROP_VLAN]		= "drop_vlan",
	[DSN_DROP_FILTERED]	= "drop_not_for_host",
	[DSN_DROP_NOWHERE]	= "drop_no_destination",
	[DSN_DROP_LOCKED]	= "drop_locked",
	[DSN_DROP_RULE]		= "drop_tc_rule",
	[DSN_DROP_MTU]		= "drop_too_long",
	[DSN_DROP_TAG]		= "drop_bad_tag",
};

void dsn_get_strings(struct dsa_switch *ds, int port, u32 stringset, u8 *data)
{
	if (stringset == ETH_SS_STATS)
		memcpy(data, dsn_counter_names, sizeof(dsn_counter_names));
}

int dsn_get_sset_count(struct dsa_switch *ds, int port, int sset)
{
	return sset == ETH_SS_STATS ? DSN_COUNTERS : 0;
}

void dsn_get_ethtool_stats(struct dsa_switch *ds, int port, u64 *data)
{
	struct dsn_chip *chip = &dsn_from_ds(ds)->chip;

	spin_lock_bh(&chip->lock);
	memcpy(data, chip->port[port].count, sizeof(chip->port[port].count));
	spin_unlock_bh(&chip->lock);
}

u64 dsn_drops(const struct dsn_port *port)
{
	unsigned int i;
	u64 sum = 0;

	for (i = DSN_DROP_LINK; i < DSN_COUNTERS; i++)
		sum += port->count[i];
	return sum;
}

void dsn_get_stats64(struct dsa_switch *ds, int port,
		     struct rtnl_link_stats64 *stats)
{
	struct dsn_chip *chip = &dsn_from_ds(ds)->chip;
	const struct dsn_port *from = &chip->port[port];

	spin_lock_bh(&chip->lock);
	stats->rx_packets = from->count[DSN_RX_FRAMES];
	stats->rx_bytes = from->count[DSN_RX_BYTES];
	stats->tx_packets = from->count[DSN_TX_FRAMES];
	stats->tx_bytes = from->count[DSN_TX_BYTES];
	stats->rx_dropped = dsn_drops(from);
	spin_unlock_bh(&chip->lock);
}
