// HTTP/1.1 for node.js (the JavaScript half): requests are read here, answers are written there.
package main

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

type request struct {
	Method  string
	Url     string
	Headers map[string]string
	Body    string
}

// An exchange is one request's way back.
type exchange struct {
	conn *connection
	done chan bool
}

// Send writes raw bytes of the answer.
func (e *exchange) Send(text string) {
	if text != "" {
		_, _ = io.WriteString(e.conn, text)
	}
}

// Finish ends the answer; the connection takes another request if keep is true.
func (e *exchange) Finish(keep bool) { e.done <- keep }

func (l *loop) listen(onRequest goja.Callable) (string, error) {
	fd, err := listenerFd()
	if err != nil {
		return "", err
	}
	l.keepAlive = true
	go func() {
		for {
			conn, err := accept(fd)
			if err != nil {
				l.jobs <- func() { l.check(err) }
				return
			}
			go l.serve(conn, onRequest)
		}
	}()
	return os.Getenv("WASMHUB_LISTEN_ADDR"), nil
}

func (l *loop) serve(conn *connection, onRequest goja.Callable) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		req, err := readRequest(reader)
		if err != nil {
			return
		}
		answer := &exchange{conn, make(chan bool, 1)}
		l.jobs <- func() {
			_, err := onRequest(goja.Undefined(), l.vm.ToValue(req), l.vm.ToValue(answer))
			l.check(err)
		}
		if !<-answer.done {
			return
		}
	}
}

func readRequest(reader *bufio.Reader) (*request, error) {
	line, err := readLine(reader)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 {
		return nil, io.ErrUnexpectedEOF
	}
	req := &request{Method: parts[0], Url: parts[1], Headers: map[string]string{}}
	for {
		line, err = readLine(reader)
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		req.Headers[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	req.Body, err = readBody(reader, req.Headers)
	return req, err
}

func readBody(reader *bufio.Reader, headers map[string]string) (string, error) {
	if headers["transfer-encoding"] != "chunked" {
		length, _ := strconv.Atoi(headers["content-length"])
		return readExactly(reader, length)
	}
	var body strings.Builder
	for {
		line, err := readLine(reader)
		if err != nil {
			return "", err
		}
		size, _ := strconv.ParseInt(line, 16, 32)
		chunk, err := readExactly(reader, int(size))
		if err != nil {
			return "", err
		}
		body.WriteString(chunk)
		if _, err = readLine(reader); err != nil || size == 0 {
			return body.String(), err
		}
	}
}

func readExactly(reader *bufio.Reader, length int) (string, error) {
	bytes := make([]byte, length)
	_, err := io.ReadFull(reader, bytes)
	return string(bytes), err
}

func readLine(reader *bufio.Reader) (string, error) {
	line, err := reader.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}
