'use strict';

const path = require('node:path');
const express = require('express');

const app = express();
const notes = [{ id: 1, text: 'less is more' }];

app.set('view engine', 'ejs');
app.set('views', path.join(__dirname, 'views'));
app.use('/public', express.static(path.join(__dirname, 'public')));
app.use(express.json());
app.use(express.urlencoded({ extended: true }));

app.get('/', (request, response) => response.render('index', { notes }));

app.get('/notes', (request, response) => response.json(notes));

app.post('/notes', (request, response) => {
  if (!request.body.text) return response.status(400).json({ error: 'a text is wanted' });
  const note = { id: notes.length + 1, text: request.body.text };
  notes.push(note);
  response.status(201).json(note);
});

// Loaded only when somebody asks.
app.get('/export/:format', (request, response) => {
  let write;
  try {
    write = require(`./lib/export-${request.params.format.replace(/[^a-z]/g, '')}`);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return response.status(404).send(`cannot export as ${request.params.format}`);
  }
  response.type('text/plain').send(write(notes));
});

app.get('/date/:locale', (request, response) => {
  const day = new Date(Date.UTC(2024, 6, 1));
  const format = new Intl.DateTimeFormat(request.params.locale, { dateStyle: 'full', timeZone: 'Europe/Oslo' });
  response.send(format.format(day));
});

app.get('/lookup', (request, response) => {
  require('node:dns').lookup('localhost', (error, address) => response.send(error ? error.code : address));
});

app.get('/digest', (request, response) => {
  response.send(require('node:crypto').createHash('sha256').update('whit').digest('hex'));
});

app.get('/broken', () => {
  throw new Error('this page is broken');
});

const port = process.env.PORT || 3000;
const server = app.listen(port, () => console.log(`listening on ${port}`));
process.on('SIGTERM', () => server.close());
