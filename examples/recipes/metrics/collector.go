package main

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/go-zyre/zyre"
)

// collector gives Prometheus the Stats of a node. They are taken when Prometheus asks, all
// at one moment, so there is nothing to keep up to date.
type collector struct {
	node  *zyre.Zyre
	parts []part
}

// part is a number in Stats.
type part struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *zyre.Stats) float64
}

// newCollector makes a metric of each number and truth in Stats, named after its field, so
// that a counter that comes with a later release is there by itself. What is counted up is
// a uint64, and its name ends in _total; all else is a gauge.
//
// The lists of Stats are left out: each peer that was ever seen would be one more time
// series, for ever.
func newCollector(node *zyre.Zyre) *collector {
	c := &collector{node: node}
	c.add(reflect.TypeFor[zyre.Stats](), "zyre", nil)
	return c
}

func (c *collector) add(t reflect.Type, prefix string, path []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, at := prefix+"_"+snakeCase(f.Name), append(append([]int{}, path...), i)
		field := func(s *zyre.Stats) reflect.Value { return reflect.ValueOf(s).Elem().FieldByIndex(at) }
		switch f.Type.Kind() {
		case reflect.Struct:
			c.add(f.Type, name, at)
		case reflect.Uint64:
			c.parts = append(c.parts, c.part(name+"_total", prometheus.CounterValue,
				func(s *zyre.Stats) float64 { return float64(field(s).Uint()) }))
		case reflect.Int:
			c.parts = append(c.parts, c.part(name, prometheus.GaugeValue,
				func(s *zyre.Stats) float64 { return float64(field(s).Int()) }))
		case reflect.Bool:
			c.parts = append(c.parts, c.part(name, prometheus.GaugeValue, func(s *zyre.Stats) float64 {
				if field(s).Bool() {
					return 1
				}
				return 0
			}))
		}
	}
}

func (c *collector) part(name string, kind prometheus.ValueType, value func(s *zyre.Stats) float64) part {
	labels := prometheus.Labels{"node": c.node.Name()}
	return part{prometheus.NewDesc(name, "See Stats of github.com/go-zyre/zyre.", nil, labels), kind, value}
}

// Describe tells which metrics there are.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, p := range c.parts {
		descs <- p.desc
	}
}

// Collect tells their values.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.node.Stats()
	for _, p := range c.parts {
		metrics <- prometheus.MustNewConstMetric(p.desc, p.kind, p.value(&s))
	}
}

// snakeCase writes a name of Go as Prometheus has them.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
