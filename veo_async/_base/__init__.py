"""What knows nothing of videos."""
