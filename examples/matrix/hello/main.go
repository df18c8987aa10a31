// Says hello, and needs a C library when it is built with cgo.
package main

import (
	"fmt"
	_ "net"
)

func main() {
	fmt.Println("Hello from Go")
}
