// Go's net/http as an origin that says what it understood: a line of JSON for each complete request, the
// port before all.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

type seen struct {
	Method string   `json:"method"`
	Target string   `json:"target"`
	Path   string   `json:"path"`
	Fields []string `json:"fields"`
	Body   string   `json:"body"`
}

var out sync.Mutex

func tell(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	out.Lock()
	defer out.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		// To return would be an answer.
		panic(http.ErrAbortHandler)
	}
	fields := []string{"Host", r.Host}
	for _, headers := range []http.Header{r.Header, r.Trailer} {
		for name, values := range headers {
			for _, value := range values {
				fields = append(fields, name, value)
			}
		}
	}
	tell(seen{r.Method, r.RequestURI, r.URL.Path, fields, base64.StdEncoding.EncodeToString(body)})
	text := r.Method + " " + r.RequestURI
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	io.WriteString(w, text)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	tell(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	// Not ServeMux: it would answer odd paths with redirects, and nothing would be seen of them.
	panic(http.Serve(listener, http.HandlerFunc(handle)))
}
