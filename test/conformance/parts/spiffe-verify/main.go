// What go-spiffe says of certificate chains. Reads a JSON array of cases from standard input and writes
// one of verdicts, in the same order, to standard output.
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

type chainCase struct {
	TrustDomain string `json:"trustDomain"`
	// DER in base64, leaf first.
	Chain [][]byte `json:"chain"`
	Roots [][]byte `json:"roots"`
	// Milliseconds since the Unix epoch.
	At int64 `json:"at"`
}

type verdict struct {
	// Empty when the chain is accepted.
	Fault string `json:"fault"`
	ID    string `json:"id"`
}

func judge(one chainCase) verdict {
	domain, err := spiffeid.TrustDomainFromString(one.TrustDomain)
	if err != nil {
		return verdict{Fault: err.Error()}
	}
	bundle := x509bundle.New(domain)
	for _, der := range one.Roots {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return verdict{Fault: "root: " + err.Error()}
		}
		bundle.AddX509Authority(root)
	}
	id, _, err := x509svid.ParseAndVerify(one.Chain, bundle, x509svid.WithTime(time.UnixMilli(one.At)))
	if err != nil {
		return verdict{Fault: err.Error()}
	}
	return verdict{ID: id.String()}
}

func main() {
	var cases []chainCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		fmt.Fprintln(os.Stderr, "spiffe-verify: cannot read cases:", err)
		os.Exit(2)
	}
	verdicts := make([]verdict, 0, len(cases))
	for _, one := range cases {
		verdicts = append(verdicts, judge(one))
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		fmt.Fprintln(os.Stderr, "spiffe-verify: cannot write verdicts:", err)
		os.Exit(2)
	}
}
