import { describe, expect, test } from '@jest/globals';
import { Readiness } from '../../src/runtime/readiness.js';

const chat = { name: 'ChatGateway' };
const audit = { name: 'AuditGateway' };

function sealed(...begun: { name: string }[]): Readiness {
  const readiness = new Readiness();
  for (const gateway of begun) readiness.begin(gateway);
  readiness.seal();
  return readiness;
}

describe('readiness', () => {
  test('of a connection that waits for nobody any more is there, but for what it is given', () => {
    const readiness = Readiness.sealed();
    expect(readiness.ready).toBe(true);
    readiness.begin(chat);
    expect(readiness.ready).toBe(false);
    readiness.settle(chat);
    expect(readiness.ready).toBe(true);
  });

  test('without any hook it comes with the seal, and not before', () => {
    const readiness = new Readiness();
    expect(readiness.ready).toBe(false);
    readiness.seal();
    expect(readiness.ready).toBe(true);
  });

  test('it waits for every hook that has begun', () => {
    const readiness = sealed(chat, audit);
    readiness.settle(audit);
    expect(readiness.ready).toBe(false);
    expect(readiness.pending).toBe('ChatGateway');
    readiness.settle(chat);
    expect(readiness.ready).toBe(true);
    expect(readiness.pending).toBe('');
  });

  test('hooks that settle before the seal do not make it ready', () => {
    const readiness = new Readiness();
    readiness.begin(chat);
    readiness.settle(chat);
    expect(readiness.ready).toBe(false);
    readiness.begin(audit);
    readiness.seal();
    expect(readiness.ready).toBe(false);
    readiness.settle(audit);
    expect(readiness.ready).toBe(true);
  });

  test('a hook that is expected holds it up until it has begun and settled', () => {
    const readiness = new Readiness();
    readiness.expect(chat);
    readiness.seal();
    expect(readiness.ready).toBe(false);
    readiness.settle(chat);
    expect(readiness.ready).toBe(false);
    readiness.begin(chat);
    expect(readiness.pending).toBe('ChatGateway');
    readiness.settle(chat);
    expect(readiness.ready).toBe(true);
  });

  test('one gateway can be waited for more than once', () => {
    const readiness = new Readiness();
    readiness.expect(chat);
    readiness.begin(chat);
    readiness.begin(chat);
    readiness.seal();
    expect(readiness.pending).toBe('ChatGateway, ChatGateway');
    readiness.settle(chat);
    expect(readiness.ready).toBe(false);
    readiness.settle(chat);
    expect(readiness.ready).toBe(true);
  });

  test('gateways are told apart by identity, not by name', () => {
    const namesake = { name: 'ChatGateway' };
    const readiness = sealed(chat);
    readiness.settle(namesake);
    expect(readiness.ready).toBe(false);
    readiness.settle(chat);
    readiness.settle(chat);
    expect(readiness.ready).toBe(true);
  });

  test('a hook is pending from when it is expected until it has settled', () => {
    const readiness = new Readiness();
    readiness.expect(chat);
    expect(readiness.isPending(chat)).toBe(true);
    expect(readiness.isPending({ name: 'ChatGateway' })).toBe(false);
    readiness.begin(chat);
    readiness.forgo(chat);
    expect(readiness.isPending(chat)).toBe(true);
    readiness.settle(chat);
    expect(readiness.isPending(chat)).toBe(false);
  });

  test('a hook that will never begin is not waited for', () => {
    const readiness = new Readiness();
    readiness.expect(chat);
    readiness.seal();
    readiness.forgo(chat);
    expect(readiness.ready).toBe(true);
  });
});
