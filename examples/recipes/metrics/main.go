// Metrics runs a node and serves what it counts to Prometheus, at /metrics:
//
//	cd examples/recipes/metrics && go run . -iface lo -listen 127.0.0.1:9100
//	curl 127.0.0.1:9100/metrics
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", "", "name of this node")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	listen := flag.String("listen", "127.0.0.1:9100", "address for Prometheus")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	node := zyre.NewZyre(ctx).SetName(*name).SetInterface(*iface)
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(node))
	server := &http.Server{Addr: *listen, Handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		for range node.Events() { // an application handles them
		}
	}()
	log.Println(server.ListenAndServe())
}
