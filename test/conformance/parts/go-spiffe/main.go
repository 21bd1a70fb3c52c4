// A workload written against go-spiffe, as its users write one: it knows nothing of Signet. Prints one JSON
// object a line, and ends with 1 and a sentence when something does not hold.
//
//	watch COUNT      the first COUNT X.509 contexts that come, each leaf verified
//	mtls COUNT       mutual TLS with itself, now and after each of COUNT rotations
//	bundles          the X.509 bundles
//	federate URL ID  the bundle that the server ID has at URL, fetched as a federating trust domain does
//	jwt AUDIENCE     a JWT-SVID, verified with the JWT bundle and by the Workload API, then refused for another
//	verify           chains from standard input, {name, chain, roots} in base64: how go-spiffe judges each
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const patience = 2 * time.Minute

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return errors.New("say what to do")
	}
	if words[0] == "federate" && len(words) == 3 {
		return federate(ctx, words[1], words[2])
	}
	if words[0] == "jwt" && len(words) == 2 {
		return jwt(ctx, words[1])
	}
	count := 0
	if len(words) > 1 {
		var err error
		if count, err = strconv.Atoi(words[1]); err != nil {
			return err
		}
	}
	switch words[0] {
	case "watch":
		return watch(ctx, count)
	case "mtls":
		return mtls(ctx, count)
	case "bundles":
		return bundles(ctx)
	case "verify":
		return verify()
	}
	return fmt.Errorf("%q is unknown", words[0])
}

func say(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}

type seen struct {
	ID     string `json:"id"`
	Serial string `json:"serial"`
	Chain  int    `json:"chain"`
	Roots  int    `json:"roots"`
}

type watcher struct {
	left int
	done chan error
}

func (w *watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	if w.left == 0 {
		return
	}
	err := tell(update)
	if w.left--; err != nil || w.left == 0 {
		w.left = 0
		w.done <- err
	}
}

func (w *watcher) OnX509ContextWatchError(err error) {
	fmt.Fprintln(os.Stderr, "watch:", err)
}

func tell(update *workloadapi.X509Context) error {
	svid := update.DefaultSVID()
	id, chains, err := x509svid.Verify(svid.Certificates, update.Bundles)
	if err != nil {
		return err
	}
	if id != svid.ID || len(chains) == 0 {
		return fmt.Errorf("verified %q, was told %q", id, svid.ID)
	}
	bundle, err := update.Bundles.GetX509BundleForTrustDomain(id.TrustDomain())
	if err != nil {
		return err
	}
	serial := svid.Certificates[0].SerialNumber.Text(16)
	return say(seen{id.String(), serial, len(svid.Certificates), len(bundle.X509Authorities())})
}

func watch(ctx context.Context, count int) error {
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	w := &watcher{left: count, done: make(chan error, 1)}
	go func() {
		if err := client.WatchX509Context(ctx, w); err != nil && ctx.Err() == nil {
			w.done <- err
		}
	}()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func bundles(ctx context.Context) error {
	set, err := workloadapi.FetchX509Bundles(ctx)
	if err != nil {
		return err
	}
	for _, bundle := range set.Bundles() {
		domain, authorities := bundle.TrustDomain().Name(), len(bundle.X509Authorities())
		if err := say(map[string]any{"trustDomain": domain, "roots": authorities}); err != nil {
			return err
		}
	}
	return nil
}

func mtls(ctx context.Context, rotations int) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	own := tlsconfig.AuthorizeID(svid.ID)
	go serve(tls.NewListener(listener, tlsconfig.MTLSServerConfig(source, source, own)))
	for round := 0; ; round++ {
		config := tlsconfig.MTLSClientConfig(source, source, own)
		if err := converse(listener.Addr().String(), config); err != nil {
			return err
		}
		if round == rotations {
			break
		}
		select {
		case <-source.Updated():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// A stranger's name is not taken for ours.
	stranger := spiffeid.RequireFromString("spiffe://cluster.local/ns/other/sa/other")
	config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(stranger))
	if converse(listener.Addr().String(), config) == nil {
		return errors.New("a server of another identity was taken")
	}
	return nil
}

func serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			_, _ = io.Copy(connection, connection)
		}()
	}
}

func converse(address string, config *tls.Config) error {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer connection.Close()
	const said = "hello"
	if _, err := io.WriteString(connection, said); err != nil {
		return err
	}
	heard := make([]byte, len(said))
	if _, err := io.ReadFull(connection, heard); err != nil {
		return err
	}
	state := connection.ConnectionState()
	peer := state.PeerCertificates[0]
	return say(map[string]any{
		"heard":  string(heard),
		"serial": peer.SerialNumber.Text(16),
		"peer":   peer.URIs[0].String(),
		"tls":    tls.VersionName(state.Version),
	})
}

func federate(ctx context.Context, url, endpoint string) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	id, err := spiffeid.FromString(endpoint)
	if err != nil {
		return err
	}
	auth := federation.WithSPIFFEAuth(source, id)
	bundle, err := federation.FetchBundle(ctx, id.TrustDomain(), url, auth)
	if err != nil {
		return err
	}
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	return say(map[string]any{
		"trustDomain": bundle.TrustDomain().Name(),
		"x509":        len(bundle.X509Authorities()),
		"jwt":         len(bundle.JWTAuthorities()),
		"sequence":    sequence,
		"refreshS":    hint.Seconds(),
	})
}

func jwt(ctx context.Context, audience string) error {
	source, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
	if err != nil {
		return err
	}
	token := svid.Marshal()
	verified, err := jwtsvid.ParseAndValidate(token, source, []string{audience})
	if err != nil {
		return err
	}
	told, err := workloadapi.ValidateJWTSVID(ctx, token, audience)
	if err != nil {
		return err
	}
	if told.ID != svid.ID || verified.ID != svid.ID {
		return fmt.Errorf("%q was verified as %q and %q", svid.ID, verified.ID, told.ID)
	}
	if _, err := workloadapi.ValidateJWTSVID(ctx, token, "other"); err == nil {
		return errors.New("a token for another audience was taken")
	}
	life := int(time.Until(verified.Expiry).Round(time.Minute).Minutes())
	return say(map[string]any{"id": svid.ID.String(), "audience": verified.Audience, "minutes": life})
}

type chain struct {
	Name  string   `json:"name"`
	Chain [][]byte `json:"chain"`
	Roots [][]byte `json:"roots"`
}

func verify() error {
	var chains []chain
	if err := json.NewDecoder(os.Stdin).Decode(&chains); err != nil {
		return err
	}
	domain := spiffeid.RequireTrustDomainFromString("cluster.local")
	for _, each := range chains {
		verdict := map[string]string{"name": each.Name, "id": "", "error": ""}
		id, err := judge(domain, each)
		if err != nil {
			verdict["error"] = err.Error()
		} else {
			verdict["id"] = id.String()
		}
		if err := say(verdict); err != nil {
			return err
		}
	}
	return nil
}

func judge(domain spiffeid.TrustDomain, each chain) (spiffeid.ID, error) {
	bundle := x509bundle.New(domain)
	for _, der := range each.Roots {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return spiffeid.ID{}, err
		}
		bundle.AddX509Authority(root)
	}
	certificates := make([]*x509.Certificate, 0, len(each.Chain))
	for _, der := range each.Chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return spiffeid.ID{}, err
		}
		certificates = append(certificates, certificate)
	}
	id, _, err := x509svid.Verify(certificates, bundle)
	return id, err
}
