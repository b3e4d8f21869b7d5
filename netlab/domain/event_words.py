"""What the always-on events and page pool counters of a node are called and mean: name -> (unit, words). Pure; no logic."""

EVENT_WORDS = {
    "tcp_retransmits": ("packets", "TCP segments sent again, because no acknowledgement came in time"),
    "tcp_resets_sent": ("packets", "TCP connections refused or cut off by this node (RST sent)"),
    "tcp_resets_received": ("packets", "TCP connections refused or cut off by the other end (RST received)"),
    "udp_queue_failures": ("packets", "datagrams that did not fit into a UDP socket's receive buffer"),
    "receive_queue_full": ("packets", "packets that found a socket's receive buffer full"),
    "icmp_sent": ("packets", "ICMP messages that this node's kernel has sent about packets of others"),
    "neighbour_updates": ("1", "changes of what is known of neighbours' link addresses (ARP, neighbour discovery)"),
    "xdp_exceptions": ("packets", "packets lost in XDP by XDP_ABORTED, an unknown action, or a full target"),
    "xdp_redirects": ("packets", "packets that XDP_REDIRECT has handed on"),
    "xdp_redirect_errors": ("packets", "packets that XDP_REDIRECT could not hand on: the map entry or its device is not there"),
    "xdp_devmap_sent": ("packets", "packets that have come to a device of this node through a devmap"),
    "xdp_devmap_drops": ("packets", "packets that a devmap could not give to a device of this node"),
}
PAGE_POOL_WORDS = {
    "page_pool_hold": ("1", "pages that the device's page pools have taken from the kernel"),
    "page_pool_release": ("1", "pages that the device's page pools have given back to the kernel"),
    "page_pool_in_flight": ("1", "pages that the device's page pools hold now, waiting or with a packet in them"),
}
