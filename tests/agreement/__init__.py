"""Whether our embeddings are those of sentence-transformers, for each layout that its version 6 writes."""
