// Runs the cases of h2spec: as a client against a server that listens already,
//
//	h2spec server PORT [strict]
//
// or as many servers against a program that is started once for each case, with the server's URL as
// its last argument:
//
//	h2spec client FROM_PORT PROGRAM
//
// Says what each case found, and ends with 0 only when all of them passed.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Println("usage: h2spec server PORT [strict] | client FROM_PORT PROGRAM")
		os.Exit(2)
	}
	port, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	settings := &config.Config{
		Host:         "127.0.0.1",
		Path:         "/",
		Timeout:      2 * time.Second,
		MaxHeaderLen: 4000,
	}
	if os.Args[1] == "client" {
		settings.FromPort = port
		settings.Exec = os.Args[3]
		err = h2spec.RunClientSpec(settings)
	} else {
		settings.Port = port
		settings.Strict = len(os.Args) > 3 && os.Args[3] == "strict"
		_, err = h2spec.Run(settings)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
}
