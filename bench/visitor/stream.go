package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const chunkBytes = 256 * 1024

// A transfer that takes longer is a failure.
const streamTimeout = 60 * time.Second

type streamFigures struct {
	Bytes  int64   `json:"bytes"`
	Millis float64 `json:"millis"`
}

// Transfers `bytes` down or up in one HTTP exchange, over a plain connection to avoid the copies of net/http.
func stream(arguments []string) (any, error) {
	var address, direction string
	var bytes int64
	headers := http.Header{}
	parse("stream", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&address, "address", "", "host:port")
		flags.StringVar(&direction, "direction", "down", "down or up")
		flags.Int64Var(&bytes, "bytes", 0, "how many bytes")
		flags.Var(headerFlag(headers), "header", "a header of the request")
	})
	connection, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(streamTimeout))
	began := time.Now()
	move := receive
	if direction == "up" {
		move = send
	}
	headers.Set("Host", address)
	if err := move(connection, headers, bytes); err != nil {
		return nil, err
	}
	return streamFigures{bytes, millisSince(began)}, nil
}

// The head is one write.
func sendHead(connection net.Conn, request string, headers http.Header) {
	var lines strings.Builder
	_ = headers.Write(&lines)
	fmt.Fprintf(connection, "%s HTTP/1.1\r\n%s\r\n", request, lines.String())
}

func receive(connection net.Conn, headers http.Header, bytes int64) error {
	sendHead(connection, fmt.Sprintf("GET /bytes?n=%d", bytes), headers)
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != 200 || answer.ContentLength != bytes {
		return fmt.Errorf("status %d, length %d", answer.StatusCode, answer.ContentLength)
	}
	left := bytes - int64(reader.Buffered())
	buffer := make([]byte, chunkBytes)
	for left > 0 {
		n, err := connection.Read(buffer[:min(left, chunkBytes)])
		left -= int64(n)
		if err != nil && left > 0 {
			return fmt.Errorf("%d bytes are missing: %w", left, err)
		}
	}
	return nil
}

func send(connection net.Conn, headers http.Header, bytes int64) error {
	headers.Set("Content-Length", fmt.Sprint(bytes))
	sendHead(connection, "POST /sink", headers)
	buffer := make([]byte, chunkBytes)
	for left := bytes; left > 0; {
		n, err := connection.Write(buffer[:min(left, chunkBytes)])
		left -= int64(n)
		if err != nil {
			return err
		}
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if arrived := strings.TrimSpace(string(text)); err == nil && arrived != fmt.Sprint(bytes) {
		return fmt.Errorf("%s of %d bytes arrived (status %d)", arrived, bytes, answer.StatusCode)
	}
	return err
}

func millisSince(began time.Time) float64 {
	return float64(time.Since(began).Nanoseconds()) / 1e6
}
