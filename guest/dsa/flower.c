// SPDX-License-Identifier: GPL-2.0
/*
 * tc flower in the chip: a TCAM
 *
 * A line of a TCAM has a value and a mask. A frame's fields are laid out as a
 * string of bits, and the first line whose masked value equals the masked
 * string says what happens. Each port has its lines in the order of tc's
 * preference. What does not fit into a line is refused, with a reason, and tc
 * keeps it in software.
 */
#include <net/flow_offload.h>
#include <net/pkt_cls.h>
#include "dsa_netlab.h"

#define DSN_KEY(id, member) \
	{ FLOW_DISSECTOR_KEY_##id, offsetof(struct dsn_rule_key, member) }

static const struct flow_dissector_key dsn_keys[] = {
	DSN_KEY(CONTROL, control),
	DSN_KEY(BASIC, basic),
	DSN_KEY(ETH_ADDRS, eth),
	DSN_KEY(VLAN, vlan),
	DSN_KEY(IPV4_ADDRS, ipv4),
	DSN_KEY(IPV6_ADDRS, ipv6),
	DSN_KEY(IP, ip),
	DSN_KEY(PORTS, ports),
	DSN_KEY(TCP, tcp),
	DSN_KEY(ICMP, icmp),
};

static struct flow_dissector dsn_dissector __read_mostly;
static u64 dsn_used_keys __read_mostly;

void dsn_flower_init(void)
{
	unsigned int i;

	skb_flow_dissector_init(&dsn_dissector, dsn_keys, ARRAY_SIZE(dsn_keys));
	for (i = 0; i < ARRAY_SIZE(dsn_keys); i++)
		dsn_used_keys |= BIT_ULL(dsn_keys[i].key_id);
}

static bool dsn_key_matches(const struct dsn_rule_key *key,
			    const struct dsn_rule *rule)
{
	const u64 *k = (const u64 *)key;
	const u64 *v = (const u64 *)&rule->value;
	const u64 *m = (const u64 *)&rule->mask;
	unsigned int i;

	for (i = 0; i < sizeof(*key) / sizeof(u64); i++)
		if ((k[i] ^ v[i]) & m[i])
			return false;
	return true;
}

struct dsn_rule *dsn_flower_match(struct dsn_port *port, struct sk_buff *skb)
{
	struct dsn_rule_key key;
	struct dsn_rule *rule;

	if (list_empty(&port->rules))
		return NULL;
	memset(&key, 0, sizeof(key));
	skb_flow_dissect(skb, &dsn_dissector, &key,
			 FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP);
	list_for_each_entry(rule, &port->rules, list) {
		if (!dsn_key_matches(&key, rule))
			continue;
		rule->packets++;
		rule->bytes += skb->len;
		rule->used = jiffies;
		return rule;
	}
	return NULL;
}

/* Copy one key of tc's rule into value and mask. */
#define DSN_TAKE(rule, out, id, name, member)				\
do {									\
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_##id)) {	\
		struct flow_match_##name match;				\
									\
		flow_rule_match_##name(rule, &match);			\
		memcpy(&(out)->value.member, match.key,			\
		       sizeof(*match.key));				\
		memcpy(&(out)->mask.member, match.mask,			\
		       sizeof(*match.mask));				\
	}								\
} while (0)

static int dsn_parse_key(struct flow_rule *rule, struct dsn_rule *out,
			 struct netlink_ext_ack *extack)
{
	if (rule->match.dissector->used_keys & ~dsn_used_keys) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The switch matches MAC, VLAN, IPv4, IPv6, ports, TCP flags and ICMP only");
		return -EOPNOTSUPP;
	}
	if (flow_rule_match_has_control_flags(rule, extack))
		return -EOPNOTSUPP;

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_CONTROL)) {
		struct flow_match_control match;

		flow_rule_match_control(rule, &match);
		out->value.control.addr_type = match.key->addr_type;
		out->mask.control.addr_type = match.mask->addr_type;
	}
	DSN_TAKE(rule, out, BASIC, basic, basic);
	DSN_TAKE(rule, out, ETH_ADDRS, eth_addrs, eth);
	DSN_TAKE(rule, out, VLAN, vlan, vlan);
	DSN_TAKE(rule, out, IP, ip, ip);
	DSN_TAKE(rule, out, PORTS, ports, ports);
	DSN_TAKE(rule, out, TCP, tcp, tcp);
	DSN_TAKE(rule, out, ICMP, icmp, icmp);
	/* tc lays both address families over one another. */
	if (out->value.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS)
		DSN_TAKE(rule, out, IPV4_ADDRS, ipv4_addrs, ipv4);
	else if (out->value.control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS)
		DSN_TAKE(rule, out, IPV6_ADDRS, ipv6_addrs, ipv6);
	return 0;
}

static int dsn_parse_port(struct dsa_switch *ds,
			  const struct flow_action_entry *act,
			  struct netlink_ext_ack *extack)
{
	struct dsa_port *to = dsa_port_from_netdev(act->dev);

	if (IS_ERR(to) || to->ds != ds) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The switch can send to its own ports only");
		return -EOPNOTSUPP;
	}
	return to->index;
}

static int dsn_parse_actions(struct dsa_switch *ds, struct flow_rule *rule,
			     struct dsn_rule *out,
			     struct netlink_ext_ack *extack)
{
	const struct flow_action_entry *act;
	bool ended = false;
	int i, to;

