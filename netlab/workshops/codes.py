"""Join codes and resume links: how they are derived, shown, hashed and read. Pure but for the secret key.

A code is HMAC(secret key, workshop, generation), so it can be shown again at any time while the database holds only its
hash; a new generation is a new code.
"""

import hashlib
import hmac

from django.conf import settings
from django.core import signing

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import CROCKFORD, JOIN_CODE_CHARS, normalise_join_code

RESUME_SALT = "netlab.resume"


def _hmac(purpose: str, text: str) -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), f"{purpose}:{text}".encode(), hashlib.sha256).digest()


def join_code(workshop_id: str, generation: int) -> str:
    """8 letters of Crockford's alphabet: 40 bits."""
    number = int.from_bytes(_hmac("join-code", f"{workshop_id}:{generation}")[:5])
    return "".join(CROCKFORD[(number >> (5 * i)) & 31] for i in range(JOIN_CODE_CHARS))


def hash_code(typed: str) -> str:
    """Keyed, so that 40 bits cannot be searched by who has only the database."""
    return _hmac("join-code-hash", normalise_join_code(typed)).hex()


def show_code(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def join_link(code: str) -> str:
    return f"{settings.CONFIG.public_url.rstrip('/')}/join/{show_code(code)}/"


def resume_token(attendee_id: int, generation: int) -> str:
    return signing.dumps([attendee_id, generation], salt=RESUME_SALT, compress=False)


def resume_link(attendee_id: int, generation: int) -> str:
    return f"{settings.CONFIG.public_url.rstrip('/')}/resume/{resume_token(attendee_id, generation)}/"


def read_resume_token(token: str) -> tuple[int, int]:
    """(attendee id, generation). Raises RESUME_LINK_EXPIRED for one that is old, cut off or forged."""
    try:
        attendee_id, generation = signing.loads(token, salt=RESUME_SALT, max_age=settings.CONFIG.resume_link_days * 86400)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NetlabError(ErrorCode.RESUME_LINK_EXPIRED) from error
    return int(attendee_id), int(generation)
