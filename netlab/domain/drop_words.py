"""Reasons for which everything but TCP drops: name -> (label, meaning). Data for `drop_reasons`; the names are the kernel's.

Written after include/net/dropreason-core.h and the code that gives each reason.
"""

SOCKET_WORDS = {
    "NO_SOCKET": ("nobody listens there", "No socket is bound to the packet's port and address. UDP answers with ICMP port"
        " unreachable, TCP with a reset. Look at `ss -lnptu`: is the program running, and on that address?"),
    "SOCKET_CLOSE": ("the socket was being closed", "Packets waited in a socket's queue when its program closed it."),
    "SOCKET_FILTER": ("a socket filter refused it", "A BPF program attached to the socket (SO_ATTACH_FILTER, SO_ATTACH_BPF) has"
        " returned 0 for the packet."),
    "SOCKET_RCVBUFF": ("receive buffer is full", "The program reads more slowly than packets come. Look at `ss -nump` (Recv-Q,"
        " drops); a larger SO_RCVBUF helps against bursts only."),
    "SOCKET_BACKLOG": ("the socket's backlog is full", "A program held the socket while so many packets came that even the"
        " waiting list was full."),
    "PROTO_MEM": ("protocol memory is used up", "All sockets of this protocol together use more than tcp_mem or udp_mem allow."),
    "UNIX_DISCONNECT": ("the unix socket was disconnected", "Messages of a peer waited in a unix socket when it connected to"
        " another."),
    "UNIX_SKIP_OOB": ("urgent data skipped on a unix socket", "Out-of-band data of a unix socket was passed over by a reader."),
    "PACKET_SOCK_ERROR": ("a packet socket could not take it", "Copying the packet for an AF_PACKET socket (tcpdump) has"
        " failed; its ring is full or there is no memory."),
    "SKB_UCOPY_FAULT": ("the program's memory was not there", "Data could not be copied from or to a program's memory."),
    "BPF_CGROUP_EGRESS": ("a cgroup's BPF program refused it", "A program attached to the cgroup (egress) has said no."),
    "SECURITY_HOOK": ("a security module refused it", "SELinux, Smack or another security module has said no."),
    "XFRM_POLICY": ("an IPsec policy refused it", "A policy (`ip xfrm policy`) wants the packet protected, and it was not."),
}

