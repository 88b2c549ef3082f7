module github.com/go-zyre/zyre

go 1.25.0

require (
	github.com/google/uuid v1.6.0
	github.com/pebbe/zmq4 v1.4.0
	golang.org/x/net v0.58.0
	golang.org/x/sys v0.47.0
)
