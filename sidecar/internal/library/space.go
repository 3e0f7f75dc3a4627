package library

// FreeSpace is what may be written to the disk of a directory, in bytes; the
// directory may not exist yet.
func FreeSpace(dir string) (int64, error) { return freeSpace(dir) }
