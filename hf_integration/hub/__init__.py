"""Model cards on the Hub: publishing a watermark card, and checking what is claimed about one."""
