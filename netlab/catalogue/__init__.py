"""The labs of this netlab: read from their folders, instructions rendered and cached. No database, no kernel."""
