const express = require('express');
const path = require('path');
const { exec, execFile } = require('child_process');

const app = express();
const ROOT = path.resolve(__dirname, 'public');

/**
 * Sends one file of the public folder.
 * @param {import('express').Request} request
 * @param {import('express').Response} response
 */
app.get('/files/:name', (request, response) => {
  const target = path.join(ROOT, request.params.name);
  if (request.query.strict === '1' && !target.startsWith(ROOT + path.sep)) {
    response.status(403).send('outside');
    return;
  }
  response.sendFile(target);
});

app.get('/ping', (request, response) => {
  const host = request.query.host || 'localhost';
  exec(`ping -c 1 ${host}`, (error, stdout) => {
    response.type('text').send(error ? String(error.code) : stdout);
  });
});

app.get('/log', (request, response) => {
  execFile('git', ['log', '--oneline', '-n', '5'], { cwd: ROOT }, (error, stdout) => {
    if (error) {
      response.status(500).end();
      return;
    }
    response.json(stdout.split('\n').filter(Boolean));
  });
});

app.get('/greet', (request, response) => {
  response.send('<h1>Hello ' + request.query.name + '</h1>');
});

module.exports = app;
