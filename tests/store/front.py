"""A small HTTP front to a ClickHouse engine in this process, for programs that write to its HTTP interface.

Usage: front.py DIRECTORY PORT. A request is a statement in the body, or in the parameter `query` with the rows of
an INSERT in the body. The engine takes rows from files only, so they are first written to one in DIRECTORY. The
front listens on the loopback interface only, and ends when the process that started it does, or after ten minutes.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

directory, port = sys.argv[1], int(sys.argv[2])
engine = session.Session(os.path.join(directory, "engine"))
# A session has one database and one statement at a time, and there is one file of rows.
one_at_a_time = threading.Lock()


class Front(BaseHTTPRequestHandler):
    # HTTP/1.0, the default: each connection has one request. One without is closed after as many seconds.
    timeout = 60

    def do_POST(self):
        try:
            parameters = parse_qs(urlsplit(self.path).query)
            body = self.body()
            with one_at_a_time:
                if "database" in parameters:
                    engine.query(f"USE {parameters['database'][0]}")
                status, answer = 200, self.run(parameters.get("query", [""])[0], body)
        except Exception as error:
            status, answer = 500, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def run(self, query, body):
        if not query:
            return engine.query(body.decode(), "TabSeparated").bytes()
        statement, form = query.rsplit(" FORMAT ", 1)
        rows = os.path.join(directory, "rows")
        with open(rows, "wb") as file:
            file.write(body)
        engine.query(f"{statement} SELECT * FROM file('{rows}', '{form.strip()}')")
        return b""

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_):
        pass


def end_with(parent):
    until = time.monotonic() + 600
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(1)
    os._exit(1)


threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", port), Front).serve_forever()
