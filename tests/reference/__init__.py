"""The reference pages: what is generated from the code, and the messages that one page quotes."""
