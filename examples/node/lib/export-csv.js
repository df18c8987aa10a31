'use strict';

module.exports = (notes) => notes.map((note) => `${note.id},"${note.text}"`).join('\n') + '\n';
