"""Server-rendered pages: joining, the attendee's labs, the instructor's workshops, errors. Writes by `do_*` actions only."""
