/** Strings, as two copies of this package in one app must still mean the same. */
export const SAFE_CLOSE_OPTIONS = 'nestjs-safe-close.options';
export const SAFE_CLOSE_ENGINE = 'nestjs-safe-close.engine';
