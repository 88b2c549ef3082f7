module github.com/go-zyre/zyre/bench

go 1.25.0

require (
	github.com/go-zyre/zyre v0.0.0
	github.com/pebbe/zmq4 v1.4.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/net v0.58.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/go-zyre/zyre => ../
