package zyre

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"

	"github.com/go-zyre/zyre/internal/transport"
)

// Cert is a certificate: a pair of CURVE keys, and what is said about them. Certificates
// are kept in the files of CZMQ's zcert: PATH has the public key, for everybody who may
// talk with its owner, and PATH_secret has both keys.
//
//	cert, err := zyre.LoadCert("alice.cert")
//	…
//	node.SetZCert(cert.PublicKey, cert.SecretKey)
//
// A Cert must not be changed by one goroutine while another one uses it. What package fmt
// or slog shows of it does not contain the secret key.
type Cert struct {
	// PublicKey is the public key: 40 characters of Z85.
	PublicKey string

	// SecretKey is the secret key, 40 characters of Z85, or "" if only the public key
	// is known.
	SecretKey string

	// Metadata is what else is said about the owner, by name; nil is none. A name has
	// ASCII letters, digits and any of $-_@.&+/ only. A value is one line without control
	// characters other than tabs, and has one kind of quotation mark at most, " or '.
	Metadata map[string]string
}

// NewCert makes a certificate with new keys and no metadata. It returns an error if
// libzmq was built without CURVE. It is zcert_new of CZMQ.
func NewCert() (*Cert, error) {
	public, secret, err := transport.NewKeyPair()
	if err != nil {
		return nil, opError("new certificate", "", err)
	}
	return &Cert{PublicKey: public, SecretKey: secret}, nil
}

// LoadCert reads the certificate that [Cert.Save], or zcert_save of CZMQ, has saved under
// a path. It reads PATH_secret if that exists, and PATH otherwise: then the certificate
// has no secret key, unless PATH itself has one. It is zcert_load of CZMQ.
//
// If neither file exists, the error wraps fs.ErrNotExist. A file that is not a
// certificate, or is damaged, is refused as a whole: the error wraps ErrInvalid and says
// which line is wrong and why, without showing it. So is a file that has a secret key and
// that others than its owner may read or write, except on Windows.
func LoadCert(path string) (*Cert, error) {
	const op = "load certificate"
	if path == "" {
		return nil, certError(op, "", errNoPath)
	}
	secret := path + secretSuffix
	cert, err := readCert(secret)
	if errors.Is(err, fs.ErrNotExist) {
		secret = path
		cert, err = readCert(path)
	}
	if err != nil {
		return nil, certError(op, secret, err)
	}
	return cert, nil
}

// LoadCertStore reads the public certificates of a directory and of the directories in
// it, in the order of their paths. Their keys are what [Zyre.SetAuthorizedKeys] takes.
// Files named *_secret are not read, so the certificates have no secret keys. Names that
// begin with a dot are left out. It takes the place of zcertstore of CZMQ.
//
// If the directory cannot be read, or a file in it is no certificate, LoadCertStore
// returns the certificates of the other files, and an error about each that is missing,
// as [LoadCert] has it.
func LoadCertStore(dir string) ([]*Cert, error) {
	const op = "load certificates"
	if dir == "" {
		return nil, certError(op, "", errNoPath)
	}
	var certs []*Cert
	var faults []error
	visit := func(path string, entry fs.DirEntry, err error) error {
		hidden := entry != nil && strings.HasPrefix(entry.Name(), ".")
		switch isRoot := strings.HasSuffix(path, separator); {
		case err != nil:
			faults = append(faults, certError("read", path, err))
		case isRoot:
		case hidden && entry.IsDir():
			return fs.SkipDir
		case !hidden && !entry.IsDir() && !strings.HasSuffix(path, secretSuffix):
			cert, err := readCert(path)
			if err != nil {
				faults = append(faults, certError("load certificate", path, err))
				return nil
			}
			cert.SecretKey = ""
			certs = append(certs, cert)
		}
		return nil
	}
	// With a separator at its end a path of a symbolic link names the directory.
	err := filepath.WalkDir(filepath.Clean(dir)+separator, visit)
	return certs, certError(op, dir, errors.Join(append(faults, err)...))
}

