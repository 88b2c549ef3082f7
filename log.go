package zyre

import (
	"log/slog"
	"os"
)

// verboseLogger is what SetVerbose logs to.
func verboseLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
