package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

type pageFigures struct {
	Millis      float64 `json:"millis"`
	Connections int     `json:"connections"`
}

// Loads the page and its objects as a browser does over HTTP/1.1: with at most six kept connections, each object on the
// next free one. The time is measured from the first SYN to the last byte.
func load(arguments []string) (any, error) {
	var base string
	var objects, connections int
	parse("load", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&base, "url", "", "base URL of the app, without a path")
		flags.IntVar(&objects, "objects", 30, "how many objects the page has")
		flags.IntVar(&connections, "connections", 6, "maximum number of connections")
	})
	address, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	dialled := 0
	var lock sync.Mutex
	transport := &http.Transport{
		MaxConnsPerHost:     connections,
		MaxIdleConnsPerHost: connections,
		Dial: func(network, _ string) (net.Conn, error) {
			lock.Lock()
			dialled++
			lock.Unlock()
			return net.DialTimeout(network, address.Host, 5*time.Second)
		},
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: transport}
	if ask(client, base+"/page", nil) < 0 {
		return nil, fmt.Errorf("no page at %s", base)
	}
	var waiting sync.WaitGroup
	lost := 0
	for i := 1; i <= objects; i++ {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			if ask(client, fmt.Sprintf("%s/object/%d", base, i), nil) < 0 {
				lock.Lock()
				lost++
				lock.Unlock()
			}
		}()
	}
	waiting.Wait()
	if lost > 0 {
		return nil, fmt.Errorf("%d of %d objects are missing", lost, objects)
	}
	return pageFigures{millisSince(began), dialled}, nil
}
