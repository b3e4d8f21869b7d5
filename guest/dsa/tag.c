// SPDX-License-Identifier: GPL-2.0
/*
 * Tags as the chip reads and writes them, at its end of the wire
 *
 * The kernel's end is net/dsa/tag_*.c: each push() here is read by a rcv()
 * there, each pop() here reads what an xmit() there has written.
 *
 * On entry and on return skb->data is at the MAC header, and an 802.1Q tag of
 * the frame is in the skb's VLAN field.
 */
#include <linux/bitfield.h>
#include <linux/dsa/mv88e6xxx.h>
#include <linux/dsa/tag_qca.h>
#include "dsa_netlab.h"

/* Most taggers splice their tag in between source address and EtherType. */
static u8 *dsn_open_gap(struct sk_buff *skb, unsigned int len)
{
	skb_push(skb, len);
	memmove(skb->data, skb->data + len, 2 * ETH_ALEN);
	return skb->data + 2 * ETH_ALEN;
}

static void dsn_close_gap(struct sk_buff *skb, unsigned int len)
{
	memmove(skb->data + len, skb->data, 2 * ETH_ALEN);
	skb_pull(skb, len);
}

static u8 *dsn_gap(struct sk_buff *skb, unsigned int len)
{
	if (skb->len < ETH_HLEN + len || !pskb_may_pull(skb, ETH_HLEN + len))
		return NULL;
	return skb->data + 2 * ETH_ALEN;
}

/* Formats without a VLAN of their own carry the 802.1Q tag in the frame. */
static void dsn_vlan_inside(struct sk_buff *skb)
{
	if (!skb_vlan_tag_present(skb))
		return;
	dsn_open_gap(skb, VLAN_HLEN);
	((struct vlan_ethhdr *)skb->data)->h_vlan_proto = skb->vlan_proto;
	((struct vlan_ethhdr *)skb->data)->h_vlan_TCI =
		htons(skb_vlan_tag_get(skb));
	__vlan_hwaccel_clear_tag(skb);
}

/*
 * DSA (Marvell): 4 bytes, whose first two bits say what the frame is. An
 * 802.1Q tag is merged into it.
 */
#define DSA_LEN			4
#define DSA_CMD_TO_CPU		(0 << 6)
#define DSA_CMD_FROM_CPU	(1 << 6)
#define DSA_CMD_FORWARD		(3 << 6)
#define DSA_CMD_MASK		(3 << 6)
#define DSA_TAGGED		0x20
#define DSA_DEV_MASK		0x1f
#define DSA_CFI			0x01	/* in byte 1; in byte 2 it is a code */
#define DSA_CODE_POLICY_TRAP	3
#define DSA_CODE_IGMP_MLD_TRAP	2
#define DSA_CODE_MGMT_TRAP	0

static void dsn_dsa_write(struct sk_buff *skb, u8 *tag, u16 port, u16 vid,
			  enum dsn_reason reason)
{
	u8 code = 0;
	u16 tci = vid;

	memset(tag, 0, DSA_LEN);
	tag[1] = port << 3;
	if (skb_vlan_tag_present(skb)) {
		tci = skb_vlan_tag_get(skb);
		tag[0] |= DSA_TAGGED;
		if (tci & VLAN_CFI_MASK)
			tag[1] |= DSA_CFI;
		__vlan_hwaccel_clear_tag(skb);
	}
	tag[2] = (tci & ~VLAN_CFI_MASK) >> 8;
	tag[3] = tci;

	if (reason == DSN_REASON_FORWARD) {
		tag[0] |= DSA_CMD_FORWARD;
		return;
	}
	if (reason == DSN_REASON_SNOOPED)
		code = DSA_CODE_IGMP_MLD_TRAP;
	else if (reason == DSN_REASON_RULE)
		code = DSA_CODE_POLICY_TRAP;
	else
		code = DSA_CODE_MGMT_TRAP;
	tag[0] |= DSA_CMD_TO_CPU;
	tag[1] |= code & 0x6;
	tag[2] |= (code & 0x1) << 4;
}

static bool dsn_dsa_read(struct sk_buff *skb, const u8 *tag,
			 struct dsn_from_cpu *from)
{
	u16 tci = tag[2] << 8 | tag[3];

