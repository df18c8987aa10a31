// An HTTPS client that trusts whom its image trusts.
//
// The server that it asks is its own, on loopback, with a certificate of a
// company's authority: so it can be tried without a network.
package main

import (
	"crypto/tls"
	_ "embed"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

//go:embed server.pem
var certificate []byte

//go:embed server.key
var key []byte

func main() {
	log.SetFlags(0)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(
		tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}}),
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "Hello over TLS")
		}))
	answer, err := http.Get("https://" + listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
}
