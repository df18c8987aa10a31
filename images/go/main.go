// Serves what a Go program takes from the image around it.
package main

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"time"
)

func show(answer http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(answer, value)
}

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { show(answer, "ready", nil) })
	http.HandleFunc("/zone", func(answer http.ResponseWriter, request *http.Request) {
		place, err := time.LoadLocation(request.URL.Query().Get("name"))
		if err != nil {
			show(answer, nil, err)
			return
		}
		show(answer, time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC).In(place).Format("15:04 MST"), nil)
	})
	http.HandleFunc("/authorities", func(answer http.ResponseWriter, _ *http.Request) {
		pool, err := x509.SystemCertPool()
		if err != nil {
			show(answer, nil, err)
			return
		}
		show(answer, len(pool.Subjects()) > 20, nil)
	})
	http.HandleFunc("/host", func(answer http.ResponseWriter, request *http.Request) {
		found, err := net.LookupHost(request.URL.Query().Get("name"))
		show(answer, found, err)
	})
	http.HandleFunc("/port", func(answer http.ResponseWriter, _ *http.Request) {
		found, err := net.LookupPort("tcp", "imaps")
		show(answer, found, err)
	})
	http.HandleFunc("/user", func(answer http.ResponseWriter, request *http.Request) {
		found, err := user.Lookup(request.URL.Query().Get("name"))
		if err != nil {
			show(answer, nil, err)
			return
		}
		show(answer, found.Uid+" "+found.HomeDir, nil)
	})
	http.HandleFunc("/temporary", func(answer http.ResponseWriter, _ *http.Request) {
		file, err := os.CreateTemp("", "x")
		if err != nil {
			show(answer, nil, err)
			return
		}
		show(answer, "written", file.Close())
	})
	if err := http.ListenAndServe(":8080", nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
