"""Downloads: files from a host to the disk, complete or not at all."""
