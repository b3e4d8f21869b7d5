"""Who somebody is: attendees without a password, instructors and operators with one."""
