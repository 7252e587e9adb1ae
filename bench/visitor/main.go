// The visitors of a benchmark, as far as wrk and iperf3 cannot play them. Started by bench/rig/visitor.ts; each
// command prints its figures as JSON, all times in milliseconds. It ends with its standard input.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
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

// Returns when whoever started this closes its standard input, or has died.
func waitForStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
}
