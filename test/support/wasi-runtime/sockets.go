// Sockets as the hosts of WASI preview 1 offer them. Go's own net package reads sockets with fd_read, which the shim
// of wasmrun's page refuses, so the four calls are made here, and a blocked one is tried again after a short sleep.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

//go:wasmimport wasi_snapshot_preview1 sock_accept
func sockAccept(fd int32, flags int32, accepted unsafe.Pointer) int32

//go:wasmimport wasi_snapshot_preview1 sock_recv
func sockRecv(fd int32, vectors unsafe.Pointer, count int32, flags int32, size, outFlags unsafe.Pointer) int32

//go:wasmimport wasi_snapshot_preview1 sock_send
func sockSend(fd int32, vectors unsafe.Pointer, count int32, flags int32, size unsafe.Pointer) int32

//go:wasmimport wasi_snapshot_preview1 poll_oneoff
func pollOneoff(subscriptions, events unsafe.Pointer, count int32, size unsafe.Pointer) int32

//go:wasmimport wasi_snapshot_preview1 sock_open
func sockOpen(family, kind, protocol int32, fd unsafe.Pointer) int32

//go:wasmimport wasi_snapshot_preview1 sock_connect
func sockConnect(fd int32, host unsafe.Pointer, length int32, port int32) int32

// Errno values of WASI preview 1.
const (
	errnoAccess  = 2
	errnoAgain   = 6
	errnoRefused = 14
)

// The page's shim wakes a sleeping program when something arrives; elsewhere this is how late it is noticed.
const pollInterval = 2 * time.Millisecond

const (
	streamSocket = 1
	inetFamily   = 1
	nonBlocking  = 4
)

type vector struct{ address, length uint32 }

func vectorOf(bytes []byte) vector {
	return vector{uint32(uintptr(unsafe.Pointer(&bytes[0]))), uint32(len(bytes))}
}

type connection struct{ fd int32 }

// accept waits for the next connection of the socket that was handed over.
func accept(listener int32) (*connection, error) {
	for {
		var fd int32
		switch errno := sockAccept(listener, nonBlocking, unsafe.Pointer(&fd)); errno {
		case 0:
			return &connection{fd}, nil
		case errnoAgain:
			time.Sleep(pollInterval)
		default:
			return nil, fmt.Errorf("sock_accept: errno %d", errno)
		}
	}
}

func (c *connection) Read(bytes []byte) (int, error) {
	for {
		if !isReadable(c.fd) {
			time.Sleep(pollInterval)
			continue
		}
		v, size, flags := vectorOf(bytes), uint32(0), uint32(0)
		errno := sockRecv(c.fd, unsafe.Pointer(&v), 1, 0, unsafe.Pointer(&size), unsafe.Pointer(&flags))
		switch {
		case errno == errnoAgain:
			time.Sleep(pollInterval)
		case errno != 0:
			return 0, fmt.Errorf("sock_recv: errno %d", errno)
		case size == 0:
			return 0, io.EOF
		default:
			return int(size), nil
		}
	}
}

// isReadable asks without waiting: under `wasmrun exec` sock_recv blocks, and with it every other connection. The
// clock (of zero length) keeps the page's shim from waiting.
func isReadable(fd int32) bool {
	const subscription, event, readable, clock = 48, 32, 1, 0
	var in [2 * subscription]byte
	var out [2 * event]byte
	var count uint32
	in[8], in[subscription+8] = readable, clock
	binary.LittleEndian.PutUint32(in[16:], uint32(fd))
	if pollOneoff(unsafe.Pointer(&in), unsafe.Pointer(&out), 2, unsafe.Pointer(&count)) != 0 {
		return true
	}
	for i := range int(count) {
		if at := out[i*event:]; at[10] == readable {
			return binary.LittleEndian.Uint16(at[8:]) != errnoAgain
		}
	}
	return false
}

func (c *connection) Write(bytes []byte) (int, error) {
	written := 0
	for written < len(bytes) {
		v, size := vectorOf(bytes[written:]), uint32(0)
		switch errno := sockSend(c.fd, unsafe.Pointer(&v), 1, 0, unsafe.Pointer(&size)); errno {
		case 0:
			written += int(size)
		case errnoAgain:
			time.Sleep(pollInterval)
		default:
			return written, fmt.Errorf("sock_send: errno %d", errno)
		}
	}
	return written, nil
}

func (c *connection) Close() error { return syscall.Close(int(c.fd)) }

// listenerFd is the socket wasmrun bound for the program.
func listenerFd() (int32, error) {
	fd, err := strconv.Atoi(os.Getenv("WASMHUB_LISTEN_FD"))
	if err != nil {
		return 0, errors.New("listen: no socket was handed over (WASMHUB_LISTEN_FD)")
	}
	return int32(fd), nil
}

// connectTo tries an outbound connection and says how it went: connected, denied, refused, or the errno. What it
// opens stays open. Only for tests of the network policy.
func connectTo(host string, port int32, text string) string {
	var fd int32
	if errno := sockOpen(inetFamily, streamSocket, 0, unsafe.Pointer(&fd)); errno != 0 {
		return fmt.Sprintf("sock_open: errno %d", errno)
	}
	name := []byte(host)
	switch errno := sockConnect(fd, unsafe.Pointer(&name[0]), int32(len(name)), port); errno {
	case 0:
		if text != "" {
			_, _ = (&connection{fd}).Write([]byte(text))
		}
		return "connected"
	case errnoAccess:
		return "denied"
	case errnoRefused:
		return "refused"
	default:
		return fmt.Sprintf("errno %d", errno)
	}
}
