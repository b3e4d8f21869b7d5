"""What agent and holder say to each other: one SOCK_SEQPACKET message each way, descriptors beside it (SCM_RIGHTS).

    {"do": "put", "id": T, "meta": {...}} + descriptor    -> {"ok": true}
    {"do": "list"}                                        -> {"ids": [...]}
    {"do": "take", "id": T}                               -> {"id": T, "meta": {...}} + a copy of the descriptor, or {"ok": false}
    {"do": "drop", "id": T}                               -> {"ok": true}
"""

MESSAGE_BYTES_MAX = 64 * 1024
ANSWER_WITHIN_S = 2.0
HELD_MAX = 4096
