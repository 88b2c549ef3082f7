//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// hubHealth is what a hub tells by HTTP.
type hubHealth struct {
	Endpoints              []string
	Clients, Nodes, Learnt int
}

// certLine is what zyre cert --json writes of a certificate.
type certLine struct {
	PublicKey string `json:"public_key"`
	HasSecret bool   `json:"has_secret_key"`
	Metadata  map[string]string
}

// startHub starts a hub on any port, and returns its endpoint.
func startHub(t *testing.T, args ...string) (p *process, endpoint string) {
	t.Helper()
	p = start(t, append([]string{"hub", "tcp://127.0.0.1:*"}, args...)...)
	return p, p.logged(`endpoints=\[(\S+)\]`)
}

// logged waits until the log has something, and returns what the expression captures.
func (p *process) logged(expression string) string {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	watch.Until(p.t, "the log has "+expression, func() bool { return re.MatchString(p.errOut.String()) })
	return re.FindStringSubmatch(p.errOut.String())[1]
}

func TestHub(t *testing.T) {
	t.Parallel()
	hub, endpoint := startHub(t, "--health", "127.0.0.1:0")
	address := hub.logged(`msg=health address=(\S+)`)
	health := func() (h hubHealth) {
		response, err := http.Get("http://" + address) //nolint:noctx // a test
		must(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		must(t, err)
		must(t, json.Unmarshal(body, &h))
		return h
	}
	alice := kit.NewStaticNode(t, "alice")
	alice.GossipConnect("%s", endpoint)
	alice.Join("hall")
	kit.MustStart(t, alice)
	out, _ := zyreRun(t, 0, "peers", "--interface", "lo", "--endpoint", "tcp://127.0.0.1:*", "--hub", endpoint, "--count", "1", "--group", "hall")
	checkContains(t, "zyre peers", out, "alice")
	watch.Until(t, "alice is the only client", func() bool { h := health(); return h.Clients == 1 && h.Nodes == 1 })
	if h := health(); len(h.Endpoints) != 1 || h.Endpoints[0] != endpoint || h.Learnt < 2 {
		t.Errorf("health = %+v, want the endpoint %s", h, endpoint)
	}
	// A second hub that is joined to the first.
	second := start(t, "hub", "tcp://127.0.0.1:*", "--hub", endpoint, "--json")
	second.logged(`"endpoints":\["(\S+)"\]`)
	watch.Until(t, "the second hub is a client", func() bool { return health().Clients == 2 })
	second.signal(syscall.SIGINT)
	second.wait(0)
	_, stderr := zyreRun(t, 1, "hub", endpoint)
	checkContains(t, "stderr", stderr, "address already in use")
	hub.signal(syscall.SIGTERM)
	hub.wait(0)
}

// Only clients whose certificates are in the directory can use a secure hub.
func TestHub_secure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"hub", "alice", "bob", "eve"} {
		zyreRun(t, 0, "cert", "new", at(name))
	}
	must(t, os.Mkdir(at("friends"), 0o700))
	for _, name := range []string{"alice", "bob"} {
		zyreRun(t, 0, "cert", "import", at(name), at("friends"))
	}
	hub, endpoint := startHub(t, "--cert", at("hub"), "--authorized", at("friends"))
	node := func(name, command string, args ...string) []string {
		return append([]string{command, "--name", name, "--interface", "lo", "--endpoint", "tcp://127.0.0.1:*", "--cert", at(name), "--hub", endpoint, "--hub-cert", at("hub")}, args...)
	}
	sub := start(t, node("alice", "sub", "hall", "--from")...)
	for name, status := range map[string]int{"bob": 0, "eve": 1} {
		pub := start(t, node(name, "pub", "hall", "--wait", map[int]string{0: "10s", 1: "2s"}[status])...)
		pub.typed("from " + name + "\n")
		must(t, pub.stdin.Close())
		pub.wait(status)
	}
	sub.expect("bob\tfrom bob\n")
	// A certificate that is taken away ends the connection.
	hub.logged(`(clients=[1-9])`)
	must(t, os.Remove(filepath.Join(at("friends"), "alice")))
	watch.Until(t, "no client is left", func() bool {
		log := hub.errOut.String()
		return strings.Contains(log[strings.Index(log, "clients="):], "clients=0")
	})
	_, stderr := zyreRun(t, 2, "hub", "--authorized", at("friends"), "tcp://127.0.0.1:*")
	checkContains(t, "stderr", stderr, "--authorized needs --cert")
}

