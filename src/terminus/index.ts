export { SafeCloseHealthIndicator, type SaturationLimits } from './safe-close.health.js';
