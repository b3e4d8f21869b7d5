"""The only writers of users and sessions: signing in and out, making instructors and attendees."""

import hashlib

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from netlab.accounts.choices import Role
from netlab.accounts.limits import FailureLimit
from netlab.accounts.models import NAME_CHARS_MAX, User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_command_id

WRONG_PASSWORDS_PER_NAME = 10
WRONG_PASSWORDS_IN_ALL = 60
WRONG_PASSWORDS_WINDOW_S = 600
BACKEND = "django.contrib.auth.backends.ModelBackend"


def clean_name(text: str) -> str:
    """A display name: printable, single spaces, 1 to 60 characters. Raises BAD_INPUT."""
    name = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not name:
        raise NetlabError(ErrorCode.BAD_INPUT, what="A name is missing.", fix="Type the name that the others in the room know.")
    if len(name) > NAME_CHARS_MAX:
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"A name has at most {NAME_CHARS_MAX} characters.", fix="Shorten it.")
    return name


def do_sign_in(request: HttpRequest, username: str, password: str) -> User:
    """An instructor or operator by password. Raises WRONG_PASSWORD, TOO_MANY_TRIES.

    Limited by name and in all, never by address: a room shares one. A locked name is locked for its owner, too, for
    ten minutes at most; sessions that are signed in go on.
    """
    name_digest = hashlib.sha256(username.strip().lower().encode()).hexdigest()[:16]
    limits = (
        FailureLimit(f"password:{name_digest}", WRONG_PASSWORDS_PER_NAME, WRONG_PASSWORDS_WINDOW_S),
        FailureLimit("password", WRONG_PASSWORDS_IN_ALL, WRONG_PASSWORDS_WINDOW_S),
    )
    for limit in limits:
        limit.check()
    user = authenticate(request, username=username.strip(), password=password)
    if not isinstance(user, User) or not user.teaches:
        for limit in limits:
            limit.failed()
        raise NetlabError(ErrorCode.WRONG_PASSWORD)
    login(request, user)
    return user


def do_sign_in_attendee(request: HttpRequest, user: User) -> None:
    """Make this browser's session the attendee's: after a join or a resume link. Never for who has a password."""
    if user.teaches:
        raise NetlabError(ErrorCode.NOT_ALLOWED, what="sign in as an instructor by a link")
    if request.user != user:
        login(request, user, backend=BACKEND)


def do_sign_out(request: HttpRequest) -> None:
    logout(request)


def do_make_attendee(name: str) -> User:
    """A user without a password; nobody can sign in as them but by a session or a resume link."""
    user = User(username=f"a-{new_command_id()[1:]}", name=name, role=Role.ATTENDEE)
    user.set_unusable_password()
    user.save()
    return user


def do_make_instructor(username: str, password: str, name: str = "", role: Role = Role.INSTRUCTOR) -> tuple[User, bool]:
    """(the instructor, whether they are new). For one that is there: the password is set anew. Raises BAD_INPUT."""
    username = username.strip()
    if not username or not username.isprintable() or len(username) > 40 or " " in username:
        fix = "Use up to 40 characters without spaces."
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"{username!r} cannot be a sign-in name.", fix=fix)
    user = User.objects.filter(username=username).first()
    is_new = user is None
    if user is None:
        user = User(username=username, name=clean_name(name or username))
    elif not user.teaches:
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"{username} is an attendee.", fix="Choose another sign-in name.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise NetlabError(ErrorCode.BAD_INPUT, what=" ".join(error.messages), fix="Choose a longer one.") from error
    user.role = role
    user.set_password(password)
    user.save()
    return user, is_new
