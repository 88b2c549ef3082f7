// Package child runs nodes in processes of their own, so that a test can freeze or kill
// them, put them on another host, limit their descriptors, or measure what they use.
//
// Such a process is the test binary again. Each package whose tests start one has
//
//	func TestMain(m *testing.M) { os.Exit(child.Main(m, nil)) }
//
// A test starts a process with [Start] and makes nodes in it with [Process.Node]; their
// methods are those of zyre.Zyre as far as tests use them, and their events arrive in a
// watch.Log.
//
// # Protocol
//
// Both ways one JSON object is one line. The process reads commands:
//
//	{"do":"join","node":"bob","with":{"Group":"hall"}}
//
// "do" is the command, "node" who is to do it (all nodes of the process, at once, if it
// is left out), and "with" its arguments, of which each command uses its own. Commands
// are carried out one after the other, and each is answered by one line:
//
//	{"answer":…}         what the command returns, or null
//	{"error":"…"}        why it failed
//
// In between the process writes what happens:
//
//	{"at":"…","node":"bob","event":{…}}       an event of a node, as zyre.Event
//	{"at":"…","node":"b","heard":{…}}         a signal of a Beacon, as zyre.Signal
//	{"node":"bob","sent":100}                 all numbered messages so far are handed over
//	{"log":"time=… level=… msg=… node=…"}     a line of the log
//	{"fault":"…"}                             the process itself found something wrong
//
// Whatever else it writes, such as the report of a data race, is not JSON, and shown
// when the test fails. The process ends when its input does.
//
// The commands for nodes are
//
//	node      make a node with a Config, not started       answer: its UUID
//	start     Start                                        answer: Started
//	stop      Stop, and read the rest of the events
//	read      read the events, if the Config says Unread
//	join, leave, shout, whisper
//	number    shout or whisper numbered messages at a rate, in the background
//	stats     answer: zyre.Stats
//	tallies   answer: Tally by name of the peer
//	dump      answer: what Dump writes
//	poke      call every method                            answer: Slowest
//
// those for Beacons
//
//	beacon    make a Beacon with a BeaconConfig            answer: the reply to CONFIGURE
//	publish   PUBLISH another datagram
//
// and those for the process
//
//	limit     of open files
//	usage     answer: Usage
//	flood     send forged beacons at a rate, until halt
//	halt      end the flood                                answer: how many were sent
//	connect   open TCP connections that say nothing        answer: how many
//
// A package can add commands of its own; see [Main].
package child
