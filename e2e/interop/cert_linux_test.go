package interop

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-zyre/zyre"
)

// czmqCert runs internal/interop/czmq_cert.c, and returns the certificate it prints.
func czmqCert(program string, args ...string) (*zyre.Cert, error) {
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		return nil, err
	}
	c := &zyre.Cert{}
	for line := range strings.Lines(string(out)) {
		kind, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "PUBLIC":
			c.PublicKey = value
		case "SECRET":
			if c.SecretKey = value; value == strings.Repeat("0", 40) {
				c.SecretKey = ""
			}
		case "META":
			if c.Metadata == nil {
				c.Metadata = map[string]string{}
			}
			name, value, _ := strings.Cut(value, "=")
			c.Metadata[name] = value
		}
	}
	return c, nil
}

func sameCert(t *testing.T, what string, got, want *zyre.Cert) {
	t.Helper()
	if got.PublicKey != want.PublicKey || got.SecretKey != want.SecretKey || !maps.Equal(got.Metadata, want.Metadata) {
		t.Errorf("%s = %v %q, want %v %q", what, got, got.Metadata, want, want.Metadata)
	}
}

// content is a file from its metadata on, without the comments before them.
func content(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, "ReadFile", err)
	return text[max(bytes.Index(text, []byte("\nmetadata\n")), 0):]
}

// CZMQ reads what we write, and we read what CZMQ writes; the files are the same but for
// comments.
func TestCert_czmq(t *testing.T) {
	program := buildCZMQ(t, "czmq_cert.c")
	for name, metadata := range map[string][]string{
		"no metadata": nil,
		"plain":       {"name", "alice"},
		"empty":       {"name", ""},
		"comment":     {"name", "a # b"},
		"equals":      {"name", "= a = b"},
		"single mark": {"name", "it's"},
		"space":       {"name", "  a\tb  "},
		"backslash":   {"name", `c:\x`},
		"not ASCII":   {"name", "é\xff"},
		"names":       {"aZ09$-_@.&+/b", "x"},
		"long":        {"name", strings.Repeat("x", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			theirs, ours := filepath.Join(t.TempDir(), "theirs"), filepath.Join(t.TempDir(), "ours")
			want, err := czmqCert(program, append([]string{"save", theirs}, metadata...)...)
			must(t, "czmq_cert save", err)
			got, err := zyre.LoadCert(theirs)
			must(t, "LoadCert", err)
			sameCert(t, "LoadCert of CZMQ's file", got, want)
			must(t, "Save", got.Save(ours))
			got, err = czmqCert(program, "load", ours)
			must(t, "czmq_cert load", err)
			sameCert(t, "zcert_load of our file", got, want)
			for _, suffix := range []string{"", "_secret"} {
				a, b := content(t, ours+suffix), content(t, theirs+suffix)
				if !bytes.Equal(a, b) {
					t.Errorf("our file is %q, CZMQ's %q", a, b)
				}
				ourInfo, err := os.Stat(ours + suffix)
				must(t, "Stat", err)
				theirInfo, err := os.Stat(theirs + suffix)
				must(t, "Stat", err)
				if ourInfo.Mode() != theirInfo.Mode() {
					t.Errorf("mode of our file %q = %v, CZMQ's %v", suffix, ourInfo.Mode(), theirInfo.Mode())
				}
			}
			must(t, "Remove", os.Remove(ours+"_secret"))
			must(t, "Remove", os.Remove(theirs+"_secret"))
			want.SecretKey = ""
			got, err = czmqCert(program, "load", ours)
			must(t, "czmq_cert load", err)
			sameCert(t, "zcert_load of our public file", got, want)
			got, err = zyre.LoadCert(theirs)
			must(t, "LoadCert", err)
			sameCert(t, "LoadCert of CZMQ's public file", got, want)
		})
	}
	t.Run("double marks", func(t *testing.T) { // CZMQ cannot read what it writes here
		path := filepath.Join(t.TempDir(), "c")
		c, err := zyre.NewCert()
		must(t, "NewCert", err)
		c.Metadata = map[string]string{"name": `say "hi"`}
		must(t, "Save", c.Save(path))
		got, err := czmqCert(program, "load", path)
		must(t, "czmq_cert load", err)
		sameCert(t, "zcert_load of our file", got, c)
		_, err = czmqCert(program, "save", path, "name", `say "hi"`)
		must(t, "czmq_cert save", err)
		if _, err := zyre.LoadCert(path); !errors.Is(err, zyre.ErrInvalid) || !strings.Contains(err.Error(), "_secret: line 6: ") {
			t.Errorf("LoadCert of marks in marks = %v, want ErrInvalid of line 6", err)
		}
	})
}

// A directory means the same to CZMQ's zcertstore, but for files that are no certificates:
// it passes over them.
func TestLoadCertStore_czmq(t *testing.T) {
	program, dir := buildCZMQ(t, "czmq_cert.c"), t.TempDir()
	must(t, "Mkdir", os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	must(t, "Mkdir", os.Mkdir(filepath.Join(dir, ".hidden"), 0o700))
	keys := map[string]string{}
	for i, name := range []string{"a", "b", "sub/c", "sub/d", ".e", ".f", ".hidden/g", ".hidden/h"} {
		path := filepath.Join(dir, name)
		if i%2 == 0 {
			c, err := czmqCert(program, "save", path)
			must(t, "czmq_cert save", err)
			keys[c.PublicKey] = name
			continue
		}
		c, err := zyre.NewCert()
		must(t, "NewCert", err)
		must(t, "Save", c.Save(path))
		keys[c.PublicKey] = name
	}
	out, err := exec.Command(program, append([]string{"find", dir}, slices.Collect(maps.Keys(keys))...)...).Output()
	must(t, "czmq_cert find", err)
	certs, err := zyre.LoadCertStore(dir)
	must(t, "LoadCertStore", err)
	ours := map[string]bool{}
	for _, c := range certs {
		ours[c.PublicKey] = true
	}
	if len(ours) != 4 {
		t.Errorf("LoadCertStore() = %v, want 4", certs)
	}
	for key, name := range keys {
		if theirs := strings.Contains(string(out), "FOUND "+key+"\n"); theirs != ours[key] {
			t.Errorf("%s: found by CZMQ: %t, by LoadCertStore: %t", name, theirs, ours[key])
		}
	}
}
