/** Which stack the suite runs on: ours, or stock Nest with its plain `WsAdapter`. */
export type Stack = 'safe' | 'stock';

export const stack: Stack = process.env['STACK'] === 'stock' ? 'stock' : 'safe';

export type NestMajor = 11 | 12;

export const nestMajor: NestMajor = process.env['NEST'] === '11' ? 11 : 12;
