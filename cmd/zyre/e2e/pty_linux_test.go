package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// openPTY makes a terminal. What a program writes to the slave end comes out of the
// master, and what is written to the master was typed.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { _ = master.Close() })
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}))
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	return master, slave
}

// startInTerminal starts zyre in a terminal of its own. What is typed goes to p.stdin, and
// what the terminal gets is in p.out.
func startInTerminal(t *testing.T, args ...string) *process {
	t.Helper()
	master, slave := openPTY(t)
	p := &process{t: t, cmd: prepare(t, nil, args...), stdin: master, out: &buffer{}, errOut: &buffer{}, done: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.reads.Go(func() { // ends when nobody has the slave end open any more
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			_, _ = p.out.Write(buf[:n])
			if err != nil {
				return
			}
		}
	})
	p.run()
	must(t, slave.Close())
	return p
}

// In a terminal nothing that a peer sends has any effect, in any command.
func TestTerminal_hostile(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"sub hall --count 1", `\x1b]0;pwned\a`},
		{"sub hall --count 1 --from", `\u202eevil\xff\nline` + "\t"},
		{"sub hall --count 1 --json", `\u001b]0;owned\u0007\u202eevil`},
		{"peers --group hall --count 1", `\x1b]0;owned\a`},
		{"ping --count 1", `\x1b]0;owned\a`},
		{"chat --group hall", `\x1b]0;pwned\a`},
	} {
		t.Run(c.args, func(t *testing.T) {
			port := kit.FreeUDPPort(t)
			z := kit.NewNode(t, hostile, port)
			z.Join("hall")
			z.Join("\x1b]0;group")
			kit.MustStart(t, z)
			p := startInTerminal(t, local(port, append(strings.Fields(c.args), "--name", "victim")...)...)
			if !strings.HasPrefix(c.args, "p") { // peers and ping show the name
				must(t, z.WaitPeers(t.Context(), "hall", 1))
				must(t, z.ShoutContext(t.Context(), "hall", []byte("\x1b]0;pwned\a\r\u202e\u009b31m\x80")))
			}
			p.expect(c.want)
			if strings.Contains(c.args, "chat") {
				p.typed("/who\r")
				p.expect(`\x1b]0;group`)
				p.typed("/quit\r")
			}
			p.wait(0)
			for _, bad := range []string{"\x1b]0", "\u202e", "\u009b", "\xff", "\x80", "\a"} {
				if strings.Contains(strings.ReplaceAll(p.out.String(), "\x1b]0;chat", ""), bad) {
					t.Errorf("the terminal got %q, with %q", p.out.String(), bad)
				}
			}
		})
	}
}

// Colours are for terminals whose users want them.
func TestTerminal_colour(t *testing.T) {
	for _, c := range []struct {
		env      string
		coloured bool
	}{{"NO_COLOR=", true}, {"NO_COLOR=1", false}} {
		t.Run(c.env, func(t *testing.T) {
			port := kit.FreeUDPPort(t)
			z := kit.NewNode(t, "alice", port)
			kit.MustStart(t, z)
			p := startInTerminal(t, append([]string{c.env}, local(port, "chat")...)...)
			p.expect("alice")
			p.expect(" is here")
			p.typed("\x03")
			p.wait(0)
			if got := strings.Contains(p.out.String(), "\x1b[2m"); got != c.coloured {
				t.Errorf("the terminal got %q: coloured %t, want %t", p.out.String(), got, c.coloured)
			}
		})
	}
}

// Two people talk; what comes does not break the line that is being typed.
func TestChat_terminal(t *testing.T) {
	port := kit.FreeUDPPort(t)
	alice := startInTerminal(t, local(port, "chat", "--name", "alice")...)
	bob := startInTerminal(t, local(port, "chat", "--name", "bob")...)
	for _, p := range []*process{alice, bob} {
		p.expect("joins #chat")
	}
	alice.typed("hello b")
	alice.expect("hello b")
	bob.typed("I am typing too\r")
	alice.expect("> I am typing too") // behind the name, in bold
	alice.typed("ob\r")
	bob.expect("> hello bob")
	bob.typed("/w alice psst\r")
	alice.expect(" whispers: psst")
	bob.typed("/w nobody psst\r")
	bob.expect("? nobody called nobody is here")
	bob.typed("/join kitchen\r")
	alice.expect("joins #kitchen")
	bob.typed("/nonsense\r")
	bob.expect("/leave GROUP")
	bob.typed("/leave kitchen\r")
	alice.expect("leaves #kitchen")
	bob.typed("/who\r")
	bob.expect("* alice ")
	bob.typed("\x03") // Ctrl-C
	bob.wait(0)
	alice.expect("is gone (goodbye)")
	alice.typed("\x04") // Ctrl-D
	alice.wait(0)
}

// Without a terminal a script can talk.
func TestChat_piped(t *testing.T) {
	port := kit.FreeUDPPort(t)
	z := kit.NewNode(t, "bob", port)
	z.Join("chat")
	kit.MustStart(t, z)
	log := watch.Record(z)
	p := start(t, local(port, "chat", "--name", "alice", "--json")...)
	log.Wait(t, "JOIN alice chat", 1)
	p.expect(`"type":"JOIN"`) // each finds the other by itself
	p.typed("hello\n/w bob psst\n")
	log.Wait(t, "SHOUT alice chat hello", 1)
	log.Wait(t, "WHISPER alice", 1)
	z.Shout("chat", []byte("hi"))
	p.expect(`"text":"hi"`)
	must(t, p.stdin.Close())
	p.wait(0)
	if e := log.Wait(t, "EXIT alice", 1); e.Reason != zyre.ReasonGoodbye {
		t.Errorf("EXIT with reason %q, want %q", e.Reason, zyre.ReasonGoodbye)
	}
	for _, e := range decode[eventLine](t, p.out.String()) {
		if e.Type == "" {
			t.Errorf("event %+v without a type", e)
		}
	}
}
