"""User: every person who is signed in, attendees too. Written by netlab.accounts.actions only."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from netlab.accounts.choices import TEACHING, Role

NAME_CHARS_MAX = 60


class User(AbstractBaseUser):
    """`username` is what an instructor signs in with, random for attendees; `name` is what others see."""

    username = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=NAME_CHARS_MAX)
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.ATTENDEE)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "username"
    objects = BaseUserManager()

    @property
    def teaches(self) -> bool:
        return self.role in TEACHING

    @property
    def operates(self) -> bool:
        return self.role == Role.OPERATOR

    def __str__(self) -> str:
        return self.name
