"""SSL-Auth on the Hugging Face stack: mint watermark cards and authenticate encoders."""
