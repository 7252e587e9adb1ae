// coder/websocket takes a socket only where Origin names the Host that was asked.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/coder/websocket"
)

const page = `<!doctype html><title>coder/websocket</title><link rel="icon" href="data:,">
<h1>first words</h1><p id="socket"></p><script>
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
socket.onopen = () => socket.send('ping');
socket.onmessage = ({ data }) => { document.querySelector('#socket').textContent = data; };
</script>`

func main() {
	http.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	})
	http.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer socket.CloseNow()
		for {
			kind, _, err := socket.Read(r.Context())
			if err != nil || socket.Write(r.Context(), kind, []byte("pong")) != nil {
				return
			}
		}
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
