//go:build !linux

package doctor

import "io/fs"

// surroundings is not known here.
func surroundings(fs.FS) []string { return nil }

// descriptorLimit is not known here.
func descriptorLimit() (limit uint64, ok bool) { return 0, false }
