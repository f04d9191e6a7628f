"""All entries of an ``sslauth.toml`` in one run: processes of bounded number and memory, one summary."""
