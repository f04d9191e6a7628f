"""The pytest plugin of SSL-Auth."""
