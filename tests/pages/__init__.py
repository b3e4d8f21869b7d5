"""Pages as each kind of person sees them, and the instructions' HTML."""
