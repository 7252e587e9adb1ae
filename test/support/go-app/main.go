// An app of Go's net/http, with what that package does differently from Node: trailers by prefix, interim answers, flushed
// pieces, hijacked connections. It says its port as the first line, and ends with its standard input.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(listener, routes()))
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI) })
	mux.HandleFunc("/sum", sum)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/duplex", duplex)
	mux.HandleFunc("/interim", interim)
	mux.HandleFunc("/early", early)
	mux.HandleFunc("/abort", abort)
	mux.HandleFunc("/hijack", hijack)
	mux.HandleFunc("/content", content)
	mux.HandleFunc("/continue", func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 10 {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
			return
		}
		sum(w, r)
	})
	return mux
}

// sum answers with the length and the checksum of the body.
func sum(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	bytes, err := io.Copy(hash, r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%s %d %d %s\n", r.Method, r.ContentLength, bytes, hex.EncodeToString(hash.Sum(nil)))
}

// trailers sends one that was announced, and one that was not.
func trailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-Announced")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "body")
	w.Header().Set("X-Announced", "1")
	w.Header().Set(http.TrailerPrefix+"X-Surprise", "2")
}

// duplex sends back each line as soon as it has it.
func duplex(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	buffer := make([]byte, 1024)
	for {
		count, err := r.Body.Read(buffer)
		if count > 0 {
			_, _ = w.Write(buffer[:count])
			_ = control.Flush()
		}
		if err != nil {
			return
		}
	}
}

// interim sends the informational answers of the query before the last one.
func interim(w http.ResponseWriter, r *http.Request) {
	for _, status := range strings.Split(r.URL.Query().Get("status"), ",") {
		code, _ := strconv.Atoi(status)
		w.Header()["Link"] = []string{"</style.css>; rel=preload; as=style", "</" + status + ".js>; rel=preload; as=script"}
		w.Header().Set("X-Step", status)
		w.WriteHeader(code)
	}
	w.Header().Del("X-Step")
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "at last")
}

// early answers without a look at the body; Go then closes the connection.
func early(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "enough", http.StatusRequestEntityTooLarge)
}

// abort breaks off in the middle, as a panic would.
func abort(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "half")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// hijack takes the connection over, and says what the query tells it to, byte by byte.
func hijack(w http.ResponseWriter, r *http.Request) {
	connection, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	for _, letter := range []byte(r.URL.Query().Get("say")) {
		_, _ = stream.Write([]byte{letter})
		_ = stream.Flush()
	}
}

func content(w http.ResponseWriter, r *http.Request) {
	modified := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	w.Header().Set("Etag", `"v1"`)
	http.ServeContent(w, r, "content.txt", modified, strings.NewReader(strings.Repeat("0123456789", 10_000)))
}
