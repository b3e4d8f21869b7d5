"""The software switch (guest/dsa): `inside` holds what runs in a guest, with nothing but Python; the rest boots one."""
