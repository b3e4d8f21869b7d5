// Where the page is that explains traces to attendees.

export const HELP = "/help/traces/";
