"""Files: from a host to the disk, whole or not at all."""
