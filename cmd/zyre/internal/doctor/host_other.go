//go:build !linux

package doctor

// surroundings is not known here.
func surroundings() []string { return nil }

// descriptorLimit is not known here.
func descriptorLimit() (limit uint64, ok bool) { return 0, false }
