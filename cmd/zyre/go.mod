module github.com/go-zyre/zyre/cmd/zyre

go 1.25.0

require (
	github.com/go-zyre/zyre v0.0.0
	github.com/pebbe/zmq4 v1.4.0
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
	golang.org/x/net v0.58.0
	golang.org/x/sys v0.47.0
	golang.org/x/term v0.45.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
)

replace github.com/go-zyre/zyre => ../..
