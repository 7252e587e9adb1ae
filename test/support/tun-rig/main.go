// A link with a real round-trip time: two network namespaces, a TUN device in each, and this program between the two,
// which holds every packet back for half of that time and can let it vanish. tun-rig.ts starts it and tells it what to
// do, one command a line on stdin, each answered with `ok` or `error …`; scripts/install-real-parts compiles it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Addresses of the two ends. They are the same in every rig: nobody outside of its namespaces sees them.
const (
	serverAddress = "10.200.0.1"
	runnerAddress = "10.200.0.2"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func run() error {
	sweep()
	// Of this process, so that a later one sees whether their owner still lives.
	server, runner := namespaceOf(os.Getpid(), "server"), namespaceOf(os.Getpid(), "runner")
	defer remove(server, runner)
	near, err := openEnd(server, serverAddress, runnerAddress)
	if err != nil {
		return err
	}
	far, err := openEnd(runner, runnerAddress, serverAddress)
	if err != nil {
		return err
	}
	toClient, toServer := &direction{}, &direction{}
	go toClient.carry(near, far)
	go toServer.carry(far, near)
	fmt.Println("ready", server, runner)
	obey(toServer, toClient)
	return nil
}

// obey returns when stdin ends, which it does however the one who started us ended, or at a signal.
func obey(toServer, toClient *direction) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A write to somebody who is gone must not end us before the clean-up.
	signal.Ignore(syscall.SIGPIPE)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			lines <- input.Text()
		}
	}()
	for {
		select {
		case <-signals:
			return
		case line, more := <-lines:
			if !more {
				return
			}
			if err := command(strings.Fields(line), toServer, toClient); err != nil {
				fmt.Println("error", err)
			} else {
				fmt.Println("ok")
			}
		}
	}
}

// command is `delay DURATION` (one way), `rate BITS_PER_SECOND`, `drop toServer|toClient|both` or `heal`.
func command(words []string, toServer, toClient *direction) error {
	verb, argument := strings.Join(words, " "), ""
	if len(words) == 2 {
		verb, argument = words[0], words[1]
	}
	switch verb {
	case "delay":
		oneWay, err := time.ParseDuration(argument)
		if err != nil || oneWay < 0 {
			return fmt.Errorf("'%s' is no delay: write for example 25ms", argument)
		}
		toServer.delay.Store(int64(oneWay))
		toClient.delay.Store(int64(oneWay))
	case "rate":
		rate, err := strconv.ParseInt(argument, 10, 64)
		if err != nil || rate < 0 {
			return fmt.Errorf("'%s' is no rate: write bits per second, or 0 for no limit", argument)
		}
		toServer.rate.Store(rate)
		toClient.rate.Store(rate)
	case "drop":
		if argument != "both" && argument != "toServer" && argument != "toClient" {
			return fmt.Errorf("'%s' is no direction: write toServer, toClient or both", argument)
		}
		toServer.dropping.Store(argument != "toClient")
		toClient.dropping.Store(argument != "toServer")
	case "heal":
		toServer.dropping.Store(false)
		toClient.dropping.Store(false)
	default:
		return fmt.Errorf("'%s' is no command: write delay, rate, drop or heal", verb)
	}
	return nil
}