// A hub tells systemd that it is ready, alive, and ends.
func TestHub_systemd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	hub := start(t, "NOTIFY_SOCKET="+path, "hub", "tcp://127.0.0.1:*")
	states := make(chan string, 16)
	go func() { // ends when the socket is closed
		buf := make([]byte, 100)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			states <- string(buf[:n])
		}
	}()
	expect := func(want string) {
		t.Helper()
		for {
			select {
			case got := <-states:
				if got == want {
					return
				}
			case <-time.After(watch.Patience):
				t.Fatalf("systemd is not told %s", want)
			}
		}
	}
	expect("READY=1")
	expect("WATCHDOG=1")
	hub.signal(syscall.SIGTERM)
	expect("STOPPING=1")
	hub.wait(0)
}

func TestCert(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	made := decode[certLine](t, firstOf(zyreRun(t, 0, "cert", "new", at("alice"), "--meta", "name=Alice", "--meta", "role=x\u202ey", "--json")))[0]
	if !made.HasSecret || len(made.PublicKey) != 40 || made.Metadata["name"] != "Alice" {
		t.Errorf("cert new --json = %+v", made)
	}
	info, err := os.Stat(at("alice_secret"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the secret file has mode %v, want 0600", info.Mode())
	}
	secretText, err := os.ReadFile(at("alice_secret"))
	must(t, err)
	secret := regexp.MustCompile(`secret-key = "(.*)"`).FindStringSubmatch(string(secretText))[1]
	_, stderr := zyreRun(t, 1, "cert", "new", at("alice"))
	checkContains(t, "stderr", stderr, "exists; --force replaces it")
	out, _ := zyreRun(t, 0, "cert", "show", at("alice"))
	checkContains(t, "cert show", out, made.PublicKey, "with its secret key", "name=Alice", `role=x\u202ey`)
	if strings.Contains(out, secret) {
		t.Error("cert show shows the secret key")
	}
	must(t, os.Mkdir(at("store"), 0o700))
	for _, c := range []struct {
		name, text string
		status     int
		want       string
	}{
		{"public", made.PublicKey + "\n", 0, made.PublicKey},
		{"keygen", "== CURVE PUBLIC KEY ==\n" + made.PublicKey + "\n\n== CURVE SECRET KEY ==\n" + secret + "\n", 0, "with its secret key"},
		{"swapped", fmt.Sprintf("%q, %q", secret, made.PublicKey), 0, "with its secret key"},
		{"hex", strings.Repeat("ab", 32), 0, ""},
		{"zcert", "metadata\n    name = \"Bob\"\ncurve\n    public-key = \"" + made.PublicKey + "\"\n", 0, "name=Bob"},
		{"broken", "metadata\n    name = \"Bob\"\ncurve\n    public-key = \"short\"\n", 1, ""},
		{"strangers", made.PublicKey + " " + strings.Repeat("ab", 32), 1, "do not belong together"},
		{"none", "nothing here", 1, "it has 0 keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, os.WriteFile(at(c.name+".txt"), []byte(c.text), 0o600))
			out, stderr := zyreRun(t, c.status, "cert", "import", at(c.name+".txt"), at("store"))
			checkContains(t, "cert import", out+stderr, c.want)
			if strings.Contains(out+stderr, secret) {
				t.Error("cert import shows the secret key")
			}
		})
	}
	p := start(t, "cert", "import", "-", at("fromstdin"))
	p.typed(made.PublicKey)
	must(t, p.stdin.Close())
	p.wait(0)
	list := decode[certLine](t, firstOf(zyreRun(t, 0, "cert", "show", at("store"), "--json")))
	if len(list) != 5 {
		t.Errorf("cert show DIR = %+v, want 5 certificates", list)
	}
}
