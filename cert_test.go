package zyre

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
)

func newTestCert(t testing.TB) *Cert {
	t.Helper()
	c, err := NewCert()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeCert writes a file of a test, and returns its path.
func writeCert(t *testing.T, dir, name, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewCert(t *testing.T) {
	a, b := newTestCert(t), newTestCert(t)
	if err := transport.CheckKeyPair(a.PublicKey, a.SecretKey); err != nil || a.PublicKey == b.PublicKey {
		t.Errorf("NewCert() = %v, then %v; want two pairs of keys: %v", a, b, err)
	}
	z := NewZyre(t.Context()).SetName("n").SetZCert(a.PublicKey, a.SecretKey)
	if err := checkCertificate(z.cfg.curve.publicKey, z.cfg.curve.secretKey); err != nil {
		t.Errorf("SetZCert refuses the keys of NewCert: %v", err)
	}
}

func TestCert_roundTrip(t *testing.T) {
	for _, c := range []struct {
		name     string
		metadata map[string]string
	}{
		{"none", nil},
		{"plain", map[string]string{"name": "alice", "e-mail": "alice@example.org"}},
		{"empty", map[string]string{"name": ""}},
		{"marks", map[string]string{"double": `say "hi"`, "single": "it's", "only": `"`}},
		{"hash and equals", map[string]string{"a": "# b", "c": "= d", "e": "f # g = h"}},
		{"space", map[string]string{"a": "  b  ", "tab": "x\ty"}},
		{"backslash", map[string]string{"a": `c:\x\n`}},
		{"not ASCII", map[string]string{"a": "é", "b": "\xff\xfe"}},
		{"all of a name", map[string]string{"aZ09$-_@.&+/": "x", "curve/public-key": "y"}},
		{"long", map[string]string{"a": strings.Repeat("x", 10_000)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := newTestCert(t)
			cert.Metadata = c.metadata
			path := filepath.Join(t.TempDir(), "c")
			if err := cert.Save(path); err != nil {
				t.Fatal(err)
			}
			got, err := LoadCert(path)
			if err != nil || !reflect.DeepEqual(got, cert) {
				t.Errorf("LoadCert() = %#v %v, %v, want %#v", got, got, err, c.metadata)
			}
			if err := os.Remove(path + secretSuffix); err != nil {
				t.Fatal(err)
			}
			got, err = LoadCert(path)
			if err != nil || got.PublicKey != cert.PublicKey || got.SecretKey != "" || !maps.Equal(got.Metadata, c.metadata) {
				t.Errorf("LoadCert() without the secret file = %v, %v, want the public key and %v", got, err, c.metadata)
			}
			if text := string(readFile(t, path)); strings.Contains(text, cert.SecretKey) {
				t.Error("the public file has the secret key")
			}
		})
	}
}

func TestCert_SavePublic(t *testing.T) {
	cert, path := newTestCert(t), filepath.Join(t.TempDir(), "c")
	if err := cert.SavePublic(path); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadCert(path); err != nil || got.PublicKey != cert.PublicKey || got.SecretKey != "" {
		t.Errorf("LoadCert() = %v, %v, want the public key alone", got, err)
	}
	if _, err := os.Stat(path + secretSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SavePublic left a secret file: %v", err)
	}
	cert.SecretKey = ""
	if err := cert.SavePublic(path); err != nil {
		t.Errorf("SavePublic() without a secret key = %v", err)
	}
	if err := cert.Save(path); !errors.Is(err, ErrInvalid) {
		t.Errorf("Save() without a secret key = %v, want ErrInvalid", err)
	}
}

// The secret file is its owner's alone, also where one with other rights was before, and
// nothing else is left in the directory.
func TestCert_Save_modes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes on Windows")
	}
	dir := t.TempDir()
	path := writeCert(t, dir, "c", "old", 0o666)
	writeCert(t, dir, "c_secret", "old", 0o666)
	cert := newTestCert(t)
	if err := cert.Save(path); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"c": 0o644, "c_secret": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got&^want != 0 || got&0o600 != 0o600 {
			t.Errorf("mode of %s = %v, want %v", name, got, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("directory after Save = %v, %v, want two files", entries, err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666} {
		if err := os.Chmod(path+secretSuffix, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadCert(path)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "c_secret: ") || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("LoadCert() with mode %o = %v, want ErrInvalid that names the file and chmod 600", mode, err)
		}
	}
	if err := os.Chmod(path+secretSuffix, 0o400); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadCert(path); err != nil || got.SecretKey != cert.SecretKey {
		t.Errorf("LoadCert() with mode 400 = %v, %v", got, err)
	}
}

// What cannot be written leaves the files that were there before.
func TestCert_Save_refused(t *testing.T) {
	good, other := newTestCert(t), newTestCert(t)
	for name, c := range map[string]*Cert{
		"nil":               nil,
		"zero":              {},
		"not a pair":        {PublicKey: good.PublicKey, SecretKey: other.SecretKey},
		"swapped":           {PublicKey: good.SecretKey, SecretKey: good.PublicKey},
		"zero public key":   {PublicKey: noKey, SecretKey: good.SecretKey},
		"no key":            {PublicKey: "x", SecretKey: "y"},
		"both marks":        {good.PublicKey, good.SecretKey, map[string]string{"a": `"'`}},
		"line end":          {good.PublicKey, good.SecretKey, map[string]string{"a": "x\ncurve"}},
		"zero byte":         {good.PublicKey, good.SecretKey, map[string]string{"a": "x\x00"}},
		"no name":           {good.PublicKey, good.SecretKey, map[string]string{"": "x"}},
		"space in a name":   {good.PublicKey, good.SecretKey, map[string]string{"a b": "x"}},
		"equals in a name":  {good.PublicKey, good.SecretKey, map[string]string{"a=": "x"}},
		"secret as a name":  {good.PublicKey, good.SecretKey, map[string]string{good.SecretKey + " ": "x"}},
		"secret in a value": {good.PublicKey, good.SecretKey, map[string]string{"a": "is " + good.SecretKey}},
		"too long":          {good.PublicKey, good.SecretKey, map[string]string{"a": strings.Repeat("x", maxCertSize)}},
	} {
		dir := t.TempDir()
		path := writeCert(t, dir, "c", "old", 0o600)
		err := c.Save(path)
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), "zyre: save certificate "+path+": ") {
			t.Errorf("%s: Save() = %v, want ErrInvalid", name, err)
		} else if strings.Contains(err.Error(), good.SecretKey) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Save() = %q, want one line without the secret key", name, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 || string(readFile(t, path)) != "old" {
			t.Errorf("%s: Save left %v, want what was there", name, entries)
		}
	}
	dir := t.TempDir()
	if err := good.Save(filepath.Join(dir, "missing", "c")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Save() in no directory = %v, want fs.ErrNotExist", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "c"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := good.SavePublic(filepath.Join(dir, "c")); err == nil {
		t.Error("SavePublic() over a directory = nil, want an error")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("SavePublic left %v, want nothing new", entries)
	}
	if err := good.SavePublic(""); !errors.Is(err, ErrInvalid) {
		t.Errorf("SavePublic(\"\") = %v, want ErrInvalid", err)
	}
}

