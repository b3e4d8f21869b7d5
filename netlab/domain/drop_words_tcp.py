"""Reasons for which TCP drops: name -> (label, meaning). Data for `drop_reasons`; the names are the kernel's.

Written after include/net/dropreason-core.h and the code that gives each reason.
"""

TCP_WORDS = {
    "TCP_CSUM": ("wrong TCP checksum", "The checksum of a TCP segment does not fit its bytes. Look for whoever rewrites packets"
        " (an XDP or TC program, NAT) without correcting the checksum."),
    "TCP_AUTH_HDR": ("broken TCP authentication option", "The MD5 or AO option of a segment is malformed or there twice."),
    "TCP_MD5NOTFOUND": ("TCP MD5 signature is missing", "The connection has an MD5 key (TCP_MD5SIG), the segment has no"
        " signature. Give both ends the same setting."),
    "TCP_MD5UNEXPECTED": ("TCP MD5 signature not expected", "The segment is signed, but this end has no MD5 key for the peer."),
    "TCP_MD5FAILURE": ("TCP MD5 signature is wrong", "Both ends sign, with different keys; or something on the way has changed"
        " the segment."),
    "TCP_AONOTFOUND": ("TCP-AO signature is missing", "The connection demands TCP-AO, the segment has no such option."),
    "TCP_AOUNEXPECTED": ("TCP-AO signature not expected", "The segment carries TCP-AO, but this end has no keys for the peer."),
    "TCP_AOKEYNOTFOUND": ("TCP-AO key is not known", "The key id in the segment is none that this end has for the peer."),
    "TCP_AOFAILURE": ("TCP-AO signature is wrong", "The keys differ, or something on the way has changed the segment."),
    "TCP_FLAGS": ("TCP flags make no sense here", "For instance a SYN without what its state asks for, or a segment without ACK"
        " in an open connection. Scanners and damaged packets do that."),
    "TCP_ABORT_ON_DATA": ("TCP data after close", "Data came for a socket whose program has closed it already; the kernel"
        " answers with a reset. The other end had not heard of the close yet."),
    "TCP_ZEROWINDOW": ("TCP receive window was closed", "The receiver had announced that it has no room, and data came all the"
        " same. Look whether the receiving program reads fast enough."),
    "TCP_OLD_DATA": ("TCP data that is there already", "A retransmission of what has arrived before: an acknowledgement was"
        " lost or late. Harmless by itself; many of them mean loss or a path that is too slow."),
    "TCP_OVERWINDOW": ("TCP data beyond the window", "The segment begins behind what the receiver has announced to take."),
    "TCP_OFOMERGE": ("TCP data twice, out of order", "The segment lies inside one that waits out of order already. A sign of"
        " retransmissions and reordering."),
    "TCP_RFC7323_PAWS": ("TCP timestamp goes backwards", "The segment's timestamp is older than the last one (PAWS, RFC 7323):"
        " an old duplicate, or two hosts behind one address."),
    "TCP_RFC7323_PAWS_ACK": ("old TCP acknowledgement (PAWS)", "An acknowledgement with a timestamp that is older than the"
        " last: it came out of order. Usually harmless."),
    "TCP_RFC7323_TW_PAWS": ("old timestamp in TIME_WAIT", "A segment for a connection in TIME_WAIT with a timestamp that goes"
        " backwards. Many clients behind one NAT address do that."),
    "TCP_RFC7323_TSECR": ("TCP timestamp echo is wrong", "The segment echoes a timestamp that this end has never sent."),
    "TCP_LISTEN_OVERFLOW": ("accept queue is full", "A listening socket has more finished connections than its backlog. Look at"
        " `ss -lnt` (Recv-Q, Send-Q): the program accepts too slowly, or its backlog is too small."),
    "TCP_OLD_SEQUENCE": ("TCP sequence number is too old", "The whole segment lies before what has been received already."),
    "TCP_INVALID_SEQUENCE": ("TCP sequence number out of window", "The segment lies outside the receive window: a late"
        " duplicate, or a connection that one end has forgotten."),
    "TCP_INVALID_END_SEQUENCE": ("TCP segment ends behind the window", "It begins inside the receive window and ends outside of"
        " it."),
    "TCP_INVALID_ACK_SEQUENCE": ("TCP acknowledges the wrong thing", "The acknowledgement number is none that can be true in"
        " this state, for instance while the connection is being made."),
    "TCP_RESET": ("TCP connection was reset", "The segment that ended the connection (RST), or one that came with it. The other"
        " end has refused or given up."),
    "TCP_INVALID_SYN": ("SYN in an open connection", "A SYN came where a connection stands already. The other end may have been"
        " restarted and uses the same port."),
    "TCP_CLOSE": ("the TCP socket is closed", "The segment is for a socket that is in state CLOSE."),
    "TCP_FASTOPEN": ("TCP Fast Open refused it", "A segment of a Fast Open connection that its state does not allow."),
    "TCP_OLD_ACK": ("old TCP acknowledgement", "It acknowledges what was acknowledged before: out of order, usually harmless."),
    "TCP_TOO_OLD_ACK": ("far too old TCP acknowledgement", "It acknowledges what lies further back than any window was; the"
        " kernel answers with a challenge (RFC 5961)."),
    "TCP_ACK_UNSENT_DATA": ("TCP acknowledges what was never sent", "The acknowledgement number lies ahead of all that this end"
        " has sent: a connection out of step, or a forged segment."),
    "TCP_OFO_QUEUE_PRUNE": ("TCP out-of-order queue was emptied", "The receive buffer was full, so segments that waited out of"
        " order were thrown away. Look at loss on the path and at tcp_rmem."),
    "TCP_OFO_DROP": ("no room for TCP out of order", "A segment came out of order and the receive buffer has no room for it."),
    "TCP_MINTTL": ("TTL below what the socket asks", "The socket demands a least TTL (IP_MINTTL, as BGP does), and this packet"
        " came from further away."),
    "PSP_INPUT": ("PSP: not decrypted as agreed", "The connection is protected by PSP, and the segment came without."),
    "PSP_OUTPUT": ("PSP: the device cannot send it", "A segment of a connection protected by PSP was to leave by a device"
        " without that protection."),
}
