'use strict';

const qs = require('qs');

module.exports = (notes) => qs.stringify({ notes });
