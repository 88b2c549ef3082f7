package zmqwait

import "sync/atomic"

// A Watcher serves a goroutine that owns several ZeroMQ sockets and waits for channels
// as well, which a Waiter cannot do. It watches one socket from a goroutine of its own,
// without touching the socket: only its descriptor.
//
// Once the socket may have something the Watcher has fired: it says so once and then
// rests. The owner reads the socket until libzmq has no more, then calls Rearm.
type Watcher struct {
	waiter *Waiter
	fd     uintptr // the socket's own ZMQ_FD
	notify func()
	done   chan struct{} // closed at the end of run
	fired  atomic.Bool
	closed atomic.Bool
}

// Watch watches the socket whose ZMQ_FD is fd. When the socket may have something it
// calls notify, which must not block, and must not call Close.
func Watch(fd uintptr, notify func()) (*Watcher, error) {
	waiter, err := New(fd)
	if err != nil {
		return nil, err
	}
	w := &Watcher{waiter: waiter, fd: fd, notify: notify, done: make(chan struct{})}
	go w.run() // ends by Close
	return w, nil
}

func (w *Watcher) run() {
	defer close(w.done)
	for w.await() == nil && !w.closed.Load() {
		w.fired.Store(true)
		w.notify()
	}
}

// Fired reports whether the Watcher has fired since Rearm.
func (w *Watcher) Fired() bool { return w.fired.Load() }

// Rearm has the Watcher watch again. If the socket still has something it fires at once.
func (w *Watcher) Rearm() {
	if w.fired.Swap(false) {
		w.waiter.Wake()
	}
}

// Close ends the Watcher and waits until notify is not called any more. The owner calls
// it before it closes the socket. A second Close does nothing.
func (w *Watcher) Close() error {
	w.closed.Store(true)
	w.waiter.Wake()
	<-w.done
	return w.waiter.Close()
}