IP_WORDS = {
    "PKT_TOO_SMALL": ("packet is too short", "It is shorter than the header that has to be in it."),
    "UDP_CSUM": ("wrong UDP checksum", "The checksum of a datagram does not fit its bytes. Look for whoever rewrites packets"
        " without correcting the checksum."),
    "ICMP_CSUM": ("wrong ICMP checksum", "The checksum of an ICMP message does not fit its bytes. Whoever changes a packet has"
        " to correct it."),
    "IP_CSUM": ("wrong IP header checksum", "The checksum of the IPv4 header does not fit. A program that changes the header"
        " (TTL, addresses) has to correct it."),
    "SKB_CSUM": ("the checksum cannot be computed", "The kernel was to complete the packet's checksum and could not."),
    "IP_INHDR": ("bad IP header, or TTL used up", "The IPv4 or IPv6 header is malformed; or a router found a TTL of 1 and"
        " answered with ICMP time exceeded, as traceroute asks for."),
    "IP_RPFILTER": ("came from the wrong side (rp_filter)", "The way back to the packet's source does not lead through the"
        " interface that it came in by. Look at `ip route get SOURCE` and net.ipv4.conf.*.rp_filter."),
    "IP_OUTNOROUTES": ("no route for what it sends", "This node was to send a packet itself and has no route there: `ip route`."),
    "IP_INNOROUTES": ("no route to forward it", "The packet is not for this node, and it has no route to where it goes; the"
        " sender gets ICMP unreachable. Look at `ip route get DESTINATION` on this node."),
    "IP_INADDRERRORS": ("address is not usable here", "The destination is none that this node can take or forward to: is"
        " forwarding on (net.ipv4.ip_forward)?"),
    "IP_LOCAL_SOURCE": ("came in with one of our own addresses", "The source address is this node's own. A loop, or forged."),
    "IP_INVALID_SOURCE": ("invalid source address", "A multicast or broadcast address, or none at all, as the source."),
    "IP_LOCALNET": ("127.0.0.0/8 from outside", "A loopback address came in by a real interface (route_localnet allows it)."),
    "IP_INVALID_DEST": ("invalid destination address", "For instance 0.0.0.0, which nobody can be reached by."),
    "IP_NOPROTO": ("nobody handles this IP protocol", "The protocol number in the IP header is none that this kernel has; the"
        " sender gets ICMP protocol unreachable."),
    "INVALID_PROTO": ("protocol does not fit", "The packet is of a protocol that its socket or tunnel does not speak."),
    "PKT_TOO_BIG": ("larger than the MTU", "It does not fit through the next link and must not be fragmented; the sender gets"
        " ICMP fragmentation needed. Compare the MTUs along the way: `ip link`, `ip route get`."),
    "DUP_FRAG": ("fragment is there already", "The same fragment of a packet has come twice."),
    "FRAG_REASM_TIMEOUT": ("fragments did not all come", "Some fragments of a packet came, others did not in time (30 s). The"
        " whole packet is lost."),
    "FRAG_TOO_FAR": ("fragments too far apart", "Too many packets of this sender came in between two fragments"
        " (net.ipv4.ipfrag_max_dist)."),
    "NETFILTER_DROP": ("a firewall rule dropped it", "A rule of nftables or iptables. `nft list ruleset` shows the rules; add"
        " `counter` to find the one, or `nft monitor trace`."),
    "UNICAST_IN_L2_MULTICAST": ("one host's address in everybody's frame", "An IP packet for one host came in a broadcast or"
        " multicast frame, and net.ipv4.conf.*.drop_unicast_in_l2_multicast is set."),
    "IPV6DISABLED": ("IPv6 is switched off", "An IPv6 packet on an interface with net.ipv6.conf.*.disable_ipv6=1."),
    "IPV6_BAD_EXTHDR": ("bad IPv6 extension header", "An extension header is malformed or has an option that is not allowed."),
    "IPV6_NDISC_FRAG": ("fragmented neighbour discovery", "Neighbour discovery must not come in fragments (RFC 6980)."),
    "IPV6_NDISC_HOP_LIMIT": ("neighbour discovery from afar", "Its hop limit is not 255, so a router was in between: forged."),
    "IPV6_NDISC_BAD_CODE": ("neighbour discovery with a bad code", "The ICMPv6 code is not 0."),
    "IPV6_NDISC_BAD_OPTIONS": ("neighbour discovery is malformed", "An option of neighbour discovery has a wrong length."),
    "IPV6_NDISC_NS_OTHERHOST": ("neighbour asked for somebody else", "A neighbour solicitation for an address that this node"
        " does not have."),
    "NEIGH_CREATEFAIL": ("no neighbour entry could be made", "The table of neighbours is full: `ip neigh`, gc_thresh3."),
    "NEIGH_FAILED": ("the neighbour does not answer", "ARP or neighbour discovery got no answer, so nobody knows where to send"
        " it. Look at `ip neigh` (FAILED): is the address right, the other end up, the link the same?"),
    "NEIGH_QUEUEFULL": ("too many wait for a neighbour", "While the neighbour's link address is asked for, only few packets"
        " wait (unres_qlen_bytes); the oldest go."),
    "NEIGH_DEAD": ("the neighbour entry was removed", "The entry was deleted while the packet was on its way."),
    "NEIGH_HH_FILLFAIL": ("no link header could be made", "The neighbour is known, but its frame's header could not be made."),
    "IP_TUNNEL_ECN": ("tunnel: ECN bits contradict each other", "The outer header says congestion, the inner one that it does"
        " not know the word (RFC 6040)."),
    "LOCAL_MAC": ("came in with our own MAC address", "A frame came back to the interface that has sent it: look for a loop."),
    "ARP_PVLAN_DISABLE": ("ARP for others is switched off", "An ARP request that proxy_arp_pvlan does not answer."),
}

