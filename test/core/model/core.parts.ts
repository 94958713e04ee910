import { PHASE_FACTS } from '../../../src/core/connection.phases.js';
import { transition, type Transition } from '../../../src/core/connection.transition.js';
import { closeVerdict, lossCause, refusalCause } from '../../../src/core/outcomes.js';
import { admissionOf } from '../../../src/core/overflow.js';

/** Everything that the model takes from src/core, so that each part can be altered. */
export interface Core {
  readonly transition: Transition;
  readonly facts: typeof PHASE_FACTS;
  readonly closeVerdict: typeof closeVerdict;
  readonly lossCause: typeof lossCause;
  readonly refusalCause: typeof refusalCause;
  readonly admissionOf: typeof admissionOf;
}

export const CORE: Core = {
  transition,
  facts: PHASE_FACTS,
  closeVerdict,
  lossCause,
  refusalCause,
  admissionOf,
};
