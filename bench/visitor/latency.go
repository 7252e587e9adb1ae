package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sort"
	"sync"
	"time"
)

type latencyFigures struct {
	Count  int     `json:"count"`
	Errors int     `json:"errors"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// Sends requests at a fixed rate. It is an open loop: a request does not wait for the answers of earlier requests.
func rate(arguments []string) (any, error) {
	var target string
	var perSecond, seconds int
	headers := http.Header{}
	parse("rate", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&target, "url", "", "what to request")
		flags.IntVar(&perSecond, "rate", 500, "requests per second")
		flags.IntVar(&seconds, "seconds", 3, "how long")
		flags.Var(headerFlag(headers), "header", "a header of each request")
	})
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	// Opens connections before the measurement, because another case measures new connections.
	warm(client, target, 16, headers)
	latencies := make([]float64, perSecond*seconds)
	var waiting sync.WaitGroup
	began := time.Now()
	for i := range latencies {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))))
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			latencies[i] = ask(client, target, headers)
		}()
	}
	waiting.Wait()
	return summarise(latencies), nil
}

func warm(client *http.Client, target string, connections int, headers http.Header) {
	var waiting sync.WaitGroup
	for range connections {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			ask(client, target, headers)
		}()
	}
	waiting.Wait()
}

// Returns the ms from sending a request to the end of its answer, or -1 if it failed.
func ask(client *http.Client, target string, headers http.Header) float64 {
	began := time.Now()
	request, err := http.NewRequest("GET", target, nil)
	if err != nil {
		return -1
	}
	for name, values := range headers {
		request.Header[name] = values
	}
	answer, err := client.Do(request)
	if err != nil {
		return -1
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != 200 {
		return -1
	}
	return millisSince(began)
}

// Sends one request after another: on one connection, or with `-fresh` on a new connection for each. With `-fresh`, the
// time is measured from the first SYN to the first byte of the answer.
func sequence(arguments []string) (any, error) {
	var target string
	var count, skip int
	var fresh bool
	var pause time.Duration
	parse("sequence", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&target, "url", "", "what to request")
		flags.IntVar(&count, "count", 30, "requests")
		flags.IntVar(&skip, "skip", 0, "how many of the first requests do not count")
		flags.BoolVar(&fresh, "fresh", false, "a new connection for each")
		flags.DurationVar(&pause, "pause", 0, "between requests")
	})
	client := &http.Client{Timeout: 5 * time.Second}
	if !fresh {
		warm(client, target, 1, nil)
	}
	latencies := make([]float64, count)
	for i := range latencies {
		if fresh {
			latencies[i] = firstByte(target)
		} else {
			latencies[i] = ask(client, target, nil)
		}
		time.Sleep(pause)
	}
	return summarise(latencies[min(skip, count):]), nil
}

// Returns the ms from the first SYN of a new connection to the first byte of the answer, or -1 if it failed.
func firstByte(target string) float64 {
	address, err := url.Parse(target)
	if err != nil {
		return -1
	}
	began := time.Now()
	connection, err := net.DialTimeout("tcp", address.Host, 5*time.Second)
	if err != nil {
		return -1
	}
	defer connection.Close()
	_ = connection.SetDeadline(began.Add(10 * time.Second))
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", address.RequestURI(), address.Host)
	reader := bufio.NewReader(connection)
	if _, err := reader.Peek(1); err != nil {
		return -1
	}
	arrived := millisSince(began)
	if answer, err := http.ReadResponse(reader, nil); err != nil || answer.StatusCode != 200 {
		return -1
	}
	return arrived
}

func summarise(latencies []float64) latencyFigures {
	good := make([]float64, 0, len(latencies))
	for _, latency := range latencies {
		if latency >= 0 {
			good = append(good, latency)
		}
	}
	figures := latencyFigures{Count: len(good), Errors: len(latencies) - len(good)}
	if len(good) == 0 {
		return figures
	}
	sort.Float64s(good)
	figures.P50 = good[len(good)/2]
	figures.P99 = good[len(good)*99/100]
	figures.Max = good[len(good)-1]
	return figures
}
