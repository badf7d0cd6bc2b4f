"""What differs between vendors: profiles, error rules, redaction."""
