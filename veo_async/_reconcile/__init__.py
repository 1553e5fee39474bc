"""Finding which record is a lost submit's."""
