"""A search service: documents are embedded elsewhere, queries and suggestions here."""
