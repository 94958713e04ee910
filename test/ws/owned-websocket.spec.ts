import { describeDocumentedContract } from './documented.contract.js';
import { LOWEST, NEWEST, ownedPair, plainPair } from './pairs.js';

for (const copy of [NEWEST, LOWEST]) {
  describeDocumentedContract(`sockets of ${copy.name} itself`, {
    sendsBlobs: copy.sendsBlobs,
    open: (server = {}) => plainPair(copy, { server }),
  });
  describeDocumentedContract(`owned sockets of ${copy.name}`, {
    sendsBlobs: copy.sendsBlobs,
    open: (server = {}) => ownedPair(copy, { server }),
  });
}
