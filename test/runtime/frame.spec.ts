import { expect, test } from '@jest/globals';
import { encodeFrame } from '../../src/runtime/frame.js';
import { encodeJson } from '../../src/runtime/json.encoder.js';

function encode(encoder: (message: unknown) => unknown, message: unknown) {
  const told: string[] = [];
  const frame = encodeFrame(encoder as typeof encodeJson, message, (kind, { error }) => {
    told.push(`${kind}: ${(error as Error).name}`);
  });
  return { frame, told };
}

test('a message becomes what the encoder makes of it', () => {
  expect(encode(encodeJson, { a: 1 })).toEqual({ frame: '{"a":1}', told: [] });
  expect(encode(() => Buffer.from('b'), {}).frame).toEqual(Buffer.from('b'));
});

test('what has no form is told', () => {
  expect(encode(encodeJson, 1n)).toEqual({ frame: undefined, told: ['unserializable: TypeError'] });
  expect(encode(() => ({}), 'an object')).toEqual({
    frame: undefined,
    told: ['unserializable: TypeError'],
  });
});
