"""Servers that misbehave, one row each: what ``sslauth verify --endpoint`` makes of them, over real HTTP."""
