package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// How many visitors connect at the same time. More could overflow the backlog of the listening socket.
const arriving = 50

type idleFigures struct {
	Open int `json:"open"`
}

// Opens idle connections and keeps them until standard input closes. With `-ask`, each visitor first sends one request.
// Prints how many are open, and at the end how many still are.
func idle(arguments []string) (any, error) {
	var address string
	var count int
	var asking bool
	parse("idle", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&address, "address", "", "host:port")
		flags.IntVar(&count, "count", 1000, "visitors")
		flags.BoolVar(&asking, "ask", false, "each visitor first sends one request")
	})
	turns := make(chan struct{}, arriving)
	var waiting sync.WaitGroup
	var lock sync.Mutex
	var open []net.Conn
	for range count {
		waiting.Add(1)
		turns <- struct{}{}
		go func() {
			defer func() { <-turns; waiting.Done() }()
			connection, err := enter(address, asking)
			if err != nil {
				return
			}
			lock.Lock()
			open = append(open, connection)
			lock.Unlock()
		}()
	}
	waiting.Wait()
	print(idleFigures{len(open)})
	waitForStdin()
	return idleFigures{countOpen(open)}, nil
}

func enter(address string, asking bool) (net.Conn, error) {
	connection, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil || !asking {
		return connection, err
	}
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, nil)
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	if err != nil {
		connection.Close()
		return nil, err
	}
	return connection, nil
}

// Counts the connections that the other side has not closed.
func countOpen(connections []net.Conn) int {
	still := 0
	for _, connection := range connections {
		_ = connection.SetReadDeadline(time.Now().Add(time.Millisecond))
		buffer := make([]byte, 64*1024)
		for {
			_, err := connection.Read(buffer)
			if err == nil {
				continue
			}
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				still++
			}
			break
		}
	}
	return still
}

type goodProbe struct {
	// Unix time in ms when the whole answer had arrived.
	At float64 `json:"at"`
}

// Starts a visit every 20 ms, each on a new connection and without waiting for earlier visits. Prints a line for each
// visit that succeeds, until standard input closes.
func probe(arguments []string) (any, error) {
	var address string
	var every time.Duration
	parse("probe", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&address, "address", "", "host:port")
		flags.DurationVar(&every, "every", 20*time.Millisecond, "time between visits")
	})
	over := make(chan struct{})
	go func() { waitForStdin(); close(over) }()
	var lock sync.Mutex
	ticker := time.NewTicker(every)
	for {
		select {
		case <-over:
			return map[string]bool{"over": true}, nil
		case <-ticker.C:
			go func() {
				if firstByte("http://"+address+"/") < 0 {
					return
				}
				at := float64(time.Now().UnixMicro()) / 1000
				lock.Lock()
				print(goodProbe{at})
				lock.Unlock()
			}()
		}
	}
}
