// A web server for `wasmrun exec`. Go's net package never accepts there, so the program accepts through WASI itself.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

const form = "<h1>first words</h1><form method=post action=/said><input name=word><button>Say</button></form>"

//go:wasmimport wasi_snapshot_preview1 sock_accept
func sockAccept(listener int32, flags int32, connection unsafe.Pointer) int32

func main() {
	listener, err := strconv.Atoi(os.Getenv("WASMHUB_LISTEN_FD"))
	if err != nil {
		panic(err)
	}
	for {
		var connection int32
		if errno := sockAccept(int32(listener), 0, unsafe.Pointer(&connection)); errno != 0 {
			panic(syscall.Errno(errno))
		}
		serve(int(connection))
		syscall.Close(int(connection))
	}
}

func serve(connection int) {
	content := form
	if _, word, found := bytes.Cut(readRequest(connection), []byte("word=")); found {
		content = fmt.Sprintf("<p id=said>%s</p>", word)
	}
	page := "<!doctype html><title>Go</title><link rel=icon href='data:,'>" + content
	answer := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
	syscall.Write(connection, fmt.Appendf(nil, answer, len(page), page))
}

// readRequest reads a GET's head, or a POST's head and form.
func readRequest(connection int) []byte {
	var request []byte
	buffer := make([]byte, 4096)
	for {
		count, err := syscall.Read(connection, buffer)
		if count <= 0 || err != nil {
			return request
		}
		request = append(request, buffer[:count]...)
		_, body, ended := bytes.Cut(request, []byte("\r\n\r\n"))
		if ended && (request[0] == 'G' || bytes.Contains(body, []byte("word="))) {
			return request
		}
	}
}