	switch (tag[0] & DSA_CMD_MASK) {
	case DSA_CMD_FORWARD:
		/* The kernel sends on behalf of a bridge as from a virtual
		 * switch, whose number is the bridge's.
		 */
		from->forward = true;
		from->bridge = tag[0] & DSA_DEV_MASK;
		break;
	case DSA_CMD_FROM_CPU:
		if (tag[0] & DSA_DEV_MASK)
			return false;
		from->ports = BIT(tag[1] >> 3);
		break;
	default:
		return false;
	}
	if (tag[0] & DSA_TAGGED) {
		if (tag[1] & DSA_CFI)
			tci |= VLAN_CFI_MASK;
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	}
	return true;
}

static void dsn_dsa_push(struct sk_buff *skb, u16 port, u16 vid,
			 enum dsn_reason reason)
{
	dsn_dsa_write(skb, dsn_open_gap(skb, DSA_LEN), port, vid, reason);
}

static bool dsn_dsa_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *tag = dsn_gap(skb, DSA_LEN);

	if (!tag || !dsn_dsa_read(skb, tag, from))
		return false;
	dsn_close_gap(skb, DSA_LEN);
	return true;
}

/* EDSA: the same behind an EtherType of its own and two zero bytes. */
#define EDSA_LEN		8

static void dsn_edsa_push(struct sk_buff *skb, u16 port, u16 vid,
			  enum dsn_reason reason)
{
	u8 *tag = dsn_open_gap(skb, EDSA_LEN);

	*(__be16 *)tag = htons(ETH_P_EDSA);
	*(__be16 *)(tag + 2) = 0;
	dsn_dsa_write(skb, tag + 4, port, vid, reason);
}

static bool dsn_edsa_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *tag = dsn_gap(skb, EDSA_LEN);

	if (!tag || *(__be16 *)tag != htons(ETH_P_EDSA) ||
	    !dsn_dsa_read(skb, tag + 4, from))
		return false;
	dsn_close_gap(skb, EDSA_LEN);
	return true;
}

/* Trailer (Marvell 88E6060): 4 bytes at the frame's end. */
#define TRAILER_LEN		4

static void dsn_trailer_push(struct sk_buff *skb, u16 port, u16 vid,
			     enum dsn_reason reason)
{
	u8 *tag;

	dsn_vlan_inside(skb);
	tag = skb_put_zero(skb, TRAILER_LEN);
	tag[0] = 0x80;
	tag[1] = port;
}

static bool dsn_trailer_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *tag;

	if (skb->len < ETH_HLEN + TRAILER_LEN || skb_linearize(skb))
		return false;
	tag = skb_tail_pointer(skb) - TRAILER_LEN;
	if (tag[0] != 0x80 || tag[2] != 0x10)
		return false;
	from->ports = tag[1];
	skb_trim(skb, skb->len - TRAILER_LEN);
	return true;
}

/* BRCM (Broadcom): 4 bytes. */
#define BRCM_LEN		4
#define BRCM_OPCODE_TO_PORTS	(1 << 5)
#define BRCM_OPCODE_MASK	(7 << 5)

static void dsn_brcm_push(struct sk_buff *skb, u16 port, u16 vid,
			  enum dsn_reason reason)
{
	u8 *tag;

	dsn_vlan_inside(skb);
	tag = dsn_open_gap(skb, BRCM_LEN);
	memset(tag, 0, BRCM_LEN);
	tag[3] = port;
}

static bool dsn_brcm_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *tag = dsn_gap(skb, BRCM_LEN);

	if (!tag || (tag[0] & BRCM_OPCODE_MASK) != BRCM_OPCODE_TO_PORTS)
		return false;
	from->ports = (tag[2] & 1) << 8 | tag[3];
	dsn_close_gap(skb, BRCM_LEN);
	return true;
}

/* QCA (Qualcomm Atheros): 2 bytes. */
static void dsn_qca_push(struct sk_buff *skb, u16 port, u16 vid,
			 enum dsn_reason reason)
{
	u16 tag = FIELD_PREP(QCA_HDR_RECV_VERSION, QCA_HDR_VERSION) |
		  FIELD_PREP(QCA_HDR_RECV_SOURCE_PORT, port);

	if (skb_vlan_tag_present(skb))
		tag |= QCA_HDR_RECV_FRAME_IS_TAGGED;
	dsn_vlan_inside(skb);
	*(__be16 *)dsn_open_gap(skb, QCA_HDR_LEN) = htons(tag);
}

static bool dsn_qca_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *gap = dsn_gap(skb, QCA_HDR_LEN);
	u16 tag;

	if (!gap)
		return false;
	tag = ntohs(*(__be16 *)gap);
	if (FIELD_GET(QCA_HDR_XMIT_VERSION, tag) != QCA_HDR_VERSION ||
	    !(tag & QCA_HDR_XMIT_FROM_CPU))
		return false;
	from->ports = FIELD_GET(QCA_HDR_XMIT_DP_BIT, tag);
	dsn_close_gap(skb, QCA_HDR_LEN);
	return true;
}

