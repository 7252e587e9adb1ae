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

// Loads the page and its 30 objects as a browser does over HTTP/1.1: at most six connections, each kept alive, each
// object on whichever is free. The clock runs from the first SYN to the last byte.
func load(arguments []string) (any, error) {
	var base string
	var objects, connections int
	parse("load", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&base, "url", "", "of the app, without a path")
		flags.IntVar(&objects, "objects", 30, "objects of the page")
		flags.IntVar(&connections, "connections", 6, "at most")
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
	if ask(client, base+"/page") < 0 {
		return nil, fmt.Errorf("no page at %s", base)
	}
	var waiting sync.WaitGroup
	lost := 0
	for i := 1; i <= objects; i++ {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			if ask(client, fmt.Sprintf("%s/object/%d", base, i)) < 0 {
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
