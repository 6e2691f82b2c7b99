// Stores the bodies of requests: receive.mjs PORT DIRECTORY. A body of /v1/traces becomes DIRECTORY/traces.
import fs from 'node:fs';
import http from 'node:http';

const [port, directory] = process.argv.slice(2);
fs.mkdirSync(directory, { recursive: true });
http
  .createServer((request, response) => {
    const file = fs.createWriteStream(`${directory}/${request.url.split('/').pop()}`);
    request.pipe(file).on('finish', () => response.end());
  })
  .listen(Number(port), '127.0.0.1');