/* MTK (MediaTek): 4 bytes. Towards the chip an 802.1Q tag is merged into it. */
#define MTK_LEN			4
#define MTK_TPID_8100		1

static void dsn_mtk_push(struct sk_buff *skb, u16 port, u16 vid,
			 enum dsn_reason reason)
{
	u8 *tag;

	dsn_vlan_inside(skb);
	tag = dsn_open_gap(skb, MTK_LEN);
	memset(tag, 0, MTK_LEN);
	tag[1] = port;
}

static bool dsn_mtk_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *tag = dsn_gap(skb, MTK_LEN);

	if (!tag || tag[0] > MTK_TPID_8100)
		return false;
	from->ports = tag[1] & 0x3f;
	if (tag[0] == MTK_TPID_8100)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q),
				       tag[2] << 8 | tag[3]);
	dsn_close_gap(skb, MTK_LEN);
	return true;
}

/* KSZ9477 (Microchip): at the end; one byte to the CPU, two from it. */
#define KSZ_TO_CPU_LEN		1
#define KSZ_FROM_CPU_LEN	2

static void dsn_ksz_push(struct sk_buff *skb, u16 port, u16 vid,
			 enum dsn_reason reason)
{
	dsn_vlan_inside(skb);
	skb_put_u8(skb, port);
}

static bool dsn_ksz_pop(struct sk_buff *skb, struct dsn_from_cpu *from)
{
	u8 *tag;

	if (skb->len < ETH_HLEN + KSZ_FROM_CPU_LEN || skb_linearize(skb))
		return false;
	tag = skb_tail_pointer(skb) - KSZ_FROM_CPU_LEN;
	from->ports = tag[1] & 0x7f;
	skb_trim(skb, skb->len - KSZ_FROM_CPU_LEN);
	return true;
}

static const struct dsn_tagger dsn_taggers[] = {
	{
		.name = "dsa", .proto = DSA_TAG_PROTO_DSA,
		.mark = DSN_MARK_PER_FRAME, .forward = true,
		.max_port = 11, .headroom = DSA_LEN,
		.push = dsn_dsa_push, .pop = dsn_dsa_pop,
	}, {
		.name = "edsa", .proto = DSA_TAG_PROTO_EDSA,
		.mark = DSN_MARK_PER_FRAME, .forward = true,
		.max_port = 11, .headroom = EDSA_LEN,
		.push = dsn_edsa_push, .pop = dsn_edsa_pop,
	}, {
		.name = "trailer", .proto = DSA_TAG_PROTO_TRAILER,
		.mark = DSN_MARK_NEVER,
		.max_port = 7, .tailroom = TRAILER_LEN,
		.push = dsn_trailer_push, .pop = dsn_trailer_pop,
	}, {
		.name = "brcm", .proto = DSA_TAG_PROTO_BRCM,
		.mark = DSN_MARK_ALWAYS,
		.max_port = 8, .headroom = BRCM_LEN,
		.push = dsn_brcm_push, .pop = dsn_brcm_pop,
	}, {
		.name = "qca", .proto = DSA_TAG_PROTO_QCA,
		.mark = DSN_MARK_NEVER,
		.max_port = 6, .headroom = QCA_HDR_LEN,
		.push = dsn_qca_push, .pop = dsn_qca_pop,
	}, {
		.name = "mtk", .proto = DSA_TAG_PROTO_MTK,
		.mark = DSN_MARK_ALWAYS,
		.max_port = 5, .headroom = MTK_LEN,
		.push = dsn_mtk_push, .pop = dsn_mtk_pop,
	}, {
		.name = "ksz9477", .proto = DSA_TAG_PROTO_KSZ9477,
		.mark = DSN_MARK_ALWAYS,
		.max_port = 6, .tailroom = KSZ_FROM_CPU_LEN,
		.push = dsn_ksz_push, .pop = dsn_ksz_pop,
	},
};

const struct dsn_tagger *dsn_tagger_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dsn_taggers); i++)
		if (!strcmp(dsn_taggers[i].name, name))
			return &dsn_taggers[i];
	return NULL;
}

const struct dsn_tagger *dsn_tagger_by_proto(enum dsa_tag_protocol proto)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dsn_taggers); i++)
		if (dsn_taggers[i].proto == proto)
			return &dsn_taggers[i];
	return NULL;
}
