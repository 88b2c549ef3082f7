package zyre

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-zyre/zyre/internal/transport"
)

// The file of a certificate is text in ZPL, the property language of ZeroMQ RFC 4:
//
//	# a comment
//	metadata
//	    name = "value"
//	curve
//	    public-key = "…"
//	    secret-key = "…"
//
// ZPL has more: names without a section, sections in sections, values without quotation
// marks. A certificate has two sections, each with its own names and no others.
const (
	certIndent      = "    "
	metadataSection = "metadata"
	curveSection    = "curve"
	publicKeyName   = "public-key"
	secretKeyName   = "secret-key"
)

// noKey stands in the files of CZMQ for a secret key that is not known.
var noKey = transport.Z85FromRaw([32]byte{})

// certParser reads the lines of a certificate.
type certParser struct {
	section  string
	line     int
	sections map[string]int // the line of each section
	names    map[string]int // the line of each name, "section/name"
	cert     Cert
}

// parseCert reads the text of a file. Its errors wrap ErrInvalid and name the line, but
// show nothing of it: a part of a secret key may be anywhere.
func parseCert(text string) (*Cert, error) {
	p := &certParser{sections: map[string]int{}, names: map[string]int{}}
	for line := range strings.Lines(text) {
		p.line++
		if err := p.parseLine(strings.TrimRight(line, "\r\n")); err != nil {
			return nil, lineError(p.line, err)
		}
	}
	return p.finish()
}

func lineError(line int, err error) error { return fmt.Errorf("line %d: %w", line, err) }

// parseLine takes a line without its end.
func (p *certParser) parseLine(line string) error {
	content := strings.TrimLeft(line, " ")
	if content = strings.TrimRight(content, " \t"); content == "" || content[0] == '#' {
		return nil
	}
	depth := len(line) - len(strings.TrimLeft(line, " "))
	name, value, err := splitProperty(content)
	switch {
	case err != nil:
		return err
	case depth == 0:
		return p.startSection(name, value)
	case depth != len(certIndent):
		return wrong("a name of a section is indented by 4 spaces")
	case p.section == "":
		return wrong("a section, metadata or curve, must come first")
	}
	full := p.section + "/" + name
	if first := p.names[full]; first != 0 {
		return wrong(fmt.Sprintf("the same name as in line %d", first))
	}
	p.names[full] = p.line
	switch {
	case p.section == metadataSection:
		if p.cert.Metadata == nil {
			p.cert.Metadata = map[string]string{}
		}
		p.cert.Metadata[name] = value
		return nil
	case name == publicKeyName:
		p.cert.PublicKey = value
		return checkCertKey(value)
	case name == secretKeyName:
		if value != noKey {
			p.cert.SecretKey = value
		}
		return checkKeyText(value)
	}
	return wrong("a name other than public-key and secret-key in the section curve")
}

func (p *certParser) startSection(name, value string) error {
	switch {
	case name != metadataSection && name != curveSection:
		return wrong("a section other than metadata and curve: this is no certificate")
	case value != "":
		return wrong("a section has no value")
	case p.sections[name] != 0:
		return wrong(fmt.Sprintf("the same section as in line %d", p.sections[name]))
	}
	p.section = name
	p.sections[name] = p.line
	return nil
}

// finish checks what no line shows by itself.
func (p *certParser) finish() (*Cert, error) {
	if p.cert.PublicKey == "" {
		return nil, lineError(max(p.line, 1), wrong("the file ends without a public-key in a section curve"))
	}
	if p.cert.SecretKey != "" {
		if err := checkCertificate(p.cert.PublicKey, p.cert.SecretKey); err != nil {
			return nil, lineError(p.names[curveSection+"/"+secretKeyName], err)
		}
	}
	return &p.cert, nil
}

// splitProperty splits a line, without its indentation, into a name and the value after =,
// which may be missing.
func splitProperty(s string) (name, value string, err error) {
	end := strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) })
	if end < 0 {
		return s, "", nil
	}
	if name = s[:end]; name == "" {
		return "", "", wrong("neither a name nor a comment")
	}
	rest := strings.TrimLeft(s[end:], " \t")
	switch {
	case rest == "" || rest[0] == '#':
		return name, "", nil
	case rest[0] != '=':
		return "", "", wrong("after the name there must be = and a value")
	}
	value, err = parseValue(strings.TrimLeft(rest[1:], " \t"))
	return name, value, err
}

