// The app behind every tunnel of a benchmark. It is compiled, so that it is not the bottleneck. Started by
// bench/rig/app.ts; prints its port and ends when standard input closes.
//
//	GET  /          a few bytes
//	GET  /bytes?n=N N bytes
//	POST /sink      reads the body, answers with its length in bytes
//	GET  /halves    an answer in two small writes: the head, then the body
//	GET  /page      a page with 30 objects, /object/1 to /object/30
//
// With a folder as its second argument, it serves the files in it instead, as they are.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// How much one write passes to the kernel.
const chunkBytes = 256 * 1024

// Long enough that a relay reads the two writes separately.
const betweenHalves = time.Millisecond

const pageObjects = 30

// About the median size of a page's images, scripts and style sheets.
const objectBytes = 12 * 1024

var chunk = make([]byte, chunkBytes)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if len(os.Args) > 1 {
		listener, err = net.Listen("tcp", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go endWithStdin()
	if len(os.Args) > 2 {
		fmt.Fprintln(os.Stderr, http.Serve(listener, http.FileServer(http.Dir(os.Args[2]))))
		return
	}
	http.HandleFunc("/", small)
	http.HandleFunc("/bytes", bytes)
	http.HandleFunc("/sink", sink)
	http.HandleFunc("/halves", halves)
	http.HandleFunc("/page", page)
	http.HandleFunc("/object/", object)
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
}

// Standard input closes when the parent process ends, even if it was killed.
func endWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func small(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "a small answer\n")
}

func bytes(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if err != nil {
		http.Error(w, "n must be a number of bytes", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(left, 10))
	for left > 0 {
		n, err := w.Write(chunk[:min(left, chunkBytes)])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

func sink(w http.ResponseWriter, r *http.Request) {
	buffer := make([]byte, chunkBytes)
	var total int64
	for {
		n, err := r.Body.Read(buffer)
		total += int64(n)
		if err != nil {
			break
		}
	}
	fmt.Fprintln(w, total)
}

// Writes the head and then the body, as most frameworks do, or with ?apart=body the body in two writes.
func halves(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "12")
	first := ""
	if r.URL.Query().Get("apart") == "body" {
		first = "first "
	}
	_, _ = io.WriteString(w, first)
	w.(http.Flusher).Flush()
	time.Sleep(betweenHalves)
	_, _ = io.WriteString(w, "first second"[len(first):])
}

func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var images strings.Builder
	for i := 1; i <= pageObjects; i++ {
		fmt.Fprintf(&images, `<script src="/object/%d" async></script>`, i)
	}
	fmt.Fprintf(w, `<!doctype html><title>30 objects</title><link rel="icon" href="data:,">%s`, images.String())
}

func object(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/javascript")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "//"+strings.Repeat(" ", objectBytes-2))
}
