import 'reflect-metadata';
import { STEPS, take } from './flow.steps.js';

for (const step of STEPS) {
  console.log(step.name);
  console.log(`  ${await take(step)}`);
}
