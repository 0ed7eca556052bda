'use strict';

const crypto = require('crypto');
const jwt = require('jsonwebtoken');

const SECRET = 'k3y-for-the-demo-only';

function merge(target, source) {
  for (const key in source) {
    if (source[key] && typeof source[key] === 'object') {
      target[key] = merge(target[key] || {}, source[key]);
    } else {
      target[key] = source[key];
    }
  }
  return target;
}

class Tokens {
  #seen = new Map();

  constructor({ lifetime = 3600, algorithm = 'HS256' } = {}) {
    this.lifetime = lifetime;
    this.algorithm = algorithm;
  }

  issue(user, extra) {
    const claims = merge({ sub: user.id, nonce: Math.random().toString(36).slice(2) }, extra);
    return jwt.sign(claims, SECRET, { algorithm: this.algorithm, expiresIn: this.lifetime });
  }

  async read(token) {
    const claims = jwt.verify(token, SECRET, { algorithms: ['HS256', 'none'] });
    const digest = crypto.createHash('md5').update(token).digest('hex');
    if (this.#seen.has(digest)) {
      throw new Error(`token of ${claims.sub} was used before`);
    }
    this.#seen.set(digest, Date.now());
    return claims;
  }

  static same(one, other) {
    const [left, right] = [Buffer.from(one), Buffer.from(other)];
    return left.length === right.length && crypto.timingSafeEqual(left, right);
  }
}

module.exports = { Tokens, merge };