// Save writes the certificate to two files: both keys to PATH_secret, which only its owner
// may read and write (mode 0600), and the public key alone to PATH. Files of that name are
// replaced, each at once: a reader finds the old content or the new. It is zcert_save of
// CZMQ, which can load the files.
//
// A certificate without a secret key, with keys that do not belong together, or with
// metadata that cannot be written makes Save return an error that wraps ErrInvalid;
// nothing is written then. The other errors are those of package os.
func (c *Cert) Save(path string) error {
	const op = "save certificate"
	if c == nil || c.SecretKey == "" {
		return certError(op, path, wrong("it has no secret key; SavePublic needs none"))
	}
	public, err := c.encode(false)
	if err != nil {
		return certError(op, path, err)
	}
	both, err := c.encode(true)
	if err != nil {
		return certError(op, path, err)
	}
	if err := replaceFile(path+secretSuffix, both, 0o600); err != nil {
		return certError(op, path+secretSuffix, err)
	}
	return certError(op, path, replaceFile(path, public, 0o644))
}

// SavePublic writes the public key and the metadata to PATH, as [Cert.Save] does, and
// leaves PATH_secret alone. It needs no secret key. It is zcert_save_public of CZMQ.
func (c *Cert) SavePublic(path string) error {
	const op = "save public certificate"
	if c == nil {
		return certError(op, path, wrong("there is no certificate"))
	}
	text, err := c.encode(false)
	if err != nil {
		return certError(op, path, err)
	}
	return certError(op, path, replaceFile(path, text, 0o644))
}

// String returns the public key, whether there is a secret one, and the number of
// metadata. It never shows the secret key.
func (c Cert) String() string {
	return fmt.Sprintf("certificate %s, secret key: %t, metadata: %d",
		shownPublicKey(c.PublicKey, c.SecretKey), c.SecretKey != "", len(c.Metadata))
}

// GoString is String, for the verb %#v of package fmt.
func (c Cert) GoString() string { return c.String() }

// LogValue returns what String does, for package slog.
func (c Cert) LogValue() slog.Value { return slog.StringValue(c.String()) }

// shownPublicKey returns a public key as an application may see it in a log. Keys that do
// not belong together may be swapped, and are not shown.
func shownPublicKey(publicKey, secretKey string) string {
	if secretKey == "" && checkPublicKey(publicKey, false) == nil ||
		secretKey != "" && checkCertificate(publicKey, secretKey) == nil {
		return publicKey
	}
	return "(invalid)"
}

const separator = string(filepath.Separator)

var errNoPath error = wrong("the path is empty")

// secretSuffix is appended to the path of a certificate for the file with both keys.
const secretSuffix = "_secret"

// maxCertSize is the size in bytes up to which a file may be a certificate. One without
// metadata has less than 400 bytes.
const maxCertSize = 64 << 10

// readCert reads the file of one certificate.
func readCert(path string) (*Cert, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would wait for its writer
		return nil, wrong("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil { // of what is read, whatever the path names by now
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxCertSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxCertSize {
		return nil, wrong(fmt.Sprintf("it is longer than %d bytes", maxCertSize))
	}
	cert, err := parseCert(string(text))
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); cert.SecretKey != "" && runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, wrong(fmt.Sprintf("it has a secret key, and others may use the file (mode %04o); chmod 600 forbids that", mode))
	}
	return cert, nil
}

// replaceFile writes a file under another name, which begins with a dot, and renames it
// when it is whole. From the beginning nobody has more rights to it than mode says.
func replaceFile(path string, data []byte, mode fs.FileMode) (err error) {
	if path == "" {
		return errNoPath
	}
	temporary := filepath.Join(filepath.Dir(path), ".zyre-"+rand.Text())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary) // the first error is the one to act on
	}
	return err
}

// certError is opError for a file. The path stands once in it, whole: it is the
// operator's own, and what may be a key in the eyes of shown is often a path.
func certError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var pathError *fs.PathError
	var linkError *os.LinkError
	switch {
	case errors.As(err, &pathError):
		err = pathError.Err
	case errors.As(err, &linkError):
		err = linkError.Err
	}
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		path = fmt.Sprintf("%q", path)
	}
	return &Error{Op: op, Target: path, Err: err}
}
