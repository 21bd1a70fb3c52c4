# A WSGI application that says what gunicorn understood: a line of JSON for each complete request.
import base64
import json
import sys
import threading

out = threading.Lock()


def application(environ, start_response):
    body = base64.b64encode(environ["wsgi.input"].read()).decode()
    fields = []
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            fields += [name[5:], value]
    method, target = environ["REQUEST_METHOD"], environ["RAW_URI"]
    line = {"method": method, "target": target, "path": environ["PATH_INFO"], "fields": fields, "body": body}
    with out:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    said = (method + " " + target).encode("latin-1")
    start_response("200 OK", [("Content-Length", str(len(said)))])
    return [said]
