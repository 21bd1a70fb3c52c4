# A workload written against PyPI's spiffe and spiffe-tls, as their users write one: it knows nothing of
# Signet. Prints one JSON object a line, and ends with 1 when something does not hold.
#
#   watch COUNT      the first COUNT certificates that come
#   jwt AUDIENCE     a JWT-SVID, verified with the JWT bundle and by the Workload API
#   mtls COUNT       mutual TLS with itself, now and after each of COUNT rotations
import json
import queue
import socket
import sys
import threading
import time

from OpenSSL import SSL
from spiffe import JwtSource, WorkloadApiClient, X509Source
from spiffe.svid.jwt_svid import JwtSvid
from spiffetls import ListenOptions, dial, listen
from spiffetls.mode import ClientTlsMode, ServerTlsMode
from spiffetls.tlsconfig.authorize import authorize_id

patience_s = 120


def say(**facts):
    print(json.dumps(facts), flush=True)


def serial_of(svid):
    return format(svid.leaf.serial_number, "x")


def rotations(source):
    """The present certificate, and each that follows it."""
    changed = queue.Queue()
    source.subscribe_for_updates(lambda: changed.put(None))
    last = None
    while True:
        svid = source.get_x509_context().default_svid
        if last is None or serial_of(svid) != serial_of(last):
            yield svid
            last = svid
        changed.get(timeout=patience_s)


def watch(source, count):
    for seen, svid in enumerate(rotations(source), 1):
        bundle = source.get_bundle_for_trust_domain(svid.spiffe_id.trust_domain)
        roots, chain = len(bundle.x509_authorities), len(svid.cert_chain)
        say(id=str(svid.spiffe_id), serial=serial_of(svid), chain=chain, roots=roots)
        if seen == count:
            return


def mtls(source, count):
    for seen, svid in enumerate(rotations(source)):
        converse(source, svid)
        if seen == count:
            return


def converse(source, svid):
    own = authorize_id(svid.spiffe_id)
    port = free_port()
    address = f"127.0.0.1:{port}"
    options = ListenOptions(tls_mode=ServerTlsMode.MTLS, authorize_fn=own)
    server = listen(address, source, options)
    threading.Thread(target=echo, args=(server,), daemon=True).start()
    connection = dial(address, source, ClientTlsMode.TLS, own)
    connection.sendall(b"hello")
    heard = connection.recv(5).decode()
    peer = connection.get_peer_certificate().to_cryptography()
    serial, tls = format(peer.serial_number, "x"), connection.get_protocol_version_name()
    say(heard=heard, serial=serial, tls=tls.replace("TLSv", "TLS "))
    connection.close()
    server.close()


def echo(server):
    connection, _ = server.accept()
    try:
        while True:
            connection.sendall(connection.recv(1024))
    except SSL.Error:
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def jwt(audience):
    with WorkloadApiClient() as client, JwtSource(timeout_in_seconds=patience_s) as source:
        svid = source.fetch_svid(audience={audience})
        bundle = source.get_bundle_for_trust_domain(svid.spiffe_id.trust_domain)
        verified = JwtSvid.parse_and_validate(svid.token, bundle, {audience})
        told = client.validate_jwt_svid(svid.token, audience)
        assert str(told.spiffe_id) == str(verified.spiffe_id)
        minutes = round((verified.expiry - time.time()) / 60)
        say(id=str(svid.spiffe_id), audience=sorted(verified.audience), minutes=minutes)


def main():
    if sys.argv[1] == "jwt":
        return jwt(sys.argv[2])
    what, count = sys.argv[1], int(sys.argv[2])
    with X509Source(timeout_in_seconds=patience_s) as source:
        {"watch": watch, "mtls": mtls}[what](source, count)


main()
