package zyre

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// A pair of keys for files in tests.
const (
	testPublicKey = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
	testSecretKey = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
)

// certText is a certificate with these lines in its metadata.
func certText(metadata ...string) string {
	return strings.Join(append(append([]string{"metadata"}, metadata...),
		"curve", `    public-key = "`+testPublicKey+`"`, `    secret-key = "`+testSecretKey+`"`, ""), "\n")
}

// What is no more than another way to write a certificate is read as CZMQ reads it.
func TestParseCert(t *testing.T) {
	for _, c := range []struct {
		name, text string
		metadata   map[string]string
	}{
		{"metadata is empty", certText(), nil},
		{"no metadata", certText()[len("metadata\n"):], nil},
		{"quotation marks", certText(`    a = "x 'y'"`, `    b = 'x "y"'`), map[string]string{"a": "x 'y'", "b": `x "y"`}},
		{"none", certText("    a = x y", "    b = it's", `    c = x "y"`), map[string]string{"a": "x y", "b": "it's", "c": `x "y"`}},
		{"comments", certText("# x", "    # y", `    a = "b # c" # d`, "    e = f # g", "    h = i#j", "", "    k = # l", "    m # n"),
			map[string]string{"a": "b # c", "e": "f", "h": "i", "k": "# l", "m": ""}},
		{"spaces", certText(`    a="x"`, `    b   =   "y"   `, "    c=d=e"), map[string]string{"a": "x", "b": "y", "c": "d=e"}},
		{"no value", certText("    a", "    b =", `    c = ""`), map[string]string{"a": "", "b": "", "c": ""}},
		{"lines of Windows", strings.ReplaceAll(certText(`    a = "x"`), "\n", "\r\n"), map[string]string{"a": "x"}},
		{"no line end", strings.TrimSuffix(certText(), "\n"), nil},
	} {
		got, err := parseCert(c.text)
		if err != nil || got.PublicKey != testPublicKey || got.SecretKey != testSecretKey || !maps.Equal(got.Metadata, c.metadata) {
			t.Errorf("%s: parseCert() = %v %q, %v, want %q", c.name, got, got.Metadata, err, c.metadata)
		}
	}
	zero := strings.ReplaceAll(certText(), testSecretKey, noKey)
	if got, err := parseCert(zero); err != nil || got.SecretKey != "" {
		t.Errorf("parseCert() with a secret key of zeros = %v, %v, want no secret key", got, err)
	}
}

