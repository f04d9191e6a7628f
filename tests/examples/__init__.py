"""The sample projects in ``examples/`` are tried as their users run them."""
