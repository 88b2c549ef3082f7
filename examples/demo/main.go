// Demo runs three chat processes on the loopback interface and plays a scene with
// them: they find each other by beacons, join groups, shout, whisper, leave and stop. It
// shows what each of them prints, and exits with status 0 only if every step of the
// scene happened.
//
//	go run ./examples/demo
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const patience = 8 * time.Second // for the whole scene

func main() {
	port := flag.Int("port", 0, "UDP port of the beacons; 0 takes a free one")
	flag.Parse()
	if *port == 0 {
		*port = freePort()
	}
	chat, remove, err := build()
	if err != nil {
		fmt.Println("Demo FAILED:", err)
		os.Exit(1)
	}
	start := time.Now()
	err = play(chat, *port)
	remove()
	if err != nil {
		fmt.Println("\nDemo FAILED:", err)
		os.Exit(1)
	}
	fmt.Printf("\nEvery step happened, in %v.\n", time.Since(start).Round(time.Millisecond))
}

// freePort finds a UDP port that no other program uses.
func freePort() int {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 15670
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// build compiles the chat program into a temporary directory, which remove deletes.
func build() (chat string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "zyre-demo")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	chat = filepath.Join(dir, "chat")
	cmd := exec.Command("go", "build", "-o", chat, "github.com/go-zyre/zyre/examples/chat")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build the chat program: %w", err)
	}
	return chat, remove, nil
}

// step is one step of the scene: one process is given a line to type, and others must
// print certain lines.
type step struct {
	title string
	who   string            // who types; "" if nobody does
	types string            // what is typed
	sees  map[string]string // by name: a line that this process must print
}

var scene = []step{
	{title: "They find each other", sees: map[string]string{
		"alice": "* bob is here", "bob": "* carol is here", "carol": "* alice is here"}},
	{sees: map[string]string{
		"alice": "* carol is here", "bob": "* alice is here", "carol": "* bob is here"}},
	{sees: map[string]string{
		"alice": "* bob joins #hall", "bob": "* carol joins #hall", "carol": "* alice joins #hall"}},
	{title: "Alice shouts to the hall", who: "alice", types: "Good morning, everybody!", sees: map[string]string{
		"bob": "#hall <alice> Good morning, everybody!", "carol": "#hall <alice> Good morning, everybody!"}},
	{title: "Bob whispers to Carol alone", who: "bob", types: "/w carol Tea or coffee?", sees: map[string]string{
		"carol": "bob whispers: Tea or coffee?"}},
	{title: "Carol answers", who: "carol", types: "/w bob Tea ☕ please", sees: map[string]string{
		"bob": "carol whispers: Tea ☕ please"}},
	{title: "Carol joins a second group", who: "carol", types: "/join kitchen", sees: map[string]string{
		"alice": "* carol joins #kitchen", "bob": "* carol joins #kitchen"}},
	{title: "Alice shouts to the kitchen, where only Carol is", who: "alice", types: "/join kitchen", sees: map[string]string{
		"carol": "* alice joins #kitchen", "bob": "* alice joins #kitchen"}},
	{who: "alice", types: "Is the kettle on?", sees: map[string]string{
		"carol": "#kitchen <alice> Is the kettle on?"}},
	{title: "Carol leaves the kitchen", who: "carol", types: "/leave kitchen", sees: map[string]string{
		"alice": "* carol leaves #kitchen", "bob": "* carol leaves #kitchen"}},
	{title: "Bob goes home", who: "bob", types: "/quit", sees: map[string]string{
		"bob": "* goodbye", "alice": "* bob is gone", "carol": "* bob is gone"}},
	{title: "And so do the others", who: "alice", types: "/quit", sees: map[string]string{
		"alice": "* goodbye", "carol": "* alice is gone"}},
	{who: "carol", types: "/quit", sees: map[string]string{"carol": "* goodbye"}},
}

// play runs the scene.
func play(chat string, port int) error {
	cast := map[string]*actor{}
	lines := make(chan line, 100)
	for i, name := range []string{"alice", "bob", "carol"} {
		a, err := enter(chat, name, port, i, lines)
		if err != nil {
			return err
		}
		defer a.leave()
		cast[name] = a
	}
	timeout := time.After(patience)
	for _, s := range scene {
		if s.title != "" {
			fmt.Printf("\n%s\n", bold(s.title))
		}
		if s.who != "" {
			if err := cast[s.who].say(s.types); err != nil {
				return err
			}
		}
		for !seen(cast, s.sees) {
			select {
			case l := <-lines:
				l.by.printed[l.text] = true
				l.by.show(l.text)
			case <-timeout:
				return fmt.Errorf("%s: not everybody saw it: %v", s.title, s.sees)
			}
		}
	}
	for name, a := range cast {
		if err := a.cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func seen(cast map[string]*actor, sees map[string]string) bool {
	for name, text := range sees {
		if !cast[name].printed[text] {
			return false
		}
	}
	return true
}

// actor is one chat process.
type actor struct {
	name    string
	column  int
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	printed map[string]bool // lines seen so far; only play uses it
}

// line is something that an actor printed.
type line struct {
	by   *actor
	text string
}

// enter starts a chat process and sends the lines that it prints to lines.
func enter(chat, name string, port, column int, lines chan<- line) (*actor, error) {
	a := &actor{name: name, column: column, printed: map[string]bool{}}
	a.cmd = exec.Command(chat, "-name", name, "-group", "hall", "-iface", "lo", "-port", fmt.Sprint(port))
	a.cmd.Stderr = os.Stderr
	var err error
	if a.stdin, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	fmt.Printf("started %s, process %d\n", name, a.cmd.Process.Pid)
	go func() { // ends with the process
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- line{a, s.Text()}
		}
	}()
	return a, nil
}

func (a *actor) say(text string) error {
	fmt.Printf("%s%s %s\n", strings.Repeat(" ", 2), bold(a.name+" types:"), text)
	_, err := fmt.Fprintln(a.stdin, text)
	return err
}

// show prints a line in the column of the actor.
func (a *actor) show(text string) {
	fmt.Printf("%s%-6s│ %s\n", strings.Repeat(" ", 4+a.column*24), a.name, text)
}

// leave ends the process if it still runs.
func (a *actor) leave() {
	_ = a.stdin.Close()
	_ = a.cmd.Process.Kill()
}

// bold prints a text in bold letters if the output is a terminal.
func bold(text string) string {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return "\033[1m" + text + "\033[0m"
	}
	return text
}
