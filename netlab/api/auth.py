"""Who asks the API: the session's user, with a CSRF token for everything that is not safe."""

from typing import Any

from django.http import HttpRequest
from ninja.security.apikey import APIKeyCookie
from ninja.utils import check_csrf

from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError


class SessionCookie(APIKeyCookie):
    """Raises NOT_SIGNED_IN before CSRF: who is not signed in learns that first, whatever page they come from."""

    def __init__(self, param_name: str) -> None:
        self.param_name = param_name
        super().__init__(csrf=True)

    def __call__(self, request: HttpRequest) -> Any:
        if not isinstance(request.user, User) or not request.user.is_active:
            raise NetlabError(ErrorCode.NOT_SIGNED_IN)
        if check_csrf(request) is not None:
            raise NetlabError(ErrorCode.CSRF)
        return request.user

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        return request.user


def user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # SessionCookie has made sure
    return request.user
