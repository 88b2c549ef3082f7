package zyrejs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// minNode is the oldest major version of Node that peer.js runs on.
const minNode = 18

// installTime bounds one run of npm, which may download some 15 MB.
const installTime = 5 * time.Minute

// ErrUnavailable is wrapped by the error of [Start] where no zyre.js node can be had:
// Node or npm is missing or too old, or the sources of this package are not on the disk.
// A test that gets it should skip, and say so.
var ErrUnavailable = errors.New("zyre.js is not available here")

// install is done once a process; several processes may do it at the same time.
var install = sync.OnceValues(installModules)

// installModules puts what package-lock.json names into node_modules beside this file,
// unless it is there already. It returns the directory of peer.js.
func installModules() (string, error) {
	dir, err := sourceDir()
	if err != nil {
		return "", err
	}
	if err := checkNode(); err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return "", fmt.Errorf("zyrejs: install: %w", err)
	}
	sum := sha256.Sum256(lock)
	want := []byte(hex.EncodeToString(sum[:]))
	if upToDate(dir, want) {
		return dir, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("zyrejs: npm not found: %w", ErrUnavailable)
	}
	if err := installFresh(dir, npm, want); err != nil {
		return "", fmt.Errorf("zyrejs: install: %w", err)
	}
	return dir, nil
}

// sourceDir finds peer.js: beside this file, which a binary built with -trimpath does
// not know, or else below the directory that a test runs in.
func sourceDir() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	candidates := []string{filepath.Dir(file)}
	if wd, err := os.Getwd(); err == nil {
		for d := wd; ; d = filepath.Dir(d) {
			candidates = append(candidates, filepath.Join(d, "internal", "interop", "zyrejs"))
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "peer.js")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", fmt.Errorf("zyrejs: peer.js not found: %w", ErrUnavailable)
}

// checkNode says whether there is a Node that is new enough.
func checkNode() error {
	out, err := exec.Command("node", "-p", "process.versions.node").Output()
	if err != nil {
		return fmt.Errorf("zyrejs: node: %w: %w", err, ErrUnavailable)
	}
	version := strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < minNode {
		return fmt.Errorf("zyrejs: node %s is older than %d: %w", version, minNode, ErrUnavailable)
	}
	return nil
}

// stamp is the file that says which lock file node_modules was made from.
const stamp = "node_modules/.made-from"

func upToDate(dir string, want []byte) bool {
	have, err := os.ReadFile(filepath.Join(dir, stamp))
	return err == nil && bytes.Equal(have, want)
}

// installFresh runs npm in a directory of its own and moves the result into place, so
// that no other process ever sees half an installation.
func installFresh(dir, npm string, want []byte) (err error) {
	tmp, err := os.MkdirTemp(dir, ".npm-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	for _, name := range []string{"package.json", "package-lock.json"} {
		if err := copyFile(filepath.Join(tmp, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	// The binaries come inside the packages: no install script needs to run.
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm,
		"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(tmp, stamp), want, 0o644); err != nil {
		return err
	}
	modules := filepath.Join(dir, "node_modules")
	if upToDate(dir, want) {
		return nil // another process was quicker
	}
	if err := os.Rename(modules, filepath.Join(tmp, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(filepath.Join(tmp, "node_modules"), modules); err != nil && !upToDate(dir, want) {
		return err
	}
	return nil
}

func copyFile(dst, src string) error {
	data, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	return os.WriteFile(dst, data, 0o644)
}
