package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/transport"
)

func newCert(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Make, show and import certificates",
		Long: "A certificate is a pair of CURVE keys in two files, as those of CZMQ's zcert: PATH has the\n" +
			"public key, for the others, and PATH_secret has both, for its owner alone.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertNew(a), newCertShow(a), newCertImport(a))
	return cmd
}

func newCertNew(a *app) *cobra.Command {
	var meta map[string]string
	var force bool
	cmd := &cobra.Command{
		Use:   "new PATH",
		Short: "Make a certificate with new keys",
		Long:  "Make a certificate with new keys: PATH has the public one, for the others, and PATH_secret\nhas both, for its owner alone.",
		Args:  cobra.ExactArgs(1),
		Example: "  zyre cert new alice --meta name=Alice\n" +
			"  zyre chat --cert alice_secret",
		RunE: func(_ *cobra.Command, args []string) error {
			cert, err := zyre.NewCert()
			if err != nil {
				return err
			}
			cert.Metadata = meta
			if err := refuseExisting(force, args[0], args[0]+"_secret"); err != nil {
				return err
			}
			if err := cert.Save(args[0]); err != nil {
				return err
			}
			return a.showCert(args[0], cert)
		},
	}
	cmd.Flags().StringToStringVarP(&meta, "meta", "m", nil, "what is said about the owner, as `NAME=VALUE`; can be given again")
	cmd.Flags().Lookup("meta").DefValue = ""
	cmd.ValidArgsFunction = completeFiles
	cmd.Flags().BoolVar(&force, "force", false, "replace files that exist: their keys are lost")
	return cmd
}

func newCertShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show PATH...",
		Short:             "Show the public keys of certificates, of directories too",
		Long:              "Show the public keys of certificates and what is said about their owners; of a directory,\nall certificates in it. Secret keys are never shown.",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeFiles,
		Example:           "  zyre cert show alice friends/",
		RunE: func(_ *cobra.Command, args []string) error {
			var errs []error
			for _, path := range args {
				errs = append(errs, a.showCerts(path))
			}
			return errors.Join(errs...)
		},
	}
}

func newCertImport(a *app) *cobra.Command {
	var meta map[string]string
	var force bool
	cmd := &cobra.Command{
		Use:   "import FILE PATH",
		Short: "Take over keys of others, of CZMQ or of libzmq's curve_keygen",
		Long: "Read a certificate of CZMQ, or text with one or two keys of 40 characters in Z85 (as libzmq's\n" +
			"curve_keygen prints them) or of 64 hexadecimal digits, from a file or with - from standard\n" +
			"input. Write it as a certificate to PATH or, if that is a directory, under the same name\n" +
			"into it: nodes with --authorized DIRECTORY let its owner in. With one key it is a public\n" +
			"key. Of two that belong together the secret one is found by itself.",
		Args:    cobra.ExactArgs(2),
		Example: "  zyre cert import bob.pub friends/",
		RunE: func(_ *cobra.Command, args []string) error {
			cert, err := a.readKeys(args[0])
			if err != nil {
				return err
			}
			if len(meta) > 0 && cert.Metadata == nil {
				cert.Metadata = map[string]string{}
			}
			maps.Copy(cert.Metadata, meta)
			path := args[1]
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				if args[0] == "-" {
					return usageError{fmt.Errorf("%s is a directory: say which file in it", path)}
				}
				path = filepath.Join(path, strings.TrimSuffix(filepath.Base(args[0]), "_secret"))
			}
			save, files := cert.SavePublic, []string{path}
			if cert.SecretKey != "" {
				save, files = cert.Save, []string{path, path + "_secret"}
			}
			if err := refuseExisting(force, files...); err != nil {
				return err
			}
			if err := save(path); err != nil {
				return err
			}
			return a.showCert(path, cert)
		},
	}
	cmd.Flags().StringToStringVarP(&meta, "meta", "m", nil, "what is said about the owner, as `NAME=VALUE`; can be given again")
	cmd.Flags().Lookup("meta").DefValue = ""
	cmd.ValidArgsFunction = completeFiles
	cmd.Flags().BoolVar(&force, "force", false, "replace files that exist")
	return cmd
}

