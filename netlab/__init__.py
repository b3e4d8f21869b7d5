"""netlab: a Linux networking lab in the browser for every person in a room."""
