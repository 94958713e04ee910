import { describe, expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { clientAddress, isTrust, type Trust } from '../../src/nest/proxy.trust.js';

function ipOf(trust: Trust, peer: string | undefined, forwarded?: string): string {
  return clientAddress(trust)({
    socket: { remoteAddress: peer },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage);
}

describe('The address of a client', () => {
  test.each<[Trust, string, string]>([
    [false, '198.51.100.9', 'nobody is trusted'],
    [0, '198.51.100.9', 'no hop is trusted'],
    [true, '203.0.113.1', 'everybody is'],
    [1, '10.0.0.1', 'the peer is'],
    [2, '203.0.113.7', 'two hops are'],
    [99, '203.0.113.1', 'more hops are than there were'],
    [[], '198.51.100.9', 'an empty list is'],
    [['198.51.100.0/24'], '10.0.0.1', 'a subnet is'],
    [['198.51.100.9', 'uniquelocal'], '203.0.113.7', 'an address and a name are'],
    [['uniquelocal'], '198.51.100.9', 'only proxies that are not the peer are'],
    [['198.51.100.9', '203.0.113.7'], '10.0.0.1', 'a gap is in the list'],
    [['0.0.0.0/1', '128.0.0.0/1'], '203.0.113.1', 'all of IPv4 is'],
    [['198.51.100.0/255.255.255.0'], '10.0.0.1', 'a netmask is'],
    [['::ffff:198.51.100.9'], '10.0.0.1', 'a mapped address is'],
    [['::ffff:198.51.0.0/112'], '10.0.0.1', 'a mapped subnet is'],
    [['::/64', '::/1'], '198.51.100.9', 'subnets of IPv6 are that hold no IPv4'],
  ])('with trustProxy %j is %s: %s', (trust, expected) => {
    expect(ipOf(trust, '198.51.100.9', '203.0.113.1, 203.0.113.7, 10.0.0.1')).toBe(expected);
  });

  test('is the peer’s where it names no other', () => {
    for (const header of [undefined, '', ' , ,']) {
      expect(ipOf(true, '198.51.100.9', header)).toBe('198.51.100.9');
    }
    expect(ipOf(true, undefined)).toBe('');
  });

  test('is shown without the mapping of IPv4 into IPv6', () => {
    expect(ipOf(false, '::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(ipOf(true, '::1', '::FFFF:192.0.2.1')).toBe('192.0.2.1');
    expect(ipOf(true, '::1', '2001:db8::1')).toBe('2001:db8::1');
  });

  test.each(['::ffff:127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:7f00:1'])(
    'is that behind %s, which is a spelling of loopback',
    (proxy) => {
      expect(ipOf(['loopback'], proxy, '192.0.2.1')).toBe('192.0.2.1');
    },
  );

  test('is that behind a link-local proxy, whose address has a zone', () => {
    expect(ipOf(['linklocal'], 'fe80::1%eth0', '192.0.2.1')).toBe('192.0.2.1');
  });

  test.each(['unknown', '_hidden', '1.2.3', '999.1.1.1', '[::1]:80', 'fe80::%', '%', '::/0'])(
    'is %s where a proxy says so, and none who is trusted',
    (word) => {
      expect(ipOf(['loopback'], '127.0.0.1', `192.0.2.1, ${word}`)).toBe(word);
    },
  );

  test('is found in several headers', () => {
    expect(ipOf(2, '::1', '192.0.2.1,192.0.2.2')).toBe('192.0.2.1');
  });
});

describe('trustProxy', () => {
  test.each([
    [true],
    [false],
    [0],
    [3],
    [[]],
    [['loopback', 'linklocal', 'uniquelocal']],
    [['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1/128', '::ffff:10.0.0.0/104']],
    [['10.0.0.0/255.0.0.0']],
  ])('may be %j', (value) => {
    expect(isTrust(value)).toBe(true);
  });

  test.each([
    [undefined],
    [null],
    [-1],
    [1.5],
    [Number.NaN],
    ['loopback'],
    [{}],
    [['localhost']],
    [['10.0.0.0/33']],
    [['10.0.0.0/0']],
    [['10.0.0.0/-1']],
    [['10.0.0.0/']],
    [['10.0.0.0/8/8']],
    [['10.0.0.0/255.0.255.0']],
    [['2001:db8::/129']],
    [['2001:db8::/255.0.0.0']],
    [['::ffff:10.0.0.0/95']],
    [[1]],
    [[['loopback']]],
    [['toString']],
  ])('may not be %j', (value) => {
    expect(isTrust(value)).toBe(false);
  });
});
