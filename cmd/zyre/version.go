package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	zmq "github.com/pebbe/zmq4"
	"github.com/spf13/cobra"
)

// versions are those of the command and of what it is built from.
type versions struct {
	Zyre   string `json:"zyre"`
	Commit string `json:"commit,omitempty"`
	Libzmq string `json:"libzmq"`
	Curve  bool   `json:"curve"` // whether libzmq can encrypt
	Zmq4   string `json:"zmq4"`
	Go     string `json:"go"`
	OS     string `json:"os"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of zyre, libzmq, zmq4 and Go",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := readVersions()
			if a.json {
				return a.out.object(v)
			}
			curve := "with CURVE"
			if !v.Curve {
				curve = "without CURVE: no node can be secure"
			}
			rows := [][]string{{"zyre", v.Zyre}}
			if v.Commit != "" {
				rows = append(rows, []string{"commit", v.Commit})
			}
			return a.out.table(append(rows, []string{"libzmq", v.Libzmq + ", " + curve},
				[]string{"zmq4", v.Zmq4}, []string{"go", v.Go + " " + v.OS}))
		},
	}
}

func readVersions() versions {
	major, minor, patch := zmq.Version()
	v := versions{
		Zyre: "(devel)", Libzmq: fmt.Sprintf("%d.%d.%d", major, minor, patch), Curve: zmq.HasCurve(),
		Zmq4: "(unknown)", Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Zyre = info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/pebbe/zmq4" {
			v.Zmq4 = dep.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}
