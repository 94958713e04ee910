import { describe, expect, test } from '@jest/globals';
import { isAllowedOrigin, originCheck } from '../../src/nest/allowed.origins.js';

describe('allowedOrigins', () => {
  test.each([
    ['https://app.example', 'https://app.example'],
    ['https://app.example/', 'https://app.example'],
    ['HTTPS://App.Example', 'https://app.example'],
    ['https://app.example', 'https://APP.example'],
    ['https://app.example:443', 'https://app.example'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['chrome-extension://abcdef', 'chrome-extension://abcdef'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['file://', 'file://'],
    ['null', 'null'],
  ])('%s lets %s in', (entry, origin) => {
    expect(isAllowedOrigin(entry)).toBe(true);
    expect(originCheck([entry])(origin)).toBe(true);
  });

  test.each([
    ['https://app.example', 'http://app.example'],
    ['https://app.example', 'https://app.example:8443'],
    ['https://app.example', 'https://app.example.evil.example'],
    ['https://app.example', 'https://evil.example/https://app.example'],
    ['https://app.example', 'https://sub.app.example'],
    ['https://app.example', 'https://app.example, https://app.example'],
    ['https://app.example', 'null'],
    ['https://app.example', ''],
    ['null', 'undefined'],
  ])('%s keeps %j out', (entry, origin) => {
    expect(originCheck([entry])(origin)).toBe(false);
  });

  test('A client that sends no origin passes, also where none is allowed', () => {
    expect(originCheck([])(undefined)).toBe(true);
    expect(originCheck(['https://app.example'])(undefined)).toBe(true);
    expect(originCheck([])('https://app.example')).toBe(false);
  });

  test.each([
    /^https:\/\/[a-z]+\.example$/,
    /^https:\/\/[a-z]+\.example$/g,
    /https:\/\/[a-z]+\.example$/y,
  ])('%s says the same each time, and stays as it is', (pattern) => {
    const isAllowed = originCheck([pattern]);
    for (let time = 0; time < 3; time++) {
      expect(isAllowed('https://app.example')).toBe(true);
      expect(isAllowed('evil https://app.example')).toBe(false);
    }
    expect(isAllowed('https://app.example')).toBe(true);
    expect(pattern.lastIndex).toBe(0);
  });

  test('Names and expressions stand side by side', () => {
    const isAllowed = originCheck(['https://a.example', /^https:\/\/b\.example$/]);
    expect(['a', 'b', 'c'].map((name) => isAllowed(`https://${name}.example`))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test.each([
    ['app.example'],
    ['localhost:3000'],
    ['*'],
    ['https://*.app.example'],
    ['https://app.example/chat'],
    ['https://app.example?x'],
    ['https://app.example#x'],
    ['https://user@app.example'],
    ['https://'],
    ['https://app.example:99999'],
    [''],
    [undefined],
    [1],
  ])('%j names no origin', (value) => {
    expect(isAllowedOrigin(value)).toBe(false);
  });
});
