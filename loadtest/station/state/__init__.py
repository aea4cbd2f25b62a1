"""What a station keeps: settings, lists, reservations, profiles; rules without messages."""
