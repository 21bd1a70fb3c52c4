// What zlint says of certificates. Reads DER from standard input, each with its length before it (four
// bytes, big-endian), and writes one JSON object to standard output: how many it read and by how many
// lints, and each lint that found something, with how often and the first certificate it found it in.
// Its argument is a list of lint sources to leave out, with commas between.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

const certificateBytesMax = 1 << 16

type finding struct {
	Lint   string `json:"lint"`
	Source string `json:"source"`
	// "warn", "error" or "fatal".
	Status string `json:"status"`
	Count  int    `json:"count"`
	Detail string `json:"detail"`
	// DER in base64.
	First []byte `json:"first"`
}

type report struct {
	Certificates int        `json:"certificates"`
	Lints        int        `json:"lints"`
	Findings     []*finding `json:"findings"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "certificate-lint:", err)
		os.Exit(2)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: certificate-lint SOURCE[,SOURCE] < CERTIFICATES")
	}
	var excluded lint.SourceList
	if err := excluded.FromString(os.Args[1]); err != nil {
		return err
	}
	lints, err := lint.GlobalRegistry().Filter(lint.FilterOptions{ExcludeSources: excluded})
	if err != nil {
		return err
	}
	said := report{Lints: len(lints.Names()), Findings: []*finding{}}
	known := map[string]*finding{}
	found := func(name string, status lint.LintStatus, detail string, der []byte) {
		key := name + " " + status.String()
		one := known[key]
		if one == nil {
			one = &finding{Lint: name, Status: status.String(), Detail: detail, First: der}
			if about := lints.ByName(name); about != nil {
				one.Source = string(about.Source)
			}
			known[key] = one
			said.Findings = append(said.Findings, one)
		}
		one.Count++
	}
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		der, err := next(input)
		if err == io.EOF {
			return json.NewEncoder(os.Stdout).Encode(said)
		}
		if err != nil {
			return err
		}
		said.Certificates++
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			found("unreadable", lint.Fatal, err.Error(), der)
			continue
		}
		for name, result := range zlint.LintCertificateEx(certificate, lints).Results {
			if result.Status >= lint.Warn {
				found(name, result.Status, result.Details, der)
			}
		}
	}
}

// The next certificate; io.EOF behind the last one.
func next(input io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(input, length[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > certificateBytesMax {
		return nil, fmt.Errorf("a certificate of %d bytes", size)
	}
	der := make([]byte, size)
	if _, err := io.ReadFull(input, der); err != nil {
		return nil, fmt.Errorf("input ends inside a certificate: %w", err)
	}
	return der, nil
}
