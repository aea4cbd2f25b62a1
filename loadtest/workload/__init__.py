"""What stations do, as data: profiles, vendors, replays, identities, plans of commands and storms."""
