# h11 as an origin that says what it understood: a line of JSON for each complete request, the port
# before all.
import base64
import json
import socket
import sys
import threading
import urllib.parse

import h11

out = threading.Lock()


def tell(line):
    with out:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def text(data):
    return data.decode("latin-1")


def answer(connection, request, fields, body):
    method, target = text(request.method), text(request.target)
    path = urllib.parse.unquote(urllib.parse.urlsplit(target).path, "latin-1")
    body = base64.b64encode(body).decode()
    tell({"method": method, "target": target, "path": path, "fields": fields, "body": body})
    said = (method + " " + target).encode("latin-1")
    headers = [("content-length", str(len(said)))]
    data = connection.send(h11.Response(status_code=200, headers=headers))
    if request.method != b"HEAD":
        data += connection.send(h11.Data(data=said))
    return data + connection.send(h11.EndOfMessage())


def serve(client):
    connection = h11.Connection(h11.SERVER)
    request, fields, body = None, [], b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                client.sendall(connection.send(go_on))
            connection.receive_data(client.recv(65536))
        elif isinstance(event, h11.Request):
            request, body = event, b""
            fields = [text(part) for pair in event.headers.raw_items() for part in pair]
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            fields += [text(part) for pair in event.headers for part in pair]
            client.sendall(answer(connection, request, fields, body))
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return


def run(client):
    with client:
        try:
            serve(client)
        except h11.RemoteProtocolError:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
tell({"port": listener.getsockname()[1]})
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=run, args=(accepted,), daemon=True).start()