func refuseExisting(force bool, paths ...string) error {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil && !force {
			return fmt.Errorf("%s exists; --force replaces it", path)
		}
	}
	return nil
}

// showCerts shows a certificate, or those of a directory.
func (a *app) showCerts(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		cert, err := zyre.LoadCert(path)
		if err != nil {
			return err
		}
		return a.showCert(path, cert)
	}
	certs, err := zyre.LoadCertStore(path)
	for _, cert := range certs {
		err = errors.Join(err, a.showCert("", cert))
	}
	return err
}

// certLine is a certificate in JSON.
type certLine struct {
	Path      string            `json:"path,omitempty"`
	PublicKey string            `json:"public_key"`
	HasSecret bool              `json:"has_secret_key"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

func (a *app) showCert(path string, cert *zyre.Cert) error {
	if a.json {
		return a.out.object(certLine{path, cert.PublicKey, cert.SecretKey != "", cert.Metadata})
	}
	var b strings.Builder
	b.WriteString(cert.PublicKey)
	if path != "" {
		b.WriteString("  " + safe(path))
	}
	if cert.SecretKey != "" {
		b.WriteString("  with its secret key")
	}
	for _, name := range slices.Sorted(maps.Keys(cert.Metadata)) {
		fmt.Fprintf(&b, "  %s=%s", safe(name), safe(cert.Metadata[name]))
	}
	return a.out.line("%s", b.String())
}

// maxKeyText is the size in bytes up to which a file may have keys.
const maxKeyText = 64 << 10

// readKeys reads a certificate, or keys, from a file. Its errors never show a key.
func (a *app) readKeys(path string) (*zyre.Cert, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeyText+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxKeyText:
		return nil, fmt.Errorf("%s: it is longer than %d bytes", path, maxKeyText)
	case isZCert(text):
		return loadText(text)
	}
	cert, err := certOfKeys(findKeys(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

// isZCert reports whether a text looks like a certificate of CZMQ.
func isZCert(text []byte) bool {
	for line := range bytes.Lines(text) {
		if string(bytes.TrimRight(line, " \t\r\n")) == "curve" {
			return true
		}
	}
	return false
}

// loadText loads a certificate by way of a file that only its owner may read.
func loadText(text []byte) (*zyre.Cert, error) {
	dir, err := os.MkdirTemp("", "zyre-cert-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "imported")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return zyre.LoadCert(path)
}

// findKeys returns the keys in a text, in Z85: words of 40 characters of Z85 or of 64
// hexadecimal digits, in quotation marks or not.
func findKeys(text []byte) (keys []string) {
	words := bufio.NewScanner(bytes.NewReader(text))
	words.Buffer(nil, maxKeyText+1)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		word := strings.Trim(words.Text(), `"',;`)
		if raw, err := hex.DecodeString(word); err == nil && len(raw) == 32 {
			word = transport.Z85FromRaw([32]byte(raw))
		}
		if _, ok := transport.RawFromZ85(word); ok && !slices.Contains(keys, word) {
			keys = append(keys, word)
		}
	}
	return keys
}

func certOfKeys(keys []string) (*zyre.Cert, error) {
	switch {
	case len(keys) == 1:
		return &zyre.Cert{PublicKey: keys[0]}, nil
	case len(keys) == 2 && transport.CheckKeyPair(keys[0], keys[1]) == nil:
		return &zyre.Cert{PublicKey: keys[0], SecretKey: keys[1]}, nil
	case len(keys) == 2 && transport.CheckKeyPair(keys[1], keys[0]) == nil:
		return &zyre.Cert{PublicKey: keys[1], SecretKey: keys[0]}, nil
	case len(keys) == 2:
		return nil, errors.New("the two keys in it do not belong together")
	}
	return nil, fmt.Errorf("it has %d keys; a certificate has one or two, of 40 characters of Z85 or 64 hexadecimal digits", len(keys))
}