func TestLoadCert_files(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	if _, err := LoadCert(missing); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("LoadCert() of no file = %v, want fs.ErrNotExist that names the path once", err)
	}
	for name, path := range map[string]string{
		"nothing": "", "a directory": dir,
		"too long": writeCert(t, dir, "long", strings.Repeat("#\n", maxCertSize/2+1), 0o600),
	} {
		if _, err := LoadCert(path); !errors.Is(err, ErrInvalid) {
			t.Errorf("LoadCert() of %s = %v, want ErrInvalid", name, err)
		}
	}
	// The secret file comes first, and one that is wrong is not passed over.
	cert := newTestCert(t)
	path := filepath.Join(dir, "c")
	if err := cert.Save(path); err != nil {
		t.Fatal(err)
	}
	writeCert(t, dir, "c_secret", "metadata\nx\n", 0o600)
	if _, err := LoadCert(path); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), path+"_secret: line 2: ") {
		t.Errorf("LoadCert() with a damaged secret file = %v, want ErrInvalid of line 2", err)
	}
}

func TestLoadCertStore(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "store")
	for _, d := range []string{dir, filepath.Join(dir, "sub"), filepath.Join(dir, ".hidden")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, name := range []string{"a", "b.cert", "sub/c", ".d", ".hidden/e"} {
		cert := newTestCert(t)
		if err := cert.Save(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, ".") {
			want = append(want, cert.PublicKey)
		}
	}
	writeCert(t, dir, "z_secret", "of no interest", 0o600)
	check := func(dir string) error {
		t.Helper()
		certs, err := LoadCertStore(dir)
		var got []string
		for _, c := range certs {
			if got = append(got, c.PublicKey); c.SecretKey != "" {
				t.Errorf("LoadCertStore(%s) has a secret key", dir)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("LoadCertStore(%s) = %q, want %q", dir, got, want)
		}
		return err
	}
	if err := check(dir); err != nil {
		t.Error(err)
	}
	link := filepath.Join(top, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Logf("no symbolic links: %v", err)
	} else if err := check(link); err != nil {
		t.Error(err)
	}
	// Damaged files are named, and the others are there.
	writeCert(t, dir, "damaged", "metadata\ncurve\n    public-key = \"short\"\n", 0o600)
	writeCert(t, dir, "README", "Hello: world\n", 0o600)
	err := check(dir)
	if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), filepath.Join(dir, "damaged")+": line 3: ") ||
		!strings.Contains(err.Error(), filepath.Join(dir, "README")+": line 1: ") {
		t.Errorf("LoadCertStore() with damaged files = %v, want one line that names both", err)
	}
	for _, c := range []struct {
		path string
		want error
	}{{"", ErrInvalid}, {filepath.Join(dir, "missing"), fs.ErrNotExist}, {filepath.Join(dir, "a"), nil}} {
		certs, err := LoadCertStore(c.path)
		if err == nil || len(certs) != 0 || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("LoadCertStore(%q) = %v, %v, want %v", c.path, certs, err, c.want)
		}
	}
	if certs, err := LoadCertStore(t.TempDir()); err != nil || len(certs) != 0 {
		t.Errorf("LoadCertStore() of an empty directory = %v, %v, want none", certs, err)
	}
}

// No way to print a certificate shows its secret key.
func TestCert_String(t *testing.T) {
	c := newTestCert(t)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "cert", c, "value", *c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "cert", c, "value", *c)
	swapped := &Cert{PublicKey: c.SecretKey, SecretKey: c.PublicKey}
	for _, text := range []string{
		log.String(), c.String(), c.GoString(), c.LogValue().String(), swapped.String(),
		fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c), fmt.Sprintf("%v %+v %#v %s %q", *c, *c, *c, *c, *c),
	} {
		if strings.Contains(text, c.SecretKey) {
			t.Errorf("%q shows the secret key", text)
		}
	}
	if got := c.String(); !strings.Contains(got, c.PublicKey) {
		t.Errorf("String() = %q, want the public key in it", got)
	}
}