// parseValue reads a value, in quotation marks of either kind or none, and leaves out the
// comment after it. There are no escapes.
func parseValue(s string) (string, error) {
	value, comment := s, ""
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		var closed bool
		if value, comment, closed = strings.Cut(s[1:], s[:1]); !closed {
			return "", wrong("a quotation mark is missing")
		}
		if comment = strings.TrimLeft(comment, " \t"); comment != "" && comment[0] != '#' {
			return "", wrong("text after the closing quotation mark")
		}
	} else if s != "" {
		// CZMQ takes the first character for the value's, whatever it is.
		if i := strings.IndexByte(s[1:], '#'); i >= 0 {
			value = strings.TrimRight(s[:i+1], " \t")
		}
	}
	if strings.ContainsFunc(value, isControl) {
		return "", wrong("a control character in the value")
	}
	return value, nil
}

// isNameRune reports whether a character may stand in a name of ZPL.
func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		strings.ContainsRune("$-_@.&+/", r)
}

// isControl reports whether a character cannot be in a line of text. CZMQ keeps all
// others as they are, in whatever encoding.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// checkCertKey returns an error for a public key that cannot be one. The key of 32 zero
// bytes belongs to everybody: what is encrypted to it has a secret that anybody can tell.
func checkCertKey(key string) error {
	if key == noKey {
		return wrong("the public key is zero, which is nobody's")
	}
	return checkKeyText(key)
}

// checkKeyText returns an error for what is no key, public or secret. It does not show it.
func checkKeyText(key string) error {
	if _, ok := transport.RawFromZ85(key); !ok {
		return wrong("the key must be 40 characters of Z85")
	}
	return nil
}

// encode returns the text of a file, with the secret key or without. Its errors wrap
// ErrInvalid.
func (c *Cert) encode(secret bool) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var b strings.Builder
	if secret {
		b.WriteString("# CURVE certificate with the SECRET key: for its owner alone.\n\n")
	} else {
		b.WriteString("# CURVE certificate with the public key, for those who may talk with its owner.\n\n")
	}
	b.WriteString(metadataSection + "\n")
	for _, name := range slices.Sorted(maps.Keys(c.Metadata)) {
		value, err := quoted(c.Metadata[name])
		if err != nil {
			return nil, fmt.Errorf("metadata %s: %w", shown(name), err)
		}
		fmt.Fprintf(&b, "%s%s = %s\n", certIndent, name, value)
	}
	fmt.Fprintf(&b, "%s\n%s%s = %q\n", curveSection, certIndent, publicKeyName, c.PublicKey)
	if secret {
		fmt.Fprintf(&b, "%s%s = %q\n", certIndent, secretKeyName, c.SecretKey)
	}
	if b.Len() > maxCertSize {
		return nil, wrong(fmt.Sprintf("the file would be longer than %d bytes", maxCertSize))
	}
	return []byte(b.String()), nil
}

// check returns an error for keys or names that no file can have.
func (c *Cert) check() error {
	if err := checkCertKey(c.PublicKey); err != nil {
		return err
	}
	if c.SecretKey != "" {
		if err := checkCertificate(c.PublicKey, c.SecretKey); err != nil {
			return err
		}
	}
	for name, value := range c.Metadata {
		if value != "" && c.SecretKey != "" && strings.Contains(value, c.SecretKey) {
			return wrong("the metadata contain the secret key")
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) {
			return wrong("a name in the metadata must have letters, digits and $-_@.&+/ only, not as " + shown(name))
		}
	}
	return nil
}

// quoted puts a value into quotation marks. ZPL has no escapes.
func quoted(value string) (string, error) {
	switch {
	case strings.ContainsFunc(value, isControl):
		return "", wrong("the value has a line end or another control character")
	case !strings.Contains(value, `"`):
		return `"` + value + `"`, nil
	case !strings.Contains(value, "'"):
		return "'" + value + "'", nil
	}
	return "", wrong(`the value has both " and ', and a file has no way to say that`)
}
