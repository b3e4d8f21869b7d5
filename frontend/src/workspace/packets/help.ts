// Where the page is that explains packets to attendees.

export const HELP = "/help/packets/";
