import 'reflect-metadata';

import { afterEach } from '@jest/globals';

// Jest fails a test on a rejection that nobody handles, but only sees those that surface while a
// test runs: so each test gets one more turn of the event loop before the next one starts.
const turn = setImmediate;

afterEach(() => new Promise<void>((resolve) => void turn(resolve)));

if (process.env['DEFLATE']) await import('./support/deflate.js');
