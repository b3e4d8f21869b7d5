"""From a bare Debian to a running netlab and back: `make up`, `down`, `status`, `test`. Standard library only, Python 3.11:
it runs with /usr/bin/python3 before anything is installed, so it imports nothing else of netlab."""