LINK_WORDS = {
    "OTHERHOST": ("for another MAC address", "The frame is for somebody else; it came because the interface listens to"
        " everything, or a bridge flooded it. Compare `ip link` and the neighbour table of the sender: a wrong static entry?"),
    "UNHANDLED_PROTO": ("nobody handles this EtherType", "Nothing in this node takes frames of this kind."),
    "QDISC_DROP": ("the queue discipline dropped it", "Its queue is full or its rate used up. `tc -s qdisc show dev DEVICE`"
        " counts it; look at limit, rate and burst."),
    "QDISC_OVERLIMIT": ("the queue is over its limit", "A flow or class has more packets waiting than its limit."),
    "QDISC_CONGESTED": ("dropped early, against congestion", "CoDel, RED or PIE: packets waited too long, so one is dropped to"
        " make the sender slow down. Meant to happen."),
    "CAKE_FLOOD": ("CAKE: a flow does not slow down", "CAKE's flood protection (BLUE) dropped a packet of a flow that ignores"
        " congestion signals."),
    "FQ_BAND_LIMIT": ("fq: the band is full", "fq's limit for packets of one priority band is reached."),
    "FQ_HORIZON_LIMIT": ("fq: scheduled too far ahead", "The packet's departure time (SO_TXTIME, pacing) lies beyond fq's"
        " horizon."),
    "FQ_FLOW_LIMIT": ("fq: the flow has too many packets", "More packets of one flow wait than flow_limit allows."),
    "DUALPI2_STEP_DROP": ("dualpi2: waited too long", "A packet of the low-latency queue waited beyond the step threshold and"
        " could not be marked."),
    "TC_EGRESS": ("a tc program on the way out dropped it", "A BPF program or a filter of `tc` at egress has returned shot. `tc"
        " filter show dev DEVICE egress`, `bpftool net`."),
    "TC_INGRESS": ("a tc program on the way in dropped it", "A BPF program or a filter of `tc` at ingress has returned shot."
        " `tc filter show dev DEVICE ingress`, `bpftool net`."),
    "TC_COOKIE_ERROR": ("tc lost its place", "A packet that came back from hardware has a mark that tc does not know."),
    "TC_CHAIN_NOTFOUND": ("tc: there is no such chain", "A filter's action goes to a chain that does not exist."),
    "TC_RECLASSIFY_LOOP": ("tc: classified in a circle", "Filters have sent the packet back to the beginning too often."),
    "CPU_BACKLOG": ("the processor's input queue is full", "Packets came faster than a processor takes them from its backlog"
        " (net.core.netdev_max_backlog; /proc/net/softnet_stat)."),
    "XDP": ("dropped in XDP", "An XDP program has dropped it, or handed it to something that could not take it. Look at the"
        " program's counters beside this one."),
    "SKB_GSO_SEG": ("could not be cut into segments", "A large packet (GSO) had to be segmented and could not."),
    "DEV_HDR": ("no link header could be made", "The device could not put its header before the packet."),
    "DEV_READY": ("the device is not ready", "The device is down or has no carrier: `ip link`."),
    "FULL_RING": ("the device's ring is full", "The ring between device and reader (tun, veth with XDP, packet socket) has no"
        " room: the reader is too slow."),
    "NOMEM": ("out of memory", "The kernel had no memory for what had to be done. Look at the node's memory limit."),
    "HDR_TRUNC": ("header is cut off", "The packet ends before its header does."),
    "TAP_FILTER": ("a tap's filter refused it", "The filter of a tun/tap device has said no."),
    "TAP_TXFILTER": ("not for a tap's addresses", "The destination is none that the tap device's filter lets through."),
    "QUEUE_PURGE": ("the queue was emptied", "What waited was thrown away at once: a socket was closed with something"
        " unread in it, a qdisc was removed, a device was set down."),
    "MAC_INVALID_SOURCE": ("invalid source MAC address", "A multicast address, or none, as the source of a frame."),
    "MAC_IEEE_MAC_CONTROL": ("a frame that no bridge forwards", "It is for one of the addresses 01:80:C2:00:00:0x, which end at"
        " the next bridge (pause frames, STP, LLDP)."),
    "BRIDGE_INGRESS_STP_STATE": ("the bridge port does not forward yet", "The port is blocking, listening or learning (spanning"
        " tree). `bridge link` shows its state; a new port needs up to 30 s."),
    "NO_TX_TARGET": ("no device to send it by", "A bond, team or VXLAN found none of its devices or peers to hand it to."),
    "VXLAN_INVALID_HDR": ("malformed VXLAN header", "Flags or reserved bits of the VXLAN header are not as they have to be."),
    "VXLAN_VNI_NOT_FOUND": ("unknown VXLAN network", "There is no VXLAN device with this VNI: `ip -d link` at both ends."),
    "VXLAN_ENTRY_EXISTS": ("VXLAN: address is fixed elsewhere", "A frame came from another peer than the static entry of the"
        " forwarding database says: `bridge fdb`."),
    "TUNNEL_TXINFO": ("tunnel without a destination", "A tunnel that is told its peer with each packet got one without it."),
    "RECURSION_LIMIT": ("sent in a circle of devices", "Devices stacked on each other have handed the packet on too often: look"
        " for a tunnel that leads into itself."),
    "PFMEMALLOC": ("taken from the last memory", "Memory was so short that the packet came in on the emergency reserve, which"
        " is for swapping alone."),
    "CAN_RX_INVALID_FRAME": ("invalid CAN frame", "A frame on a CAN interface is no CAN frame."),
    "CANFD_RX_INVALID_FRAME": ("invalid CAN FD frame", "A frame on a CAN interface is no CAN FD frame."),
    "CANXL_RX_INVALID_FRAME": ("invalid CAN XL frame", "A frame on a CAN interface is no CAN XL frame."),
}