func TestParseCert_damaged(t *testing.T) {
	public, secret := `    public-key = "`+testPublicKey+`"`, `    secret-key = "`+testSecretKey+`"`
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "line 1: the file ends"},
		{"comments only", "# a\n# b\n", "line 2: the file ends"},
		{"no curve", "metadata\n    a = \"b\"\n", "line 2: the file ends"},
		{"no keys", "metadata\ncurve\n", "line 2: the file ends"},
		{"secret key only", "curve\n" + secret, "line 2: the file ends"},
		{"cut short", certText(`    a = "b"`)[:60], "line 4: a quotation mark"},
		{"JSON", "{\n  \"a\": 1\n}\n", "line 1: neither a name"},
		{"YAML", "curve:\n  public-key: x\n", "line 1: after the name"},
		{"PEM", "-----BEGIN PRIVATE KEY-----\n" + testSecretKey, "line 1: after the name"},
		{"INI", "[curve]\npublic-key=x\n", "line 1: neither a name"},
		{"key on a line", testSecretKey + "\n", "line 1: after the name"},
		{"binary", "\x7fELF\x02\x01\x00\x00", "line 1: neither a name"},
		{"byte order mark", "\ufeff" + certText(), "line 1: neither a name"},
		{"another configuration", "# zpl\ncontext\n    iothreads = 1\n", "line 2: a section other"},
		{"section with a value", "metadata = 1\n" + certText(), "line 1: a section has no value"},
		{"section twice", certText() + "curve\n", "line 5: the same section as in line 2"},
		{"public key twice", certText() + public, "line 5: the same name as in line 3"},
		{"metadata twice", certText("    a = 1", "    b = 2", "    a = 1"), "line 4: the same name as in line 2"},
		{"another key", "curve\n" + public + "\n    secret_key = x\n", "line 3: a name other"},
		{"name before a section", public, "line 1: a section, metadata or curve, must come first"},
		{"2 spaces", certText("  a = 1"), "line 2: a name of a section is indented by 4"},
		{"8 spaces", certText("    a = 1", "        b = 1"), "line 3: a name of a section is indented by 4"},
		{"a tab", certText("\ta = 1"), "line 2: neither a name"},
		{"space in a name", certText("    a b = 1"), "line 2: after the name"},
		{"not ASCII in a name", certText("    é = 1"), "line 2: neither a name"},
		{"open value", certText(`    a = "b`), "line 2: a quotation mark is missing"},
		{"open value, single", certText(`    a = 'b"`), "line 2: a quotation mark is missing"},
		{"two values", certText(`    a = "b" c`), "line 2: text after"},
		{"value of two lines", certText("    a = \"b\nc\""), "line 2: a quotation mark is missing"},
		{"zero byte", certText("    a = \"b\x00\""), "line 2: a control character"},
		{"terminal escape", certText("    a = \"\x1b[2J\""), "line 2: a control character"},
		{"public key cut", strings.Replace(certText(), testPublicKey, testPublicKey[1:], 1), "line 3: the key must be"},
		{"secret key cut", strings.Replace(certText(), testSecretKey, testSecretKey[1:], 1), "line 4: the key must be"},
		{"key not in Z85", strings.Replace(certText(), testPublicKey, "~"+testPublicKey[1:], 1), "line 3: the key must be"},
		{"key beyond 32 bits", strings.Replace(certText(), testPublicKey[:5], "#####", 1), "line 3: the key must be"},
		{"public key of zeros", strings.Replace(certText(), testPublicKey, noKey, 1), "line 3: the public key is zero"},
		{"swapped", strings.NewReplacer(testPublicKey, testSecretKey, testSecretKey, testPublicKey).Replace(certText()), "line 4: the keys are swapped"},
		{"not a pair", strings.Replace(certText(), testSecretKey, testPublicKey, 1), "line 4: the keys must belong"},
	} {
		cert, err := parseCert(c.text)
		if cert != nil || !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: parseCert() = %v, %v, want %q", c.name, cert, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), testSecretKey[1:]) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: parseCert() = %q, want one line without the secret key", c.name, err)
		}
	}
}

// Every part of a certificate up to some byte is refused or has the keys of the whole.
func TestParseCert_everyPrefix(t *testing.T) {
	text := certText(`    a = "b"`)
	for i := range text {
		cert, err := parseCert(text[:i])
		if err == nil && (cert.PublicKey != testPublicKey || cert.SecretKey != "" && cert.SecretKey != testSecretKey) {
			t.Fatalf("parseCert(%q) = %v", text[:i], cert)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("parseCert(%q) = %v, want ErrInvalid", text[:i], err)
		}
	}
}

// What can be read can be written, and is then read as the same, but for a value that has
// both quotation marks.
func FuzzParseCert(f *testing.F) {
	f.Add(certText())
	f.Add(certText(`    a = "x"`, `    b = 'y "z"'`, "    c = d # e", "# f"))
	f.Add("curve\r\n    public-key = '" + testPublicKey + "'")
	f.Fuzz(func(t *testing.T, text string) {
		cert, err := parseCert(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), "line ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("parseCert() = %q, want ErrInvalid of a line", err)
			}
			return
		}
		written, err := cert.encode(cert.SecretKey != "")
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("encode() = %v, want ErrInvalid", err)
			}
			return
		}
		again, err := parseCert(string(written))
		if err != nil || again.PublicKey != cert.PublicKey || again.SecretKey != cert.SecretKey || !maps.Equal(again.Metadata, cert.Metadata) {
			t.Errorf("parseCert(%q) = %v, %v, want %v", written, again, err, cert)
		}
	})
}