	if (!flow_action_has_entries(&rule->action)) {
		NL_SET_ERR_MSG_MOD(extack, "The rule has no action");
		return -EOPNOTSUPP;
	}
	if (!flow_action_basic_hw_stats_check(&rule->action, extack))
		return -EOPNOTSUPP;
	out->end = DSN_END_ACCEPT;
	flow_action_for_each(i, act, &rule->action) {
		if (ended) {
			NL_SET_ERR_MSG_MOD(extack,
					   "The switch does nothing after drop, trap, redirect or pass");
			return -EOPNOTSUPP;
		}
		switch (act->id) {
		case FLOW_ACTION_ACCEPT:
			ended = true;
			break;
		case FLOW_ACTION_DROP:
			out->end = DSN_END_DROP;
			ended = true;
			break;
		case FLOW_ACTION_TRAP:
			out->end = DSN_END_TRAP;
			ended = true;
			break;
		case FLOW_ACTION_REDIRECT:
		case FLOW_ACTION_MIRRED:
			to = dsn_parse_port(ds, act, extack);
			if (to < 0)
				return to;
			if (act->id == FLOW_ACTION_MIRRED) {
				out->copies |= BIT(to);
				break;
			}
			out->redirect = to;
			out->end = DSN_END_REDIRECT;
			ended = true;
			break;
		default:
			NL_SET_ERR_MSG_MOD(extack,
					   "The switch can drop, trap, pass, redirect and mirror only");
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

static struct dsn_rule *dsn_rule_find(struct dsn_port *port,
				      unsigned long cookie)
{
	struct dsn_rule *rule;

	list_for_each_entry(rule, &port->rules, list)
		if (rule->cookie == cookie)
			return rule;
	return NULL;
}

/* Behind all lines of the same preference, or better. */
static int dsn_rule_insert(struct dsn_port *port, struct dsn_rule *rule)
{
	struct dsn_chip *chip = port->chip;
	struct dsn_rule *old;
	int err = 0;

	spin_lock_bh(&chip->lock);
	if (chip->num_rules >= DSN_RULES_MAX) {
		err = -ENOSPC;
		goto out;
	}
	list_for_each_entry(old, &port->rules, list)
		if (old->prio > rule->prio)
			break;
	list_add_tail(&rule->list, &old->list);
	chip->num_rules++;
out:
	spin_unlock_bh(&chip->lock);
	return err;
}

int dsn_flower_add(struct dsa_switch *ds, int port,
		   struct flow_cls_offload *cls, bool ingress)
{
	struct netlink_ext_ack *extack = cls->common.extack;
	struct flow_rule *from = flow_cls_offload_flow_rule(cls);
	struct dsn_rule *rule;
	int err;

	if (!ingress) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The switch matches what comes in only");
		return -EOPNOTSUPP;
	}
	if (cls->common.chain_index) {
		NL_SET_ERR_MSG_MOD(extack, "The switch has chain 0 only");
		return -EOPNOTSUPP;
	}
	rule = kzalloc(sizeof(*rule), GFP_KERNEL);
	if (!rule)
		return -ENOMEM;
	rule->cookie = cls->cookie;
	rule->prio = cls->common.prio;
	err = dsn_parse_key(from, rule, extack) ?:
	      dsn_parse_actions(ds, from, rule, extack) ?:
	      dsn_rule_insert(&dsn_from_ds(ds)->chip.port[port], rule);
	if (err == -ENOSPC)
		NL_SET_ERR_MSG_MOD(extack, "The switch's TCAM is full");
	if (err)
		kfree(rule);
	return err;
}

int dsn_flower_del(struct dsa_switch *ds, int port,
		   struct flow_cls_offload *cls, bool ingress)
{
	struct dsn_chip *chip = &dsn_from_ds(ds)->chip;
	struct dsn_rule *rule;

	spin_lock_bh(&chip->lock);
	rule = dsn_rule_find(&chip->port[port], cls->cookie);
	if (rule) {
		list_del(&rule->list);
		chip->num_rules--;
	}
	spin_unlock_bh(&chip->lock);
	kfree(rule);
	return rule ? 0 : -ENOENT;
}

/* tc adds up what it is told: tell it what is new. */
int dsn_flower_stats(struct dsa_switch *ds, int port,
		     struct flow_cls_offload *cls, bool ingress)
{
	struct dsn_chip *chip = &dsn_from_ds(ds)->chip;
	struct dsn_rule *rule;

	spin_lock_bh(&chip->lock);
	rule = dsn_rule_find(&chip->port[port], cls->cookie);
	if (rule) {
		flow_stats_update(&cls->stats,
				  rule->bytes - rule->told_bytes,
				  rule->packets - rule->told_packets, 0,
				  rule->used, FLOW_ACTION_HW_STATS_IMMEDIATE);
		rule->told_bytes = rule->bytes;
		rule->told_packets = rule->packets;
	}
	spin_unlock_bh(&chip->lock);
	return rule ? 0 : -ENOENT;
}

void dsn_flower_flush(struct dsn_port *port)
{
	struct dsn_rule *rule, *next;

	spin_lock_bh(&port->chip->lock);
	list_for_each_entry_safe(rule, next, &port->rules, list) {
		list_del(&rule->list);
		port->chip->num_rules--;
		kfree(rule);
	}
	spin_unlock_bh(&port->chip->lock);
}
