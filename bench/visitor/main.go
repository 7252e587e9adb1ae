// The visitors that wrk and iperf3 cannot simulate. Started by bench/rig/visitors.ts. Each command prints its figures as
// JSON, with all times in milliseconds. `idle` and `probe` run until standard input closes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

type command func(arguments []string) (any, error)

var commands = map[string]command{
	"stream":   stream,
	"rate":     rate,
	"sequence": sequence,
	"idle":     idle,
	"probe":    probe,
	"load":     load,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fail(fmt.Errorf("give one of the commands: stream, rate, sequence, idle, probe, load"))
	}
	figures, err := commands[os.Args[1]](os.Args[2:])
	if err != nil {
		fail(fmt.Errorf("%s: %w", os.Args[1], err))
	}
	print(figures)
}

func print(figures any) {
	if err := json.NewEncoder(os.Stdout).Encode(figures); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func parse(name string, arguments []string, define func(*flag.FlagSet)) {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	define(flags)
	_ = flags.Parse(arguments)
}

// The headers of `-header "Name: value"`, which can be given several times.
type headerFlag http.Header

func (headers headerFlag) String() string { return "" }

func (headers headerFlag) Set(line string) error {
	name, value, found := strings.Cut(line, ":")
	if !found {
		return fmt.Errorf("%q is not a header line", line)
	}
	http.Header(headers).Add(name, strings.TrimSpace(value))
	return nil
}

// Returns when the parent process closes standard input or ends.
func waitForStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
}
