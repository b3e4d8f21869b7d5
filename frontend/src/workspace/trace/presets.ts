// Where a call graph may start, in plain words. The kernel says which functions there are; a search finds all others.

export interface Preset {
  /** As in the kernel's source. */
  name: string;
  words: string;
}

export const PRESETS: readonly { title: string; starts: readonly Preset[] }[] = [
  {
    title: "A packet comes in",
    starts: [
      { name: "__netif_receive_skb", words: "received: all that a packet goes through" },
      { name: "net_rx_action", words: "the receive softirq and its budget" },
      { name: "veth_poll", words: "veth's NAPI poll (with XDP)" },
      { name: "ip_rcv", words: "IPv4 receives" },
      { name: "ipv6_rcv", words: "IPv6 receives" },
      { name: "arp_rcv", words: "ARP receives" },
      { name: "ip_forward", words: "IPv4 forwards" },
    ],
  },
  {
    title: "A packet goes out",
    starts: [
      { name: "__dev_queue_xmit", words: "sent: queue and driver" },
      { name: "ip_queue_xmit", words: "TCP hands a segment to IP" },
      { name: "ip_send_skb", words: "UDP, ICMP hand a packet to IP" },
      { name: "__qdisc_run", words: "a queueing discipline sends on" },
      { name: "veth_xmit", words: "veth's driver" },
    ],
  },
  {
    title: "Protocols",
    starts: [
      { name: "tcp_v4_rcv", words: "TCP receives" },
      { name: "tcp_sendmsg", words: "a program writes to TCP" },
      { name: "udp_rcv", words: "UDP receives" },
      { name: "udp_sendmsg", words: "a program sends by UDP" },
      { name: "icmp_rcv", words: "ICMP receives" },
    ],
  },
  {
    title: "Devices and hooks",
    starts: [
      { name: "br_handle_frame", words: "a bridge gets a frame" },
      { name: "dsa_switch_rcv", words: "DSA: a tagged frame comes from the switch" },
      { name: "dsa_user_xmit", words: "DSA: a port sends" },
      { name: "wg_xmit", words: "WireGuard sends" },
      { name: "wg_packet_rx_poll", words: "WireGuard receives" },
      { name: "vxlan_xmit", words: "VXLAN sends" },
      { name: "nf_hook_slow", words: "netfilter's hooks" },
      { name: "nft_do_chain", words: "nftables: a chain" },
      { name: "tcf_classify", words: "TC: classifiers, BPF among them" },
      { name: "do_xdp_generic", words: "XDP, generic" },
      { name: "veth_xdp_rcv_skb", words: "XDP in veth, native" },
      { name: "sk_skb_reason_drop", words: "a packet is dropped" },
    ],
  },
];

export const FIRST = "__netif_receive_skb";

export function isPreset(name: string): boolean {
  return PRESETS.some((group) => group.starts.some((start) => start.name === name));
}

/** What the kernel calls a function: other characters are in no name. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_.]{1,128}$/.test(text);
}
